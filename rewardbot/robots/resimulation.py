"""Recorded episodes of the simulated cell, simulated again: the true state at each observation, from the start seed and the actions
that were applied. In lockstep it is the very state that was recorded. For who judges in an operator's stead, and to look at an
episode from elsewhere; never for a learner.
"""

from __future__ import annotations

from dataclasses import dataclass

import mujoco
import numpy as np
from numpy.typing import ArrayLike, NDArray

from rewardbot.errors import DataError
from rewardbot.robots.mujoco import MujocoRobot
from rewardbot.robots.robot import RobotContract
from rewardbot.robots.safety import SafetyLimits
from rewardbot.types import Episode

TOLERANCE = 1e-3
"""How far proprioception may be from the recorded one: another processor rounds otherwise [m; share of the gripper's opening]."""

STATE = mujoco.mjtState.mjSTATE_INTEGRATION


@dataclass(frozen=True)
class Resimulation:
    """The truth about an episode of T steps.

    Attributes:
        states: all of MuJoCo's state at each observation, float64 (T + 1, S), for `Resimulator.show`.
        progress: how far the task had come, float64 (T + 1,), 0 to 1; 1 where its goal held.
        success: whether the goal held, bool (T + 1,).
        error: largest distance from the recorded proprioception; 0 in lockstep on the machine of the recording.
    """

    states: NDArray[np.float64]
    progress: NDArray[np.float64]
    success: NDArray[np.bool_]
    error: float

    @property
    def rewards(self) -> NDArray[np.float64]:
        """True reward of each step: the progress that it led to, (T,)."""
        return self.progress[1:]


class Resimulator:
    """Simulates episodes of one task again.

    Args:
        task: simulated task.
        contract: of the recording.
        render: cameras are drawn by `show`; this needs OpenGL.

    Raises:
        ConfigError: unknown task.
        MissingSystemLibrary: with `render`, nothing can be drawn here.
    """

    def __init__(self, task: str, contract: RobotContract, *, render: bool = False) -> None:
        self.task = task
        self.robot = MujocoRobot(task, contract, render=render)
        self.robot.safety = _PassedBefore(contract)

    def run(self, episode: Episode) -> Resimulation:
        """The truth about `episode`, whose images may be left out.

        Raises:
            DataError: it is of another task, has no start seed, or does not go as it was recorded.
            RobotError: the physics became unstable.
        """
        info, robot = episode.info, self.robot
        if info.task != self.task or info.seed is None:
            of = f"of task '{info.task}'" if info.task != self.task else "without a start seed"
            raise DataError(f"Episode {info.id}, {of}, cannot be simulated again.", valid=f"A simulated episode of '{self.task}'.")
        observed = [robot.reset(info.seed)]
        states, progress, success = [self._state()], [robot.true_progress()], [robot.true_success()]
        for applied in episode.applied:
            robot.send(applied)
            observed.append(robot.read())
            states.append(self._state())
            progress.append(robot.true_progress())
            success.append(robot.true_success())
        away = np.abs(np.stack([one.proprio for one in observed]) - episode.proprio).max(axis=-1)
        if not away.max() <= TOLERANCE:
            step = int(np.argmax(~(away <= TOLERANCE)))
            raise DataError(f"Episode {info.id} goes otherwise when simulated again: the tool is elsewhere from step {step} on.",
                            valid="An episode of the simulator in lockstep; in real time it may have moved before the first step.",
                            next_step="Record with lockstep:=true, or ask a person about it.")
        return Resimulation(np.stack(states), np.array(progress), np.array(success), float(away.max()))

    def show(self, state: NDArray[np.float64]) -> None:
        """Brings the robot into one of a resimulation's states (S,): `robot.data` and `robot.read` are then of that moment."""
        mujoco.mj_setState(self.robot.model, self.robot.data, state, STATE)
        mujoco.mj_forward(self.robot.model, self.robot.data)

    def close(self) -> None:
        """Frees the renderers."""
        self.robot.close()

    def _state(self) -> NDArray[np.float64]:
        state = np.empty(mujoco.mj_stateSize(self.robot.model, STATE))
        mujoco.mj_getState(self.robot.model, self.robot.data, state, STATE)
        return state


class _PassedBefore(SafetyLimits):
    """The limits have dealt with these actions already, and would change the last bit of some of them."""

    def filter_action(self, asked: ArrayLike, tool_position: ArrayLike) -> NDArray[np.float32]:
        """`asked`, as it is."""
        return np.asarray(asked, np.float32)
