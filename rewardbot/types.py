"""The words of rewardbot as data, with shapes, dtypes and units. numpy only; tensors begin in `Batch`'s users.

Frames: everything Cartesian is in the robot's base frame (REP 103: x forward, y left, z up, metres, radians).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

Metrics = dict[str, float]
"""Scalar diagnostics by name."""

Source = Literal["demonstration", "play", "policy", "evaluation", "intervention"]
"""Who chose the actions of an episode; play is random motion. Learners train on all of them except `evaluation`."""

PROPRIO_NAMES = ("tool_x", "tool_y", "tool_z", "gripper")
"""What `Observation.proprio` holds: tool position [m] and gripper opening as a share of fully open [0, 1]."""


@dataclass(frozen=True)
class Observation:
    """What the robot perceives at one instant.

    Attributes:
        stamp: time of the robot's clock [s].
        images: camera name -> RGB image, uint8 (H, W, 3).
        joint_positions: arm joints in the order of the robot contract, float64 (J,) [rad].
        joint_velocities: float64 (J,) [rad/s].
        tool_pose: position [m] and orientation quaternion (w, x, y, z) of the tool centre point, float64 (7,).
        gripper: opening as a share of fully open, 0 closed to 1 open.
    """

    stamp: float
    images: Mapping[str, NDArray[np.uint8]]
    joint_positions: NDArray[np.float64]
    joint_velocities: NDArray[np.float64]
    tool_pose: NDArray[np.float64]
    gripper: float

    @property
    def proprio(self) -> NDArray[np.float32]:
        """The part of the body's state that policies see, float32 (4,), named by `PROPRIO_NAMES`."""
        return np.array([*self.tool_pose[:3], self.gripper], dtype=np.float32)


@dataclass(frozen=True)
class EpisodeInfo:
    """What is known about an episode beside its numbers. JSON-serialisable, except that unknown keys go to `extra`.

    Attributes:
        id: unique name, also the name of its bag folder.
        task: task name.
        robot: name of the robot contract.
        source: who acted.
        seed: seed of the randomised start, or None on a real robot.
        success: the *operator's* verdict (never the simulator's true state), or None when nobody judged.
        policy_version: version of the weights that acted, 0 for none.
    """

    id: str
    task: str
    robot: str
    source: Source
    seed: int | None = None
    success: bool | None = None
    policy_version: int = 0
    extra: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Episode:
    """One episode of T actions and T + 1 observations. Holds raw data only, never a learned reward.

    Attributes:
        info: what is known about it.
        stamps: float64 (T + 1,) [s].
        images: camera name -> uint8 (T + 1, H, W, 3).
        proprio: float32 (T + 1, 4), see `PROPRIO_NAMES`.
        actions: the actions asked for, float32 (T, A), each in [-1, 1].
        applied: the actions applied after the safety limits, float32 (T, A). Learners use these.
        terminated: the last observation is a true end. A timeout is not a termination.
    """

    info: EpisodeInfo
    stamps: NDArray[np.float64]
    images: Mapping[str, NDArray[np.uint8]]
    proprio: NDArray[np.float32]
    actions: NDArray[np.float32]
    applied: NDArray[np.float32]
    terminated: bool = False

    def __len__(self) -> int:
        return len(self.applied)


@dataclass(frozen=True)
class Segment:
    """A reference to steps [start, stop) of an episode, never a copy."""

    episode_id: str
    start: int
    stop: int
