"""A tiny world: a point on a line that should go to its right end. Good for learning in a second."""

from __future__ import annotations

from typing import Any

import gymnasium
import numpy as np
from gymnasium import spaces


class Point(gymnasium.Env[Any, Any]):
    """x' = x + 0.3 a in [-1, 1], a in [-1, 1]; the reward is x' - 1; ten steps."""

    def __init__(self, horizon: int = 10) -> None:
        self.observation_space, self.action_space = spaces.Box(-1.0, 1.0, (1,)), spaces.Box(-1.0, 1.0, (1,))
        self.horizon, self.at, self.time = horizon, 0.0, 0

    def reset(self, *, seed: int | None = None, options: dict[str, Any] | None = None) -> tuple[np.ndarray, dict[str, Any]]:
        super().reset(seed=seed)
        self.at, self.time = float(self.np_random.uniform(-1.0, 1.0)), 0
        return np.array([self.at], np.float32), {}

    def step(self, action: np.ndarray) -> tuple[np.ndarray, float, bool, bool, dict[str, Any]]:
        self.time += 1
        self.at = float(np.clip(self.at + 0.3 * action[0], -1.0, 1.0))
        return np.array([self.at], np.float32), self.at - 1.0, False, self.time >= self.horizon, {}
