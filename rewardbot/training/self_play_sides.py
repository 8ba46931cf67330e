"""The world of asymmetric self-play as each of the two sees it: who sets goals, and who reaches them. See `self_play`."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Protocol, cast

import gymnasium
import numpy as np
from gymnasium import spaces
from numpy.typing import NDArray

from rewardbot.training.state_loop import Env, Spaces, vector

Points = NDArray[np.float64]

STOP = 0.8
"""The setter stops where its last action is above this: drawn uniformly, once in ten steps."""


class World(Protocol):
    """What a gymnasium environment has besides, to play in it: things at points, of which P matter, and where these should be.

    Attributes:
        points: where the things are, float64 (P, D).
        goal: where they should be, float64 (P, D); NaN where it does not matter. `reset` makes it the task's own.
    """

    @property
    def points(self) -> Points: ...

    goal: Points

    def aim(self, goal: Points) -> NDArray[np.float32]:
        """Sets the goal; the observation, which tells how far away it is."""
        ...

    def toward(self, seen: NDArray[np.float32], points: Points, goal: Points) -> NDArray[np.float32]:
        """What would have been observed instead of `seen`, with things at `points`, had that been the goal."""
        ...

    def shown(self, start: Points, points: Points) -> Points:
        """The goal that is set by having brought things from `start` to `points`."""
        ...

    def reached(self, points: Points, goal: Points) -> bool:
        """Whether things at `points` are near enough to a goal."""
        ...


@dataclass(frozen=True)
class Round:
    """What came of a round.

    Attributes:
        distance: from start to goal, of the thing that had furthest to go, in the world's unit.
        setter_steps, reacher_steps: t_A and t_B.
        reached: whether the reacher got there.
    """

    distance: float
    setter_steps: int
    reacher_steps: int
    reached: bool


def world_of(env: Env) -> World:
    """The world that an environment is, too."""
    return cast("World", env.unwrapped)


@dataclass(frozen=True)
class Place:
    """What was seen, where things were, and the action that led there."""

    seen: NDArray[np.float32]
    points: Points
    action: NDArray[np.float32]


@dataclass
class Side(gymnasium.Env[Any, Any]):
    """What both sides have.

    Attributes:
        env: the environment that is the `World`, too.
        together: T, steps that both have together.
        scale: gamma, worth of a step.
        came: where the present episode has come, its start first.
    """

    env: Env
    together: int
    scale: float
    world: World = field(init=False)
    sizes: Spaces = field(init=False)
    came: list[Place] = field(default_factory=list, init=False)

    def __post_init__(self) -> None:
        self.world, self.sizes = world_of(self.env), Spaces.of(self.env)
        self.observation_space = self.env.observation_space

    def start(self, state: NDArray[np.float32]) -> NDArray[np.float32]:
        """What is done from now on begins here."""
        self.came = [Place(vector(state), self.world.points, np.zeros(self.sizes.actions, np.float32))]
        return self.came[0].seen

    def go(self, action: NDArray[np.float32]) -> tuple[NDArray[np.float32], dict[str, Any]]:
        """A step of the world, with an action in [-1, 1]."""
        state, _, _, _, info = self.env.step(self.sizes.action(action))
        self.came.append(Place(vector(state), self.world.points, action))
        return vector(state), info


class Setting(Side):
    """The setter's side: its own episode, and in its last step one of the reacher's."""

    def __init__(self, env: Env, together: int, scale: float, reach: Callable[[int, Points, int], tuple[int, bool]]) -> None:
        super().__init__(env, together, scale)
        self.action_space = spaces.Box(-1.0, 1.0, (self.sizes.actions + 1,), np.float32)
        self._reach, self._seed, self._taken = reach, 0, 0
        self.goal = self.world.points
        self.told = Round(0.0, 0, 0, False)

    def reset(self, *, seed: int | None = None, options: dict[str, Any] | None = None) -> tuple[Any, dict[str, Any]]:
        self._seed, self._taken = int(seed or 0), 0
        self.env.reset(seed=self._seed)
        return self.start(self.world.aim(self.world.points)), {}

    def step(self, action: NDArray[np.float32]) -> tuple[Any, float, bool, bool, dict[str, Any]]:
        state, _ = self.go(action[:-1])
        self._taken += 1
        if action[-1] <= STOP and self._taken < self.together - 1:
            return state, 0.0, False, False, {}
        start = self.came[0].points
        goal = self.goal = self.world.shown(start, self.world.points)
        steps, there = 0, self.world.reached(start, goal)
        if not there:
            steps, there = self._reach(self._seed, goal, self.together - self._taken)
        far = float(np.nanmax(np.linalg.norm(goal - start, axis=-1)))
        self.told = Round(far, self._taken, steps, there)
        return state, self.scale * max(0, steps - self._taken), True, False, {}


class Reaching(Side):
    """The reacher's side; `begin` says where from and where to."""

    def __init__(self, env: Env, together: int, scale: float) -> None:
        super().__init__(env, together, scale)
        self.action_space = spaces.Box(-1.0, 1.0, (self.sizes.actions,), np.float32)
        self.begin(0, None, together)

    def begin(self, seed: int, goal: Points | None, left: int) -> None:
        """The next episode starts from `seed`, towards a goal (None: the task's own), with so many steps."""
        self._seed, self._goal, self._left, self.taken, self.there = seed, goal, left, 0, False

    def reset(self, *, seed: int | None = None, options: dict[str, Any] | None = None) -> tuple[Any, dict[str, Any]]:
        state, info = self.env.reset(seed=self._seed)
        return self.start(state if self._goal is None else self.world.aim(self._goal)), info

    def step(self, action: NDArray[np.float32]) -> tuple[Any, float, bool, bool, dict[str, Any]]:
        state, info = self.go(action)
        self.taken += 1
        self.there = self.world.reached(self.world.points, self.world.goal)
        return state, -self.scale, self.there, self.taken >= self._left, info
