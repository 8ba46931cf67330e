"""The simulated tasks as gymnasium environments whose observation is the true state, a vector: `rewardbot/ReachState-v0` and so on.

Without cameras an episode takes a fraction of the time. What is learned here runs nowhere but here: a robot in a real cell does not
know where objects are. The environment's own reward is the true progress of the task, for evaluation and for simulated people.
"""

from __future__ import annotations

import itertools
import math
from typing import Any, cast

import gymnasium
import mujoco
import numpy as np
from gymnasium import spaces
from numpy.typing import NDArray

from rewardbot.robots.mujoco import START_TOOL, MujocoRobot
from rewardbot.robots.resimulation import STATE
from rewardbot.robots.robot import load_contract
from rewardbot.robots.tasks import task_names

UNIT_M = 0.1
"""Lengths in the observation are in decimetres, so that they are of about the size that networks expect."""

FAR = 6.0
"""No entry of an observation is larger, for nothing that matters is further away [UNIT_M]. What falls off the table falls for metres,
and a network that has learned from such numbers knows less of all others."""


class StateEnv(gymnasium.Env[NDArray[np.float32], NDArray[np.float32]]):
    """A simulated task from its state. An episode never terminates; it is cut off after the task's horizon.

    Observation, float32 (S,): tool position about its start and tool velocity [dm, dm/s]; gripper opening, 0 to 1; for each free
    object its position from the tool [dm] and quaternion; opening of each drawer [dm]; for each fixed object its position from the
    tool [dm]; how far apart tool, free objects, fixed objects and the goal that is painted on the table are, each pair of them [dm].
    Actions are the robot contract's, float32 (A,) in [-1, 1].

    Reward of a step: the progress that it led to, 0 to 1, and 1 where the goal holds. `info` holds "success" (bool).

    Args:
        task: task name.
        robot: name of the robot contract.

    Raises:
        ConfigError: unknown task or robot.
    """

    metadata: dict[str, Any] = {"render_modes": []}  # noqa: RUF012 - gymnasium's own way

    def __init__(self, task: str, *, robot: str = "sim_arm") -> None:
        self.robot = MujocoRobot(task, load_contract(robot), render=False)
        model, contract = self.robot.model, self.robot.contract
        ours = {*contract.joint_names, contract.gripper_joint, "finger_joint2"}
        joints = [joint for joint in map(model.joint, range(model.njnt)) if joint.name not in ours]
        self._free = [int(joint.qposadr[0]) for joint in joints if len(joint.qpos0) == 7]
        self._slides = [int(joint.qposadr[0]) for joint in joints if len(joint.qpos0) == 1]
        self._before, self._steps = self.robot.tool, 0
        self._goals = [index for index in range(model.ngeom) if model.geom(index).name == "goal"]
        things = 1 + len(self._free) + model.nmocap + len(self._goals)
        size = 7 + 7 * len(self._free) + len(self._slides) + 3 * model.nmocap + math.comb(things, 2)
        self.observation_space = spaces.Box(-FAR, FAR, (size,), np.float32)
        self.action_space = cast("spaces.Space[NDArray[np.float32]]", spaces.Box(-1.0, 1.0, (contract.action_dim,), np.float32))

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[NDArray[np.float32], dict[str, Any]]:
        """Begins an episode; see `RobotEnv.reset`."""
        super().reset(seed=seed)
        drawn = int(self.np_random.integers(2**31 - 1))
        self.robot.reset(int((options or {}).get("start", drawn)))
        self._before, self._steps = self.robot.tool, 0
        return self._state(), {"success": self.robot.true_success()}

    def step(self, action: NDArray[np.float32]) -> tuple[NDArray[np.float32], float, bool, bool, dict[str, Any]]:
        """One control period."""
        self._before = self.robot.tool
        self.robot.send(action)
        self._steps += 1
        done = {"success": self.robot.true_success()}
        return self._state(), self.robot.true_progress(), False, self._steps >= self.robot.task.horizon, done

    def close(self) -> None:
        """Closes the robot. May be called twice."""
        self.robot.close()

    def seen(self, states: NDArray[np.float64]) -> NDArray[np.float32]:
        """What would have been observed of an episode, (T + 1, S), from MuJoCo's states of it, see `Resimulation`; ends the present
        one.
        """
        found, robot = list[NDArray[np.float32]](), self.robot
        for state in states:
            before = robot.tool
            mujoco.mj_setState(robot.model, robot.data, state, STATE)
            mujoco.mj_forward(robot.model, robot.data)
            self._before = before if found else robot.tool
            found.append(self._state())
        return np.stack(found)

    def _state(self) -> NDArray[np.float32]:
        robot, data = self.robot, self.robot.data
        tool = robot.tool
        parts = [(tool - START_TOOL) / UNIT_M, (tool - self._before) / robot.period / UNIT_M, [robot.gripper]]
        for start in self._free:
            parts += [(data.qpos[start : start + 3] - tool) / UNIT_M, data.qpos[start + 3 : start + 7]]
        parts += [[data.qpos[start] / UNIT_M] for start in self._slides]
        parts += [(position - tool) / UNIT_M for position in data.mocap_pos]
        # Most of what people want is that things come together. A reward that was told little finds the place of that in lengths:
        # from positions alone, what 100 answers told was best was 15 cm beside the ball.
        things = [tool, *(data.qpos[start : start + 3] for start in self._free), *data.mocap_pos, *data.geom_xpos[self._goals]]
        parts.append([np.linalg.norm(one - other) / UNIT_M for one, other in itertools.combinations(things, 2)])
        return np.clip(np.concatenate(parts), -FAR, FAR).astype(np.float32)


def state_env_id(task: str) -> str:
    """The registered name of a task's environment: `rewardbot/PencilCaseState-v0` for `pencil_case`."""
    return f"rewardbot/{task.title().replace('_', '')}State-v0"


def register_state_envs() -> None:
    """Makes them known to gymnasium; importing this module does it. May be called twice."""
    for task in task_names():
        if state_env_id(task) not in gymnasium.registry:
            gymnasium.register(state_env_id(task), entry_point=f"{__name__}:StateEnv", kwargs={"task": task})


register_state_envs()
