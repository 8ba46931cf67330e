"""The scripted demonstrator: an operator's stand-in for the simulator. It sees the true state; what it does is all that leaves."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from rewardbot.robots.mujoco import MujocoRobot


class ScriptedDemonstrator:
    """Follows the task's script with a hand that trembles.

    Args:
        robot: the simulated robot whose true state it sees.
        noise: standard deviation of the hand's error, as a share of a full action. The error is correlated over about
            three steps, as a person's is.
        seed: seed of the noise, together with the start state of each episode: whatever was done before, the same
            operator does the same from the same start.
    """

    CORRELATION = 0.6

    def __init__(self, robot: MujocoRobot, *, noise: float = 0.2, seed: int = 0) -> None:
        self._robot, self._noise, self._seed = robot, noise, seed
        self.begin_episode(0)

    def begin_episode(self, start: int) -> None:
        """Begins from the start state of seed `start`, with a steady hand."""
        # The start state itself is drawn with `start` alone. A spawn key makes another stream of it, whatever the seeds are.
        self._rng = np.random.default_rng(np.random.SeedSequence(start, spawn_key=(self._seed,)))
        self._error = np.zeros(3)

    def act(self) -> NDArray[np.float32]:
        """The next action, float32 (4,) in [-1, 1]."""
        robot = self._robot
        tool = robot.tool
        intent = robot.task.intent(robot.model, robot.data, tool, robot.gripper)
        fresh = self._rng.normal(scale=self._noise * np.sqrt(1.0 - self.CORRELATION**2), size=3)
        self._error = self.CORRELATION * self._error + fresh
        motion = (intent.tool - tool) / robot.contract.action_scale
        motion /= max(1.0, float(np.abs(motion).max()))  # a straight line, at full speed when far
        return np.clip([*(motion + self._error), intent.gripper], -1.0, 1.0).astype(np.float32)
