"""Play: the robot moves about at random, so that there is something to learn to see from before anything else is known."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

CORRELATION = 0.3
"""Of a motion with the one before; without any the robot would only tremble."""

SPREAD = 0.8


class RandomPlay:
    """tanh(z), z_t = c z_{t-1} + sqrt(1 - c^2) s eps: full motions are as frequent as small ones.

    Args:
        actions: length A of an action.
    """

    def __init__(self, actions: int) -> None:
        self._motion = np.zeros(actions)
        self._rng = np.random.default_rng(0)

    def begin_episode(self, start: int) -> None:
        """Begins an episode anew; its motions are drawn from the seed of its start state."""
        self._rng = np.random.default_rng([start, 1])  # apart from what drew the start state itself
        self._motion[:] = 0.0

    def act(self) -> NDArray[np.float32]:
        """The next action, float32 (A,) in [-1, 1]."""
        fresh = self._rng.normal(scale=SPREAD * np.sqrt(1.0 - CORRELATION**2), size=self._motion.shape)
        self._motion = CORRELATION * self._motion + fresh
        return np.tanh(self._motion).astype(np.float32)
