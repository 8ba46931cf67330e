"""Demonstrations from state vectors: one safetensors file of all episodes, with the environment and the bounds of its actions.

    states    float32 (T_1 + 1 + ... + T_N + 1, S)   what was seen, the end of each episode too
    actions   float32 (T_1 + ... + T_N, A)           in [-1, 1], of the bounds in the description
    rewards   float32 (T_1 + ... + T_N,)             the environment's own: to report the expert's return, never to learn from
    lengths   int64 (N,)                             T_i
    terminated  bool (N,)                            a true end; a timeout is none
    seeds     int64 (N,)                             of the start states
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

import numpy as np
import safetensors
import torch
from numpy.typing import ArrayLike, NDArray
from safetensors.numpy import load, save
from torch import Tensor

from rewardbot.config import user_path
from rewardbot.data.transitions import Transitions
from rewardbot.errors import DataError

FORMAT = 1
KIND = "state demonstrations"


@dataclass(frozen=True)
class StateEpisode:
    """One episode of T steps.

    Attributes:
        states: float32 (T + 1, S).
        actions: float32 (T, A) in [-1, 1].
        rewards: the environment's own, float32 (T,).
        terminated: its last state is a true end.
        seed: of its start state.
    """

    states: NDArray[np.float32]
    actions: NDArray[np.float32]
    rewards: NDArray[np.float32]
    terminated: bool
    seed: int

    def transitions(self) -> Transitions:
        """Its steps. Their reward is 0: a demonstration's reward is not known."""
        steps = len(self.actions)
        continues = np.ones((steps, 1), np.float32)
        continues[-1] = 1.0 - self.terminated
        rows = np.concatenate([self.states[:-1], self.actions, np.zeros((steps, 1), np.float32), continues, self.states[1:]], axis=1)
        return Transitions(torch.from_numpy(rows), self.states.shape[1], self.actions.shape[1])


@dataclass(frozen=True)
class StateDemonstrations:
    """What an expert did in an environment.

    Attributes:
        env: name of the environment.
        low, high: its bounds of an action, (A,), which -1 and 1 stand for.
        episodes: at least one, each of at least one step.

    Raises:
        DataError: no episode, an empty one, episodes of different sizes, NaN, or actions outside [-1, 1].
    """

    env: str
    low: NDArray[np.float64]
    high: NDArray[np.float64]
    episodes: Sequence[StateEpisode]

    def __post_init__(self) -> None:
        if not self.episodes:
            raise DataError("There are no demonstrations.", next_step="Give at least one episode.")
        sizes = self.sizes
        for number, episode in enumerate(self.episodes):
            steps = len(episode.actions)
            shapes = episode.states.shape, episode.actions.shape, episode.rewards.shape
            if not steps or shapes != ((steps + 1, sizes[0]), (steps, sizes[1]), (steps,)):
                raise DataError(f"Demonstration {number} has states, actions and rewards of shapes {shapes}.",
                                valid=f"(T + 1, {sizes[0]}), (T, {sizes[1]}) and (T,), T at least 1.")
            if not all(np.isfinite(part).all() for part in (episode.states, episode.actions, episode.rewards)):
                raise DataError(f"Demonstration {number} holds NaN or infinite numbers.", next_step="Leave it out.")
            if np.abs(episode.actions).max() > 1.0 + 1e-6:
                raise DataError(f"Actions of demonstration {number} reach {np.abs(episode.actions).max():g}.",
                                valid="Each must be in [-1, 1]: the share of the bounds.")

    @property
    def sizes(self) -> tuple[int, int]:
        """Lengths S of a state and A of an action."""
        return self.episodes[0].states.shape[-1], self.episodes[0].actions.shape[-1]

    @property
    def returns(self) -> list[float]:
        """True return of each episode, without discount."""
        return [float(episode.rewards.sum()) for episode in self.episodes]

    def transitions(self) -> Transitions:
        """The steps of all episodes."""
        return Transitions(torch.cat([episode.transitions().rows for episode in self.episodes]), *self.sizes)

    def check(self, env: str, states: int, low: NDArray[np.floating], high: NDArray[np.floating]) -> None:
        """Checks that they fit an environment's sizes and bounds.

        Raises:
            DataError: they do not.
        """
        if self.sizes != (states, len(low)):
            raise DataError(f"The demonstrations of {self.env} have states and actions of {self.sizes} numbers.",
                            valid=f"{env} has {(states, len(low))}.", next_step="Give demonstrations of this environment.")
        if not (np.allclose(self.low, low) and np.allclose(self.high, high)):
            raise DataError(f"The demonstrations' actions have the bounds {_text(self.low)} to {_text(self.high)}.",
                            valid=f"{env} has {_text(low)} to {_text(high)}.",
                            next_step="An action would mean something else: give demonstrations with these bounds.")

    def to_bytes(self) -> bytes:
        """The content of the file."""
        of = self.episodes
        arrays = {name: np.concatenate([getattr(episode, name) for episode in of]) for name in ("states", "actions", "rewards")}
        arrays["lengths"] = np.array([len(episode.actions) for episode in of])
        arrays["terminated"] = np.array([episode.terminated for episode in of])
        arrays["seeds"] = np.array([episode.seed for episode in of])
        note = {"kind": KIND, "format": FORMAT, "env": self.env, "low": list(map(float, self.low)),
                "high": list(map(float, self.high))}
        return save(arrays, metadata={"rewardbot": json.dumps(note)})

    @staticmethod
    def read(path: Path) -> StateDemonstrations:
        """From a file.

        Raises:
            DataError: it is not there, damaged, or something else.
        """
        try:
            data = user_path(path).read_bytes()
            arrays = load(data)
            note = json.loads(json.loads(data[8 : 8 + int.from_bytes(data[:8], "little")])["__metadata__"]["rewardbot"])
            if (note["kind"], note["format"]) != (KIND, FORMAT):
                raise DataError(f"{path} holds {note['kind']}, format {note['format']}.", valid=f"{KIND}, format {FORMAT}.")
            return StateDemonstrations(note["env"], np.array(note["low"]), np.array(note["high"]), _episodes(arrays))
        except OSError as error:
            raise DataError(f"Cannot read {path}: {error.strerror}.") from None
        except (safetensors.SafetensorError, KeyError, ValueError, TypeError, IndexError) as error:
            raise DataError(f"{path} holds no {KIND} ({type(error).__name__}: {error}).",
                            next_step="rewardbot eval RUN --demos FILE makes such a file from a trained policy.") from None


def _episodes(arrays: dict[str, NDArray[np.generic]]) -> list[StateEpisode]:
    lengths = np.asarray(arrays["lengths"], np.int64)
    ends = np.concatenate([[0], np.cumsum(lengths)])
    if (lengths < 0).any() or len(arrays["states"]) != ends[-1] + len(lengths) or len(arrays["actions"]) != ends[-1]:
        raise ValueError(f"lengths {lengths.tolist()} for {len(arrays['states'])} states and {len(arrays['actions'])} actions")
    states, actions, rewards = (np.asarray(arrays[name], np.float32) for name in ("states", "actions", "rewards"))
    return [StateEpisode(states[first + n : last + n + 1], actions[first:last], rewards[first:last], bool(arrays["terminated"][n]),
                         int(arrays["seeds"][n])) for n, (first, last) in enumerate(pairwise(ends))]


def _text(bounds: ArrayLike) -> str:
    return "[" + ", ".join(f"{bound:g}" for bound in np.asarray(bounds)) + "]"


def draw(batch: Transitions, n: int, generator: torch.Generator, *, length: int = 1, lengths: Sequence[int] = ()) -> Transitions:
    """`n` steps, uniformly with replacement; or, in clips of `length` steps one after another, as many as make `n` or just less.

    Args:
        batch: the steps of episodes, one after another.
        lengths: steps of each episode, for clips. An episode that is shorter than a clip gives none.

    Raises:
        DataError: no episode is as long as a clip.
    """
    if length == 1:
        return Transitions(batch.rows[torch.randint(len(batch.rows), (n,), generator=generator)], batch.states, batch.actions)
    firsts = _clip_starts(lengths, length)
    if not len(firsts):
        raise DataError(f"No episode has {length} steps.", valid=f"The longest has {max(lengths, default=0)}.",
                        next_step="Weight shorter clips.")
    chosen = firsts[torch.randint(len(firsts), (max(1, n // length),), generator=generator)]
    rows = (chosen[:, None] + torch.arange(length)).flatten()
    return Transitions(batch.rows[rows], batch.states, batch.actions)


def _clip_starts(lengths: Sequence[int], length: int) -> Tensor:
    ends = np.cumsum([0, *lengths])
    return torch.cat([torch.zeros(0, dtype=torch.int64), *(torch.arange(first, max(first, last - length + 1))
                                                           for first, last in pairwise(ends.tolist()))])
