"""The scripted demonstrator: an operator's stand-in for the simulator. It sees the true state; what it does is all that leaves."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from rewardbot.robots.hand import HESITATION, NOISE
from rewardbot.robots.mujoco import MujocoRobot
from rewardbot.robots.tasks.task import Intent


class ScriptedDemonstrator:
    """Follows the task's script with a hand that trembles, and that hesitates before it grasps and before it lets go.

    Args:
        robot: the simulated robot whose true state it sees.
        noise: standard deviation of the hand's error, as a share of a full action. The error is correlated over about
            three steps, as a person's is.
        hesitation: mean time for which the hand stays as and where it is before it closes or opens [s], drawn each time
            (geometrically, in control periods). A person looks whether the hand is where it should be, and takes a sixth of a
            second to act on it. It is what makes imitation hard: what is seen most often where the hand should close is a hand
            that does not (Mandlekar et al. 2021, "What Matters in Learning from Offline Human Demonstrations").
        seed: seed of the noise and the hesitation, together with the start state of each episode: whatever was done before, the same
            operator does the same from the same start.
    """

    CORRELATION = 0.6

    def __init__(self, robot: MujocoRobot, *, noise: float = NOISE, hesitation: float = HESITATION, seed: int = 0) -> None:
        self._robot, self._noise, self._seed = robot, noise, seed
        self._hesitation = hesitation * robot.contract.control_hz
        self.begin_episode(0)

    def begin_episode(self, start: int) -> None:
        """Begins from the start state of seed `start`, with a steady hand."""
        # The start state itself is drawn with `start` alone. A spawn key makes another stream of it, whatever the seeds are.
        self._rng = np.random.default_rng(np.random.SeedSequence(start, spawn_key=(self._seed,)))
        self._error = np.zeros(3)
        self._settled: Intent | None = None  # what was last meant without hesitating
        self._left: int | None = None  # periods of the present hesitation

    def act(self) -> NDArray[np.float32]:
        """The next action, float32 (4,) in [-1, 1]."""
        robot = self._robot
        tool = robot.tool
        intent = self._hesitating(robot.task.intent(robot.model, robot.data, tool, robot.gripper))
        fresh = self._rng.normal(scale=self._noise * np.sqrt(1.0 - self.CORRELATION**2), size=3)
        self._error = self.CORRELATION * self._error + fresh
        motion = (intent.tool - tool) / robot.contract.action_scale
        motion /= max(1.0, float(np.abs(motion).max()))  # a straight line, at full speed when far
        return np.clip([*(motion + self._error), intent.gripper], -1.0, 1.0).astype(np.float32)

    def _hesitating(self, intent: Intent) -> Intent:
        """What is done about an intent now: nothing yet, if it is another one for the gripper and the hand hesitates."""
        before = self._settled
        if before is not None and intent.gripper != before.gripper:
            if self._left is None:
                self._left = int(self._rng.geometric(1.0 / (1.0 + self._hesitation))) - 1 if self._hesitation > 0 else 0
            if self._left > 0:
                self._left -= 1
                return before
        self._settled, self._left = intent, None
        return intent
