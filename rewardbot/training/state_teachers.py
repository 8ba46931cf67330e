"""Who answers while a policy learns from state vectors in one process: besides a simulated teacher a person at the operator's window,
or a model. Learning waits for neither.

The ledger lies between learner and window. The window is a process of its own: closed, killed or never there, it costs answers that
nobody gives, and nothing else, and another one may be opened at any time, also from another terminal.
"""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path

from rewardbot.data.library import Library
from rewardbot.data.transitions import Transitions
from rewardbot.errors import ConfigError, unknown_name
from rewardbot.feedback.ledger import Ledger
from rewardbot.feedback.teachers.base import Teacher
from rewardbot.feedback.teachers.endpoint import Endpoint, EndpointConfig
from rewardbot.feedback.teachers.model import Model, ModelConfig
from rewardbot.feedback.teachers.recorded import Human
from rewardbot.training.bag_teachers import Pictures
from rewardbot.training.drawn_episodes import DrawnEpisodes
from rewardbot.training.preferences import LEDGER, WAIT_S, Rewards
from rewardbot.training.state_options import StateOptions
from rewardbot.types import Segment

TEACHERS = ("simulated", "human", "model")

SHOWN = "shown"
"""Folder of the run folder for bags of the episodes that somebody is asked about."""

WAITING = 10
"""Most questions that wait for a person or a model: later ones are chosen by a reward that knows more."""

LEAVE_S = 1.0
"""How long a window has to store what was clicked last, when learning ends [s]; it ends in any case, only later."""

Show = Callable[[str, int, Transitions], object]
Make = Callable[[Rewards], Teacher]


def check(options: StateOptions) -> None:
    """Checks what can be known before a run begins.

    Raises:
        ConfigError: an unknown teacher; options of another one; an environment that cannot be drawn.
        MissingSystemLibrary: nothing can be drawn here.
    """
    if options.teacher not in TEACHERS:
        raise unknown_name("teacher", options.teacher, TEACHERS)
    for name in ("url", "model", "goal"):
        if options.teacher != "model" and getattr(options, name) != getattr(StateOptions, name):
            raise ConfigError(f"--{name} is for a model that answers, and --teacher is {options.teacher}.", valid="--teacher model.")
    if options.teacher == "model":
        Endpoint(lambda clip: (), _endpoint(options))
    if options.teacher != "simulated":
        DrawnEpisodes(options.env, Path()).close()


@contextmanager
def asked(options: StateOptions, folder: Path, say: Callable[[str], object]) -> Iterator[tuple[Make | None, Show | None]]:
    """Who is asked in a run, for `PreferenceLoop`: its `teacher` and its `show`.

    Args:
        options: of the run, see `check`.
        folder: of the run.
        say: told how to open a window.

    Raises:
        ConfigError: the environment cannot be drawn.
        MissingSystemLibrary: nothing can be drawn here.
    """
    if options.teacher == "simulated":
        yield None, None
        return
    with ExitStack() as held:
        drawn = DrawnEpisodes(options.env, folder / SHOWN)
        held.callback(drawn.close)
        if options.teacher == "model":
            endpoint = Endpoint(_describe(folder / SHOWN), _endpoint(options))
            # Nobody is there for a sample of its answers.
            yield lambda true: Model(endpoint, config=ModelConfig(audit=0.0), seed=options.seed), drawn.draw
            return
        ledger = held.enter_context(Ledger(folder / LEDGER, wait_s=WAIT_S))
        window = Window(folder / SHOWN, ledger.path, say)
        held.callback(window.close)

        def show(id: str, seed: int, steps: Transitions) -> None:
            drawn.draw(id, seed, steps)
            window.open()

        yield lambda true: Human(ledger), show


class Window:
    """The operator's window on what somebody else asks, in a process of its own.

    Args:
        bags, ledger: what it is about.
        say: told how to open another one.
    """

    def __init__(self, bags: Path, ledger: Path, say: Callable[[str], object]) -> None:
        self._command = ["label", str(bags), "--ledger", str(ledger), "--budget", "0"]
        self._say = say
        self._process: subprocess.Popen[bytes] | None = None

    def open(self) -> None:
        """Opens it, once; what keeps it from opening it says itself."""
        if self._process is None:
            self._say(f"Questions are answered in a window; when it is closed, this opens another one, here or in another terminal:\n"
                      f"  rewardbot {' '.join(self._command)}")
            # In a session of its own: Ctrl-C is meant for the learner, which ends the window in order.
            self._process = subprocess.Popen([sys.executable, "-m", "rewardbot", *self._command], stdin=subprocess.DEVNULL,
                                             stdout=subprocess.DEVNULL, start_new_session=True)

    def close(self) -> None:
        """Ends it, if it is open."""
        if self._process is not None:
            self._process.terminate()
            with suppress(subprocess.TimeoutExpired):
                self._process.wait(LEAVE_S)


def _endpoint(options: StateOptions) -> EndpointConfig:
    return EndpointConfig(options.url, options.model, options.goal)


def _describe(folder: Path) -> Callable[[Segment], Sequence[str | bytes]]:
    library = Library([folder])
    pictures = Pictures(library)

    def describe(clip: Segment) -> Sequence[str | bytes]:
        library.refresh()
        return pictures(clip)

    return describe
