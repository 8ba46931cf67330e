"""Asymmetric self-play: one policy sets goals and another reaches them, so that a world is explored without any reward of its own.

Sukhbaatar et al. 2018, Intrinsic Motivation and Automatic Curricula via Asymmetric Self-Play. The setter acts from the start for t_A
steps and stops; the reacher begins at the same start and tries to come where it stopped, in t_B steps. Of T steps that both have
together, t_B is all that are left when it does not get there.

    R_A = gamma max(0, t_B - t_A)        R_B = -gamma t_B

The setter is paid for what takes the reacher longer than itself, so that goals are as near as they can be and yet not reached, and go
further away as the reacher learns. Afterwards the reacher's policy knows the world, and a task in it is learned in fewer episodes.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Protocol

import numpy as np
import torch
from numpy.typing import NDArray

from rewardbot.config import setting
from rewardbot.data.transitions import Transitions
from rewardbot.errors import ConfigError
from rewardbot.policies.ppo import PPO, PPOConfig

Array = NDArray[np.float32]


class World(Protocol):
    """Many independent copies of a world at once, whose state is a vector.

    Attributes:
        states, actions: lengths S and A.
    """

    states: int
    actions: int

    def starts(self, n: int, rng: np.random.Generator) -> Array:
        """Start states, (n, S)."""
        ...

    def step(self, state: Array, action: Array) -> Array:
        """What actions in [-1, 1], (n, A), make of states, (n, S)."""
        ...

    def reached(self, state: Array, goal: Array) -> NDArray[np.bool_]:
        """Whether states are where goals are, (n,)."""
        ...


@dataclass(frozen=True)
class SelfPlayConfig:
    """Hyper-parameters."""

    steps: int = setting(40, "T, steps that setter and reacher have together", min=2)
    scale: float = setting(0.05, "gamma, worth of a step", min=0.0)
    episodes: int = setting(64, "episodes for each update", min=1)
    ppo: PPOConfig = setting(PPOConfig(rate=1e-3, epochs=5, batch=256, discount=1.0, entropy=0.01), "of both policies")


@dataclass
class Played:
    """Steps of many episodes of one policy, as they are taken side by side.

    Attributes:
        count: steps of each episode so far, int (n,).
    """

    states: int
    actions: int
    count: NDArray[np.int64]
    rows: list[list[Array]] = field(default_factory=list)

    def add(self, going: NDArray[np.int64], state: Array, action: Array, after: Array) -> None:
        """A step of the episodes `going`."""
        self.rows = self.rows or [[] for _ in self.count]
        rest = np.array([0.0, 1.0], np.float32)
        for episode, *parts in zip(going, state, action, after, strict=True):
            self.rows[episode].append(np.concatenate([parts[0], parts[1], rest, parts[2]]))
        self.count[going] += 1

    def batch(self, each: float, at_end: Array, ended: NDArray[np.bool_]) -> tuple[Transitions, torch.Tensor]:
        """All steps, episodes one after another, and which are the last; the reward is `each`, and `at_end` (n,) more for the last.

        Args:
            ended: whether nothing follows an episode, (n,).
        """
        rows = torch.from_numpy(np.stack([row for episode in self.rows for row in episode]))
        last = torch.zeros(len(rows), dtype=torch.bool)
        last[np.cumsum(self.count[self.count > 0]) - 1] = True
        found, there = Transitions(rows, self.states, self.actions), self.count > 0
        found.reward.fill_(each)
        found.reward[last] += torch.from_numpy(at_end[there])
        found.continues[last] = 1.0 - torch.from_numpy(ended[there]).float()
        return found, last


class SelfPlay:
    """See the module.

    Args:
        world: see `World`.
        config: see `SelfPlayConfig`.
        seed: of everything.

    Attributes:
        setter, reacher: their policies. The setter sees state and start, and its last action stops it where it is above 0; the
            reacher sees state and goal.
        episodes: of the reacher.
    """

    def __init__(self, world: World, config: SelfPlayConfig, *, seed: int = 0) -> None:
        self.world, self.config = world, config
        self.rng = np.random.default_rng(seed)
        self.setter = PPO(config.ppo, 2 * world.states, world.actions + 1, seed=2 * seed)
        self.reacher = PPO(config.ppo, 2 * world.states, world.actions, seed=2 * seed + 1)
        self.episodes = 0

    def round(self) -> dict[str, float]:
        """Some episodes of both, and an update of both.

        Returns:
            `distance` from start to goal on average, `setter_steps`, `reacher_steps`, and the share of goals that were `reached`.
        """
        start = self.world.starts(self.config.episodes, self.rng)
        goal, taken, set_ = self._set(start)
        left = self.config.steps - taken
        steps, reached, played = self._reach(start, goal, left)
        gain = self.config.scale * np.maximum(0, steps - taken)
        self.setter.update(*set_.batch(0.0, gain.astype(np.float32), np.ones(len(start), bool)))
        self._learn(played, reached)
        return {"distance": float(np.linalg.norm(goal - start, axis=1).mean()), "setter_steps": float(taken.mean()),
                "reacher_steps": float(steps.mean()), "reached": float(reached.mean())}

    def practise(self, goals: Array) -> float:
        """Episodes of the reacher alone towards given goals, (n, S), with all T steps, and its update; the share that was reached."""
        start = self.world.starts(len(goals), self.rng)
        _, reached, played = self._reach(start, goals, np.full(len(goals), self.config.steps))
        self._learn(played, reached)
        return float(reached.mean())

    def _set(self, start: Array) -> tuple[Array, NDArray[np.int64], Played]:
        """Where the setter stops, and after how many steps. It does one at least, and leaves the reacher one."""
        played = Played(2 * self.world.states, self.world.actions + 1, np.zeros(len(start), np.int64))
        state, going = start.copy(), np.arange(len(start))
        for _ in range(self.config.steps - 1):
            seen = np.concatenate([state[going], start[going]], axis=1)
            action = _sample(self.setter, seen)
            state[going] = self.world.step(state[going], action[:, :-1])
            played.add(going, seen, action, np.concatenate([state[going], start[going]], axis=1))
            going = going[action[:, -1] <= 0.0]
            if not len(going):
                break
        return state, played.count.copy(), played

    def _reach(self, start: Array, goal: Array, left: NDArray[np.int64]) -> tuple[NDArray[np.int64], NDArray[np.bool_], Played]:
        """Steps that the reacher took, at most `left` (n,), and whether it got there."""
        played = Played(2 * self.world.states, self.world.actions, np.zeros(len(start), np.int64))
        state, reached = start.copy(), self.world.reached(start, goal)
        while len(going := np.flatnonzero(~reached & (played.count < left))):
            seen = np.concatenate([state[going], goal[going]], axis=1)
            action = _sample(self.reacher, seen)
            state[going] = self.world.step(state[going], action)
            played.add(going, seen, action, np.concatenate([state[going], goal[going]], axis=1))
            reached[going] = self.world.reached(state[going], goal[going])
        self.episodes += len(start)
        return played.count, reached, played

    def _learn(self, played: Played, reached: NDArray[np.bool_]) -> None:
        """R_B = -gamma t_B, step by step. What is cut off goes on."""
        if played.count.any():
            self.reacher.update(*played.batch(-self.config.scale, np.zeros(len(reached), np.float32), reached))


def episodes_until(player: SelfPlay, goals: Array, enough: float, most: int) -> int:
    """Episodes of practice until the share `enough` of goals, (n, S), is reached; `most` if it never is.

    Raises:
        ConfigError: no goals.
    """
    if not len(goals):
        raise ConfigError("There are no goals to practise.", next_step="Give at least one.")
    before = player.episodes
    while player.episodes - before < most:
        if player.practise(goals) >= enough:
            return player.episodes - before
    return most


@torch.no_grad()
def _sample(agent: PPO, seen: Array) -> Array:
    return agent.actor.sample(torch.from_numpy(seen))[0].numpy()
