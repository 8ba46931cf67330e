"""Any robot as a gymnasium environment, and the simulated tasks under registered names: `rewardbot/Lift-v0` and so on.

    import gymnasium, rewardbot.robots.env
    env = gymnasium.make("rewardbot/Lift-v0")

The reward of the simulated tasks is their *true* success, 1 or 0. It is there for evaluation and for oracles; rewardbot's own
learner never sees it.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, cast

import gymnasium
import numpy as np
from gymnasium import spaces
from numpy.typing import NDArray

from rewardbot.errors import ConfigError
from rewardbot.robots.robot import Robot, load_contract
from rewardbot.robots.tasks import task_names
from rewardbot.types import PROPRIO_NAMES, Observation

REACH_M = 10.0
"""No tool is further from its base than this; the bounds of a tool position in the observation space [m]."""

EnvObservation = dict[str, NDArray[Any]]
"""Camera name -> image uint8 (H, W, 3), and "proprio" -> float32 (4,), see `PROPRIO_NAMES`."""


class RobotEnv(gymnasium.Env[EnvObservation, NDArray[np.float32]]):
    """A robot as an environment: one step is one control period, an episode is cut off (`truncated`) after `horizon` steps.

    Observations are `EnvObservation`, actions float32 (A,) in [-1, 1]. `info` holds "success" (bool, where it is known) and
    after a step "applied" (float32 (A,), the action after the safety limits).

    Args:
        robot: what to drive; the environment closes it.
        horizon: steps per episode.
        success: the true success at present, or None where nobody knows it, as on a real arm; the reward is then 0.
        render_mode: None or "rgb_array", the first camera's present image.

    Raises:
        ConfigError: a robot without cameras cannot be rendered; a horizon below 1.
    """

    metadata: dict[str, Any] = {"render_modes": ["rgb_array"], "render_fps": 10}  # noqa: RUF012 - gymnasium's own way

    def __init__(
        self, robot: Robot, *, horizon: int, success: Callable[[], bool] | None = None, render_mode: str | None = None
    ) -> None:
        contract = robot.contract
        if horizon < 1:
            raise ConfigError(f"The horizon is {horizon}.", valid="It must be at least 1 step.")
        if render_mode not in (None, "rgb_array") or (render_mode and not contract.cameras):
            raise ConfigError(f"Robot '{contract.name}' cannot be shown in render mode '{render_mode}'.",
                              valid="None, or 'rgb_array' for a robot with cameras.")
        self.robot, self.horizon, self.render_mode = robot, horizon, render_mode
        self.metadata = {**self.metadata, "render_fps": contract.control_hz}
        low, high = np.full(len(PROPRIO_NAMES), -REACH_M, np.float32), np.full(len(PROPRIO_NAMES), REACH_M, np.float32)
        low[-1], high[-1] = 0.0, 1.0  # the gripper
        images = {name: spaces.Box(0, 255, (camera.height, camera.width, 3), np.uint8)
                  for name, camera in contract.cameras.items()}
        space = spaces.Dict({**images, "proprio": spaces.Box(low, high)})
        self.observation_space = cast("spaces.Space[EnvObservation]", space)
        self.action_space = spaces.Box(-1.0, 1.0, (contract.action_dim,), np.float32)
        self._success, self._steps = success, 0
        self._image: NDArray[np.uint8] | None = None

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[EnvObservation, dict[str, Any]]:
        """Begins an episode.

        Args:
            seed: seed of this and all later start states, as gymnasium has it.
            options: {"start": n} begins from the robot's own start state n instead, see `Robot.reset`.
        """
        super().reset(seed=seed)
        drawn = int(self.np_random.integers(2**31 - 1))
        start = int((options or {}).get("start", drawn))
        self._steps = 0
        return self._take(self.robot.reset(start)), self._info()

    def step(self, action: NDArray[np.float32]) -> tuple[EnvObservation, float, bool, bool, dict[str, Any]]:
        """One control period. An episode never terminates, it is only cut off."""
        applied = self.robot.send(action)
        observation = self._take(self.robot.read())
        self._steps += 1
        info = {**self._info(), "applied": applied}
        return observation, float(info.get("success", False)), False, self._steps >= self.horizon, info

    def render(self) -> Any:
        """The first camera's latest image, uint8 (H, W, 3), in render mode "rgb_array"; otherwise None."""
        return self._image if self.render_mode == "rgb_array" else None

    def close(self) -> None:
        """Closes the robot. May be called twice."""
        self.robot.close()

    def _take(self, observation: Observation) -> EnvObservation:
        images: EnvObservation = {name: observation.images[name] for name in self.robot.contract.cameras}
        self._image = next(iter(images.values()), None)
        return {**images, "proprio": observation.proprio}

    def _info(self) -> dict[str, Any]:
        return {} if self._success is None else {"success": self._success()}


def make_task_env(task: str, *, robot: str = "sim_arm", render_mode: str | None = None) -> RobotEnv:
    """The environment of a simulated task; what `gymnasium.make("rewardbot/<Task>-v0")` calls.

    Args:
        task: task name.
        robot: name of the robot contract; its cameras and limits apply.
        render_mode: see `RobotEnv`.

    Raises:
        ConfigError: unknown task or robot.
        MissingSystemLibrary: nothing can be drawn here.
    """
    from rewardbot.robots.mujoco import MujocoRobot

    simulated = MujocoRobot(task, load_contract(robot))
    return RobotEnv(simulated, horizon=simulated.task.horizon, success=simulated.true_success, render_mode=render_mode)


def env_id(task: str) -> str:
    """The registered name of a task's environment: `rewardbot/PencilCase-v0` for `pencil_case`."""
    return f"rewardbot/{task.title().replace('_', '')}-v0"


def register_envs() -> None:
    """Makes the simulated tasks known to gymnasium; importing this module does it. May be called twice."""
    for task in task_names():
        if env_id(task) not in gymnasium.registry:
            gymnasium.register(env_id(task), entry_point=f"{__name__}:make_task_env", kwargs={"task": task})


register_envs()
