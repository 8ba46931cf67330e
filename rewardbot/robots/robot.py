"""The contract that every arm fulfils, simulated or real, and its description that recording, learning and deployment read."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from rewardbot.config import from_mapping, names_in, read_yaml, setting, share_path, user_path
from rewardbot.errors import unknown_name
from rewardbot.types import Observation


@dataclass(frozen=True)
class CameraContract:
    """One camera: image size [px]."""

    width: int = setting(64, "image width [px]", min=8, max=4096)
    height: int = setting(64, "image height [px]", min=8, max=4096)


@dataclass(frozen=True)
class RobotLimits:
    """What nothing may exceed, in the base frame. See `safety.py`."""

    workspace_low: tuple[float, float, float] = setting((0.3, -0.3, 0.0), "lower corner of the tool's box [m]")
    workspace_high: tuple[float, float, float] = setting((0.7, 0.3, 0.5), "upper corner of the tool's box [m]")
    position_low: tuple[float, ...] = setting((), "lower joint limits [rad]")
    position_high: tuple[float, ...] = setting((), "upper joint limits [rad]")
    velocity: tuple[float, ...] = setting((), "joint speed limits [rad/s]")
    acceleration: tuple[float, ...] = setting((), "joint acceleration limits [rad/s^2]")
    stale_s: float = setting(0.5, "age from which a command is refused and the arm holds [s]", min=0.0)


@dataclass(frozen=True)
class RobotContract:
    """One YAML file per robot (`config/robots/<name>.yaml`), read by recording, learning, conversion and deployment alike.

    An action is a vector in [-1, 1]^A: x, y, z move the tool by `action_scale` metres per control period in the base frame,
    gripper below 0 closes, above 0 opens, and 0 leaves it.
    """

    name: str = setting("sim_arm", "name of the robot")
    joint_names: tuple[str, ...] = setting(tuple(f"arm_joint{i}" for i in range(1, 8)), "arm joints, base to tool")
    gripper_joint: str = setting("finger_joint1", "the joint that tells the gripper's opening")
    gripper_open: float = setting(0.04, "position of the gripper joint when fully open [m]", min=1e-6)
    base_frame: str = setting("base_link", "frame of tool poses and commands (REP 105)")
    tool_frame: str = setting("tool0", "frame of the tool centre point")
    control_hz: float = setting(10.0, "rate of actions [Hz]", min=0.1, max=1000.0)
    action_names: tuple[str, ...] = setting(("x", "y", "z", "gripper"), "names of the action's entries")
    action_scale: float = setting(0.05, "tool motion of a full action in one control period [m]", min=1e-4, max=0.2)
    cameras: dict[str, CameraContract] = setting(None, "camera name -> image size")
    limits: RobotLimits = setting(RobotLimits(), "safety limits")

    @property
    def action_dim(self) -> int:
        """Number of entries of an action."""
        return len(self.action_names)


def load_contract(name: str = "sim_arm") -> RobotContract:
    """The contract in `config/robots/<name>.yaml`, or in a file of the user's if `name` ends in `.yaml`.

    Raises:
        ConfigError: unknown robot (lists the valid ones), no such file, or a wrong key, type or value in it.
    """
    if name.endswith(".yaml"):
        path = user_path(name)
    elif name in names_in("robots"):
        path = share_path(f"config/robots/{name}.yaml")
    else:
        raise unknown_name("robot", name, names_in("robots"))
    return from_mapping(RobotContract, read_yaml(path), where=path.name)


class Robot(ABC):
    """An arm with cameras. `MujocoRobot` is one."""

    contract: RobotContract

    @abstractmethod
    def reset(self, seed: int | None = None) -> Observation:
        """Goes to the start pose, with a start state drawn from `seed` where there is a choice, and observes."""

    @abstractmethod
    def read(self) -> Observation:
        """The present observation."""

    @abstractmethod
    def send(self, action: NDArray[np.floating]) -> NDArray[np.float32]:
        """Asks for `action`, float (A,) in [-1, 1]; returns what was applied after the limits, float32 (A,).

        The next `read` observes one control period later.
        """

    @abstractmethod
    def stop(self) -> None:
        """Holds the present position now. Latched: until `clear_stop` nothing moves and `reset` is refused."""

    @abstractmethod
    def clear_stop(self) -> None:
        """Releases the latch of `stop` and of the watchdog. Only ever called because a person asked for it."""

    @abstractmethod
    def close(self) -> None:
        """Frees windows, devices and contexts. May be called twice."""


