"""The preference window under Xvfb, with real key events on real clips: how soon a key shows, how soon the next question does, what
memory it takes, and what is lost when it is killed at random moments.

`rewardbot label` runs as it is, in a process of its own, on bags of the simulated cell. Keys come from the X server (XTEST), as those
of a keyboard do. The window writes down what is on its screen when it has been painted, by a clock that all processes share. A key
shows when the answer is marked on the clips, or the next question is there. An answer is acknowledged when the window says so on
its screen; each one of those must be in the ledger, whatever was killed when.
"""

from __future__ import annotations

import json
import os
import random
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np

from rewardbot.data.episodes import write_episode
from rewardbot.errors import MissingSystemLibrary, RobotError
from rewardbot.feedback.ledger import Ledger
from rewardbot.robots.mujoco import MujocoRobot
from rewardbot.robots.robot import load_contract
from rewardbot.training.bench import BenchOptions, BenchResult, Cell, Report, Target
from rewardbot.training.collect import play

TITLE, TASK = "rewardbot: preferences", "reach"
KEYS = ("1", "2", "3", "s")
LOOK_S = 0.2
"""How long a question is looked at: less than `preference_session.LOOK_S` would be no answer [s]."""

PATIENCE_S = 120.0
WARM = 100
"""Answers after which memory is looked at first: fits and pictures have taken theirs."""


@dataclass(frozen=True)
class Size:
    """How much is measured: episodes, answers, kills, and answers at most before each of these."""

    bags: int = 30
    answers: int = 1000
    kills: int = 20
    before_kill: int = 12


FULL, QUICK = Size(), Size(bags=3, answers=6, kills=2, before_kill=2)


@dataclass
class Found:
    """What was seen.

    Attributes:
        feedback, following: seconds from each key until it showed, and until the next question did.
        memory: of the window [MB], at first and at the end.
        acknowledged, lost: answers that the window showed as stored, and those of them that the ledger does not hold.
        kills: how often it was killed.
    """

    feedback: list[float] = field(default_factory=list)
    following: list[float] = field(default_factory=list)
    memory: list[float] = field(default_factory=list)
    acknowledged: int = 0
    lost: int = 0
    kills: int = 0


def run(options: BenchOptions, report: Report) -> BenchResult:
    """Answers first, then kills, on the same ledger."""
    size = QUICK if options.quick else FULL
    seeds = options.seeds or (0,)
    rows: list[dict[str, Cell]] = []
    targets: list[Target] = []
    place = options.folder()
    for number, seed in enumerate(seeds):
        with TemporaryDirectory(dir=place) as folder, _screen() as display:
            bags = Path(folder) / "bags"
            _record(bags, size.bags, seed)
            found = Found()

            def tell(share: float, detail: str, number: int = number) -> None:
                report((number + share) / len(seeds), detail)

            _answer(bags, Path(folder) / "answers.db", display, size, seed, found, tell)
            _kill(bags, Path(folder) / "kills.db", display, size, seed, found, tell)
            rows += _rows(found, seed)
            targets += _targets(found, f", seed {seed}" if len(seeds) > 1 else "")
    return BenchResult(seeds, rows, targets)


class Trace:
    """What the window wrote down, as it grows."""

    def __init__(self, path: Path) -> None:
        self._path, self._read = path, 0
        self.times: dict[tuple[str, str], float] = {}
        self.last = ""

    def look(self) -> None:
        """Takes what is new; a line that is not whole yet is left for the next time."""
        if not self._path.exists():
            return
        with self._path.open() as file:
            file.seek(self._read)
            while (line := file.readline()).endswith("\n"):
                self._read += len(line)
                entry = json.loads(line)
                self.times[entry["what"], entry["query"]] = entry["at"]
                if entry["what"] == "visible":
                    self.last = entry["query"]

    def wait(self, true: Callable[[], bool], window: Window, what: str) -> None:
        """Looks until it is so.

        Raises:
            RobotError: the window has ended, or it never is.
        """
        deadline = time.monotonic() + PATIENCE_S
        while not true():
            if window.process.poll() is not None or time.monotonic() > deadline:
                raise RobotError(f"The window has not shown {what}.", next_step=f"Its last words: {window.said()}")
            time.sleep(0.002)
            self.look()

    @property
    def stored(self) -> set[str]:
        """Queries whose answers were acknowledged."""
        return {query for what, query in self.times if what == "stored"}


class Window:
    """`rewardbot label` as a process, and the keyboard of its screen."""

    def __init__(self, bags: Path, ledger: Path, display: str, seed: int) -> None:
        from Xlib import XK, X
        from Xlib import display as displays
        from Xlib.ext import xtest

        self._x, self._xtest, self._keysym = X, xtest, XK.string_to_keysym
        self._display = displays.Display(display)
        self._words, trace = ledger.with_name("said"), ledger.with_name(f"trace-{time.monotonic_ns()}")
        self.trace = Trace(trace)
        with self._words.open("w") as words:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "rewardbot", "label", str(bags), "--ledger", str(ledger), "--annotator", "bench", "--budget",
                 "100000", "--seed", str(seed), "--steps", "10", "--trace", str(trace)], stdout=words, stderr=subprocess.STDOUT,
                env={**os.environ, "DISPLAY": display, "QT_QPA_PLATFORM": "xcb", "OMP_NUM_THREADS": "1"})
        self.process_memory = Path(f"/proc/{self.process.pid}/statm")

    def focus(self) -> None:
        """Gives it the keys, as a window manager would; waits for its first question."""
        self.trace.wait(lambda: bool(self.trace.last), self, "a question")
        for window in self._display.screen().root.query_tree().children:
            if window.get_wm_name() == TITLE:
                window.set_input_focus(self._x.RevertToParent, self._x.CurrentTime)
        self._display.sync()

    def tap(self, key: str) -> float:
        """A key goes down and up; returns when it went down."""
        code = self._display.keysym_to_keycode(self._keysym(key))
        at = time.monotonic()
        for kind in (self._x.KeyPress, self._x.KeyRelease):
            self._xtest.fake_input(self._display, kind, code)
        self._display.sync()
        return at

    def memory(self) -> float:
        """Its own memory now [MB]."""
        return int(self.process_memory.read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE") / 1e6

    def said(self) -> str:
        """Its last words."""
        return self._words.read_text()[-400:]

    def end(self, number: int) -> None:
        """Sends it a signal, and waits for its end."""
        self.process.send_signal(number)
        self.process.wait(PATIENCE_S)
        self._display.close()


def _answer(
    bags: Path, ledger: Path, display: str, size: Size, seed: int, found: Found, tell: Callable[[float, str], None]
) -> None:
    rng = random.Random(seed)
    window = Window(bags, ledger, display, seed)
    try:
        window.focus()
        for number in range(size.answers):
            _one(window, rng.choice(KEYS), found)
            if number == min(WARM, size.answers // 2):
                found.memory.append(window.memory())
            tell(0.7 * number / size.answers, f"{number + 1} of {size.answers} answers")
        found.memory.append(window.memory())
    finally:
        window.end(signal.SIGTERM)
    _judge(ledger, window.trace.stored, found)


def _one(window: Window, key: str, found: Found) -> None:
    """Looks at a question, answers it, and waits for the next one."""
    trace, query = window.trace, window.trace.last
    time.sleep(max(0.0, trace.times["visible", query] + LOOK_S - time.monotonic()))
    at = window.tap(key)
    trace.wait(lambda: trace.last != query and ("stored", query) in trace.times, window, f"what came of '{key}' to {query}")
    shown = trace.times["visible", trace.last]
    found.feedback.append(min(trace.times.get(("feedback", query), shown), shown) - at)
    found.following.append(shown - at)


def _kill(
    bags: Path, ledger: Path, display: str, size: Size, seed: int, found: Found, tell: Callable[[float, str], None]
) -> None:
    rng = random.Random(seed + 1)
    for number in range(size.kills):
        window = Window(bags, ledger, display, seed)
        try:
            window.focus()
            for _ in range(rng.randint(0, size.before_kill)):
                _one(window, rng.choice(KEYS), Found())
            time.sleep(LOOK_S)
            window.tap(rng.choice(KEYS))
            time.sleep(rng.uniform(0.0, 0.1))  # anywhere between the key and long after it
        finally:
            window.end(signal.SIGKILL)
        window.trace.look()
        found.kills += 1
        _judge(ledger, window.trace.stored, found)
        tell(0.7 + 0.3 * (number + 1) / size.kills, f"{number + 1} of {size.kills} kills")


def _judge(path: Path, acknowledged: set[str], found: Found) -> None:
    with Ledger(path, read_only=True) as ledger:
        ledger.verify()
        there = {response.given.query for response in ledger.history().responses.values()}
    found.acknowledged += len(acknowledged)
    found.lost += len(acknowledged - there)


def _rows(found: Found, seed: int) -> list[dict[str, Cell]]:
    def row(what: str, value: Cell) -> dict[str, Cell]:
        return {"seed": seed, "what": what, "value": value}

    return [
        *(row(f"{name}, {part}, ms", 1e3 * float(np.percentile(times, at)))
          for name, times in (("key to feedback", found.feedback), ("key to next question", found.following))
          for part, at in (("median", 50), ("p99", 99), ("longest", 100))),
        row("answers", len(found.following)), row("memory at first, MB", found.memory[0]),
        row("memory at the end, MB", found.memory[-1]),
        row("kill -9", found.kills), row("answers acknowledged", found.acknowledged), row("of these lost", found.lost)]


def _targets(found: Found, of: str) -> list[Target]:
    growth = found.memory[-1] / found.memory[0] - 1.0
    return [
        Target.at_most(f"answers lost{of}", found.lost, 0),
        Target.at_most(f"key to feedback, p99, ms{of}", 1e3 * float(np.percentile(found.feedback, 99)), 100),
        Target.at_most(f"next question, p99, ms{of}", 1e3 * float(np.percentile(found.following, 99)), 300),
        Target.at_most(f"growth of memory{of}", growth, 0.05)]


def _record(folder: Path, count: int, seed: int) -> None:
    contract = load_contract("sim_arm")
    robot = MujocoRobot(TASK, contract)
    play(robot, count, stream=seed, take=lambda episode: write_episode(folder, episode, contract))
    robot.close()


@contextmanager
def _screen() -> Iterator[str]:
    """An X server that nobody sees; its name."""
    if (program := shutil.which("Xvfb")) is None:
        raise MissingSystemLibrary("Xvfb is not installed.", next_step="apt-get install -y xvfb")
    reading, writing = os.pipe()
    server: Any = subprocess.Popen(
        [program, "-displayfd", str(writing), "-screen", "0", "1280x720x24", "-nolisten", "tcp", "-noreset"], pass_fds=[writing],
        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    os.close(writing)
    try:
        with os.fdopen(reading) as told:
            number = told.readline().strip()
        if not number:
            raise RobotError("Xvfb did not start.")
        yield f":{number}"
    finally:
        server.terminate()
        server.wait()
