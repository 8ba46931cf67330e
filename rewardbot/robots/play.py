"""Play: the robot moves about at random, so that there is something to learn to see from before anything else is known."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from rewardbot.robots.robot import RobotContract

ALONG_FLOOR = 0.75
"""Share of episodes that stay just above the floor of the workspace, where the things lie. In the whole space hardly one in ten
touches anything, and who never touched a thing does not learn that touching matters."""

FLOOR = 0.03
"""How far above it they stay [m]."""

NEAR = 0.04
"""From a place at which it counts as reached [m]."""

CORRELATION = 0.6
SPREAD = 0.2
"""Of the tremor about each way: of one step with the next, and as a share of a full action."""


class RandomPlay:
    """Straight ways to random places of the workspace, one after the other, at full speed and with a tremor; at each the gripper
    opens or closes.

    Args:
        contract: of the robot.
    """

    def __init__(self, contract: RobotContract) -> None:
        self._low, self._high = (np.array(corner) for corner in (contract.limits.workspace_low, contract.limits.workspace_high))
        self._scale = contract.action_scale
        self.begin_episode(0)

    def begin_episode(self, start: int) -> None:
        """Begins an episode anew; its motions are drawn from the seed of its start state."""
        self._rng = np.random.default_rng([start, 1])  # apart from what drew the start state itself
        self._top = self._high.copy()
        if self._rng.random() < ALONG_FLOOR:
            self._top[2] = min(self._low[2] + FLOOR, self._high[2])
        self._error = np.zeros(3)
        self._next()

    def _next(self) -> None:
        self._place, self._grip = self._rng.uniform(self._low, self._top), self._rng.choice([-1.0, 1.0])

    def act(self, tool: NDArray[np.floating]) -> NDArray[np.float32]:
        """The next action from where the tool is, (3,) [m, base frame]; float32 (4,) in [-1, 1]."""
        if np.linalg.norm(self._place - tool) < NEAR:
            self._next()
        return self._towards(self._place, tool)

    def _towards(self, place: NDArray[np.floating], tool: NDArray[np.floating]) -> NDArray[np.float32]:
        way = (place - tool) / self._scale
        way /= max(1.0, float(np.abs(way).max()))
        fresh = self._rng.normal(scale=SPREAD * np.sqrt(1.0 - CORRELATION**2), size=3)
        self._error = CORRELATION * self._error + fresh
        return np.clip([*(way + self._error), self._grip], -1.0, 1.0).astype(np.float32)


class AimedPlay(RandomPlay):
    """The same, once it is known where a thing lies: straight ways across that place or up to it, just above the floor and in all
    directions, so that the thing goes everywhere (Agrawal et al. 2016, Learning to Poke by Poking).

    Args:
        low, high: corners of the workspace, (3,) [m].
        scale: of an action [m].
    """

    BESIDE = 0.13
    """How far beside the thing such a way begins and ends [m]."""

    HIGHEST = 0.08
    """Above the floor [m]: most ways are low, but it must be known, too, what passes over the thing."""

    LONGEST = 14
    """Steps after which a way that cannot be ended is left."""

    def __init__(self, low: Sequence[float], high: Sequence[float], scale: float) -> None:
        self._low, self._high, self._scale = np.array(low), np.array(high), scale
        self.begin_episode(0)

    def begin_episode(self, start: int) -> None:
        """See `RandomPlay`."""
        super().begin_episode(start)
        self._across, self._left = True, 0  # the next way leads to where one across begins

    def aim(self, tool: NDArray[np.floating], thing: NDArray[np.floating]) -> NDArray[np.float32]:
        """As `act`, with the place where the thing lies, (2,) [m, base frame]."""
        if self._left <= 0 or np.linalg.norm(self._place - tool) < NEAR:
            self._across, self._left = not self._across, self.LONGEST
            if not self._across:
                angle = self._rng.uniform(0.0, 2.0 * np.pi)
                self._way = self.BESIDE * np.array([np.cos(angle), np.sin(angle)])
                self._floor = self._low[2] + self.HIGHEST * self._rng.uniform() ** 3
            end = thing + self._rng.uniform(-0.2, 1.0) * self._way if self._across else thing - self._way
            self._place, self._grip = np.clip([*end, self._floor], self._low, self._high), self._rng.choice([-1.0, 1.0])
        self._left -= 1
        return self._towards(self._place, tool)
