"""A point that is to stand at 0.5, and who takes it there."""

from __future__ import annotations

from typing import Any

import gymnasium
import numpy as np
from gymnasium import spaces
from numpy.typing import NDArray

GOAL = 0.5


class GoingPoint(gymnasium.Env[NDArray[np.float32], NDArray[np.float32]]):
    """x <- x + 0.2 a, from anywhere in [-1, 1], 20 steps; its true reward is -|x - 0.5|. With `edge` an episode ends beyond it."""

    def __init__(self, edge: float = np.inf, scale: float = 1.0) -> None:
        self.observation_space = spaces.Box(-9.0, 9.0, (1,), np.float32)
        self.action_space = spaces.Box(-scale, scale, (1,), np.float32)
        self.edge, self.scale, self.x, self.steps = edge, scale, 0.0, 0

    def reset(self, *, seed: int | None = None, options: dict[str, Any] | None = None) -> tuple[NDArray[np.float32], dict[str, Any]]:
        super().reset(seed=seed)
        self.x, self.steps = float(self.np_random.uniform(-1.0, 1.0)), 0
        return np.array([self.x], np.float32), {}

    def step(self, action: NDArray[np.float32]) -> tuple[NDArray[np.float32], float, bool, bool, dict[str, Any]]:
        self.x += 0.2 * float(action[0]) / self.scale
        self.steps += 1
        return np.array([self.x], np.float32), -abs(self.x - GOAL), abs(self.x) > self.edge, self.steps >= 20, {}


def go(state: NDArray[np.float32], to: float = GOAL) -> NDArray[np.float32]:
    """The expert, or somebody who wants to be elsewhere."""
    return np.clip(5.0 * (to - state), -1.0, 1.0)
