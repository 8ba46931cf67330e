"""A simulated operator who watches a policy and takes over when it gets no further. He sees the true state, as a person would
see the robot; what leaves is his actions, the steps in which he acted, and his verdict on the episodes that he had a hand in.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from rewardbot.config import setting
from rewardbot.robots.demonstrators import ScriptedDemonstrator
from rewardbot.robots.hand import HESITATION, NOISE
from rewardbot.robots.mujoco import MujocoRobot

RISE = 0.005
"""Least rise of the progress that he notices."""


@dataclass(frozen=True)
class Patience:
    """When he takes over, and when he gives back. What he has brought to success he keeps, as one who then ends the episode."""

    steps: int = setting(5, "steps without progress after which he takes over", min=1)
    least: int = setting(5, "steps for which he then acts at least", min=1)
    rise: float = setting(0.5, "progress, as a share of the whole task, after which he gives back", min=0.0)


class WatchingOperator:
    """See the module. Ask `acts` once before each action; while it says yes, `act` is his.

    Args:
        robot: the simulated robot whose true state he sees.
        patience: see `Patience`.
        noise: tremor of his hand, see `ScriptedDemonstrator`.
        hesitation: of his hand [s], likewise.
        seed: of both.
    """

    def __init__(
        self, robot: MujocoRobot, patience: Patience | None = None, *, noise: float = NOISE, hesitation: float = HESITATION,
        seed: int = 0,
    ) -> None:
        self._robot, self._patience = robot, patience or Patience()
        self._hand = ScriptedDemonstrator(robot, noise=noise, hesitation=hesitation, seed=seed)
        self._acting, self._steps, self._reached = False, 0, 0.0

    def begin_episode(self, start: int) -> None:
        """The policy begins from the start state of seed `start`, after the robot's reset."""
        self._hand.begin_episode(start)
        self._let_go(self._robot.true_progress())

    def acts(self) -> bool:
        """Whether he acts in the step that comes now."""
        progress, patience = self._robot.true_progress(), self._patience
        if self._acting:
            if self._steps >= patience.least and self._reached + patience.rise <= progress < 1.0:
                self._let_go(progress)
        elif progress == 1.0 or progress > self._reached + RISE:
            self._let_go(progress)
        elif self._steps >= patience.steps:
            self._acting, self._steps, self._reached = True, 0, progress
        self._steps += 1
        return self._acting

    def act(self) -> NDArray[np.float32]:
        """His action, float32 (4,) in [-1, 1]."""
        return self._hand.act()

    def _let_go(self, progress: float) -> None:
        self._acting, self._steps, self._reached = False, 0, progress
