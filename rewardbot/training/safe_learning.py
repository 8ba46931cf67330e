"""Safe reinforcement learning with a person in the loop: what a person marked as unsafe becomes a shield in front of the policy.

    guard = SafeLearning(env, config, folder, steps=options.steps)
    loop = StateLoop(guard.env, ...)            # whatever learns, whatever from

A person is shown episodes, as many as a budget allows, those first about which the members of the cost differ most, and marks unsafe
intervals with a reason. From then on the shield (`shield.py`) changes what the policy asks for on its way to the world. Soft
actor-critic learns from what was done: the shield changes with each answer, and what came of an action stays true. Proximal policy
optimisation can learn only from what it asked for. The shield learns from what was done, too, also where nobody was shown it, and is
added into no reward.

Questions, answers, clips, and the steps that the shield learned from are on the disk; a process that is started again makes the same
shield of them.
"""

from __future__ import annotations

import logging
import math
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import gymnasium
import numpy as np
import torch
from numpy.typing import NDArray

from rewardbot.config import setting
from rewardbot.data.episode_replay import EpisodeReplay
from rewardbot.data.transitions import Transitions
from rewardbot.errors import ConfigError, DataError
from rewardbot.feedback.feedback import Query
from rewardbot.feedback.ledger import Ledger
from rewardbot.feedback.schedule import Schedule, due
from rewardbot.feedback.teachers.recorded import Recorded
from rewardbot.feedback.teachers.watcher import Watcher
from rewardbot.training.kept_clips import KeptClips, steps_of, write_steps
from rewardbot.training.marked import CLIPS, marked
from rewardbot.training.shield import Shield, ShieldConfig
from rewardbot.training.shield_fitting import fit_shield
from rewardbot.training.state_loop import DONE, Env, Spaces, vector
from rewardbot.types import Metrics, Segment

LEDGER, VISITED = "ledger.sqlite", "visited.safetensors"
RECENT = 10_000
"""Newest steps whose episodes may be asked about, and from which the shield learns what its cost leads to."""

_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Zone:
    """What truly is unsafe, for a simulated person: a step to where these entries of the observation are all within bounds."""

    entries: tuple[int, ...] = setting((), "entries of the observation, from 0", min=0)
    low: tuple[float, ...] = setting((), "lower bound of each")
    high: tuple[float, ...] = setting((), "upper bound of each")

    def __post_init__(self) -> None:
        if not len(self.entries) == len(self.low) == len(self.high):
            raise ConfigError(f"The zone has {len(self.entries)} entries, {len(self.low)} lower and {len(self.high)} upper bounds.",
                              valid="As many of each.")

    def holds(self, states: NDArray[np.floating]) -> NDArray[np.bool_]:
        """Whether each of (N, S) states is in it, (N,)."""
        of = states[:, list(self.entries)]
        return np.all((of >= np.array(self.low)) & (of <= np.array(self.high)), axis=1)


@dataclass(frozen=True)
class SafetyConfig:
    """Who is asked how much, and what is made of it."""

    schedule: Schedule = setting(Schedule(budget=20, first=3, early=0.1, per_minute=math.inf, waiting=3),
                                 "of the episodes that a person is shown, whether they mark anything or not")
    zone: Zone = setting(Zone(), "what truly is unsafe, for a simulated person")
    shield: ShieldConfig = setting(ShieldConfig(), "of the shield")


def check(config: SafetyConfig, sizes: Spaces) -> None:
    """Checks what can be known before a simulated person is asked.

    Raises:
        ConfigError: they do not know what is unsafe, or are never asked.
    """
    zone = config.zone
    if not zone.entries or max(zone.entries) >= sizes.states:
        raise ConfigError(f"What is unsafe is where the entries {list(zone.entries)} of the observation are within bounds.",
                          valid=f"One entry or more, of 0 to {sizes.states - 1}.",
                          next_step="In the file of --config: shield: {zone: {entries: [0], low: [0.5], high: [1.0]}}")
    if not config.schedule.budget:
        raise ConfigError("Whoever marks what is unsafe is shown 0 episodes.", valid="shield.schedule.budget: 1 or more.")


class Guarded(gymnasium.Wrapper[Any, Any, Any, Any]):
    """An environment behind a shield, asked anew at each step; None lets everything through.

    Attributes:
        state: the last observation, float32 (S,).
        done: what was done in the last step, float32 (A,) in [-1, 1].
        steps, refused: how many there were, and in how many of them something else was done than was asked for.
    """

    def __init__(self, env: Env, shield: Callable[[], Shield | None]) -> None:
        super().__init__(env)
        self._sizes, self._shield = Spaces.of(env), shield
        self.state, self.done = np.zeros(self._sizes.states, np.float32), np.zeros(self._sizes.actions, np.float32)
        self.steps = self.refused = 0

    def reset(self, *, seed: int | None = None, options: dict[str, Any] | None = None) -> tuple[Any, dict[str, Any]]:
        """See gymnasium."""
        observation, info = super().reset(seed=seed, options=options)
        self.state = vector(observation)
        return observation, info

    def step(self, action: Any) -> tuple[Any, Any, bool, bool, dict[str, Any]]:
        """See gymnasium; `info` holds "refused" (bool) and `DONE`."""
        low, high = self._sizes.low, self._sizes.high
        asked, shield = (2.0 * (np.asarray(action) - low) / (high - low) - 1.0).astype(np.float32), self._shield()
        self.done = asked if shield is None else shield.filter(self.state, asked)
        refused = self.done is not asked
        observation, reward, terminated, truncated, info = super().step(self._sizes.action(self.done) if refused else action)
        self.state = vector(observation)
        self.steps += 1
        self.refused += refused
        return observation, reward, terminated, truncated, {**info, "refused": refused, DONE: self.done}


class SafeLearning:
    """See the module; a simulated person is asked.

    Args:
        env: to learn in.
        config: see `SafetyConfig`.
        folder: where ledger and clips are. What is there is gone on with.
        steps: of the run, over which the questions are spread.
        seed: of the network.
        say: told what is the matter, once each time it changes.

    Attributes:
        env: to learn in instead.
        shield: None before anything was marked.
        asked: how many episodes were shown.
        unsafe: how many steps truly were, of this process.

    Raises:
        ConfigError: see `check`.
        LedgerError: the ledger cannot be used.
        DataError: stored steps are damaged.
    """

    def __init__(
        self, env: Env, config: SafetyConfig, folder: Path, *, steps: int, seed: int = 0, say: Callable[[str], object] = _log.warning
    ) -> None:
        sizes = Spaces.of(env)
        check(config, sizes)
        self.config, self.seed, self._total, self._say = config, seed, steps, say
        self.env, self.shield = _Watched(env, self), None
        self._ledger, self._clips = Ledger(folder / LEDGER), KeptClips(folder / CLIPS)
        self._replay, self._visited = EpisodeReplay(RECENT, sizes.states, sizes.actions), folder / VISITED
        self._before = steps_of(self._visited.read_bytes()) if self._visited.is_file() else self._replay.newest(0)
        self._teacher = Recorded(Watcher(self._truth), self._ledger)
        self._name, self._episodes = f"{folder.parent.name}-{self._ledger.history().last}", 0
        self._started, self._trouble, self.unsafe = time.monotonic(), "", 0
        self.asked = len(self._ledger.history().queries)
        self._answered()

    def begin(self) -> None:
        """A new episode: the one before it is over and may be asked about."""
        self._ask()
        self._replay.begin(f"{self._name}-{self._episodes}")
        self._episodes += 1

    def add(self, state: NDArray[np.float32], done: NDArray[np.float32], after: NDArray[np.float32], *, terminated: bool) -> None:
        """A step."""
        if np.isfinite(after).all():  # else whoever learns says which step it was
            self._replay.add(state, done, 0.0, after, terminated=terminated)
            self.unsafe += int(self.config.zone.holds(after[None])[0])

    def metrics(self) -> Metrics:
        """What became of questions and steps so far, of this process; for people."""
        steps = max(1, self.env.steps)
        return {"unsafe_questions": float(self.asked), "refused_per_1000": 1000.0 * self.env.refused / steps,
                "true_unsafe_per_1000": 1000.0 * self.unsafe / steps}

    def close(self) -> None:
        """Lets teacher and ledger go."""
        self._teacher.close()
        self._ledger.close()

    def _ask(self) -> None:
        history = self._ledger.history()
        waiting = len(history.waiting())
        before = {clip for query in history.queries.values() for clip in query.options}
        most = due(self.config.schedule, progress=self.env.steps / self._total, minutes=(time.monotonic() - self._started) / 60.0,
                   answered=self.asked - waiting, waiting=waiting)
        fresh = [episode for episode in self._replay.episodes() if episode not in before and episode.start == 0]
        chosen = sorted(fresh, key=self._doubt, reverse=True)[:most]
        for clip in chosen:
            self._clips.keep(clip, self._replay.transitions(clip))
            self.asked += 1
            self._teacher.ask(Query(f"u{self.asked}", "interval", (clip,), (0,), asked=time.time(), reason="what is unsafe in it?",
                                    strategy="uniform" if self.shield is None else "doubt"))
        if self._teacher.poll():
            self._answered()

    def _answered(self) -> None:
        """Learns from all that counts; what cannot be learned from leaves the shield as it was."""
        try:
            found = marked(self._ledger.history(), self._clips.transitions, lead=self.config.shield.lead)
            if found is not None:
                new = self._replay.newest(RECENT)
                visited = Transitions(torch.cat([self._before.rows, new.rows])[-RECENT:], new.states, new.actions)
                self.shield = fit_shield(self.config.shield, found.steps, found.unsafe, visited, seed=self.seed)
                write_steps(self._visited, visited)
            self._trouble = ""
        except DataError as error:
            if str(error) != self._trouble:
                self._say(f"{error}\n  The shield stays as it was.")
            self._trouble = str(error)

    def _doubt(self, episode: Segment) -> float:
        """How far the members of the cost differ at most about a step; alike before there is one."""
        return 0.0 if self.shield is None else float(self.shield.believed(self._replay.transitions(episode).next_state)[1].max())

    def _truth(self, clip: Segment) -> NDArray[np.bool_]:
        return self.config.zone.holds(self._clips.transitions(clip).next_state.numpy())


class _Watched(Guarded):
    """What `SafeLearning` looks at."""

    def __init__(self, env: Env, learning: SafeLearning) -> None:
        super().__init__(env, lambda: learning.shield)
        self._learning = learning

    def reset(self, *, seed: int | None = None, options: dict[str, Any] | None = None) -> tuple[Any, dict[str, Any]]:
        self._learning.begin()
        return super().reset(seed=seed, options=options)

    def step(self, action: Any) -> tuple[Any, Any, bool, bool, dict[str, Any]]:
        before = self.state
        found = super().step(action)
        self._learning.add(before, self.done, self.state, terminated=bool(found[2]))
        return found
