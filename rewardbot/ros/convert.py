"""numpy -> ROS messages. The way back is `rewardbot.data.decode`; here are only the few that never enter an episode.

Image and byte fields take `array.tobytes()`: a list, a memoryview or an array costs up to 100 ms each.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Literal

import numpy as np
from builtin_interfaces.msg import Time
from diagnostic_msgs.msg import DiagnosticArray, DiagnosticStatus, KeyValue
from geometry_msgs.msg import PoseStamped, TwistStamped
from numpy.typing import NDArray
from sensor_msgs.msg import CameraInfo, Image, JointState
from std_msgs.msg import Float64MultiArray, Header, UInt8MultiArray

from rewardbot.data import decode
from rewardbot.errors import DataError
from rewardbot.robots.robot import RobotContract
from rewardbot.types import EpisodeInfo, Observation

METRICS_TYPE = DiagnosticArray


def time_message(stamp: int) -> Time:
    """`stamp` in nanoseconds, not negative."""
    seconds, nanoseconds = divmod(stamp, decode.NS_PER_S)
    return Time(sec=seconds, nanosec=nanoseconds)


def header(stamp: int, frame: str = "") -> Header:
    """A header with `stamp` [ns]."""
    return Header(stamp=time_message(stamp), frame_id=frame)


def joint_states(contract: RobotContract, observation: Observation, stamp: int) -> JointState:
    """Positions [rad], velocities [rad/s] of the arm, and the gripper joint's position [m]."""
    return JointState(
        header=header(stamp),
        name=[*contract.joint_names, contract.gripper_joint],
        position=[*observation.joint_positions.tolist(), float(observation.gripper) * contract.gripper_open],
        velocity=[*observation.joint_velocities.tolist(), 0.0],
    )


def tool_pose(contract: RobotContract, observation: Observation, stamp: int) -> PoseStamped:
    """The tool's pose in the base frame."""
    message = PoseStamped(header=header(stamp, contract.base_frame))
    p, q = message.pose.position, message.pose.orientation
    p.x, p.y, p.z, q.w, q.x, q.y, q.z = observation.tool_pose.tolist()
    return message


def image(pixels: NDArray[np.uint8], camera: str, stamp: int) -> Image:
    """RGB pixels, uint8 (H, W, 3), of the camera of that name."""
    height, width, _ = pixels.shape
    return Image(header=header(stamp, optical_frame(camera)), height=height, width=width, encoding="rgb8",
                 step=3 * width, data=pixels.tobytes())


def camera_info(camera: str, width: int, height: int, field_of_view: float, stamp: int) -> CameraInfo:
    """An ideal pinhole camera of vertical `field_of_view` [rad], without distortion."""
    focal = height / (2.0 * math.tan(field_of_view / 2.0))
    x, y = width / 2.0, height / 2.0
    return CameraInfo(
        header=header(stamp, optical_frame(camera)), height=height, width=width, distortion_model="plumb_bob",
        d=[0.0] * 5, k=[focal, 0.0, x, 0.0, focal, y, 0.0, 0.0, 1.0], r=[1.0, 0.0, 0.0, 0.0, 1.0, 0.0, 0.0, 0.0, 1.0],
        p=[focal, 0.0, x, 0.0, 0.0, focal, y, 0.0, 0.0, 0.0, 1.0, 0.0])


def uncalibrated(camera: str, width: int, height: int, stamp: int) -> CameraInfo:
    """A camera of which nobody knows how it distorts: all zero, as sensor_msgs has it."""
    return CameraInfo(header=header(stamp, optical_frame(camera)), height=height, width=width)


def optical_frame(camera: str) -> str:
    """The camera's frame by REP 103: z forward, x right, y down."""
    return f"{camera}_optical_frame"


def action(contract: RobotContract, entries: NDArray[np.floating], stamp: int) -> JointState:
    """An action, float (A,), as named values; `stamp` [ns] is that of the observation it answers."""
    return JointState(header=header(stamp), name=list(contract.action_names), position=entries.astype(np.float64).tolist())


def twist(contract: RobotContract, entries: NDArray[np.floating], stamp: int) -> TwistStamped:
    """The tool motion of an action [m/s], as MoveIt Servo takes it; `stamp` [ns] of the observation it answers."""
    message = TwistStamped(header=header(stamp, contract.base_frame))
    speed = contract.action_scale * contract.control_hz
    linear = message.twist.linear
    linear.x, linear.y, linear.z = (float(entries[contract.action_names.index(axis)]) * speed for axis in "xyz")
    return message


def gripper_command(contract: RobotContract, entries: NDArray[np.floating]) -> Float64MultiArray:
    """The gripper entry of an action; 0, which leaves a gripper as it is, for a robot whose actions have none."""
    entry = float(entries[contract.action_names.index("gripper")]) if "gripper" in contract.action_names else 0.0
    return Float64MultiArray(data=[entry])


def action_of_command(contract: RobotContract, command: TwistStamped, gripper: Float64MultiArray) -> NDArray[np.float64]:
    """The action, float64 (A,), that `twist` and `gripper_command` were made of. Neither clipped nor checked for NaN.

    Raises:
        DataError: the twist is in another frame or the gripper command holds not exactly one value.
    """
    if command.header.frame_id not in ("", contract.base_frame):
        raise DataError(f"A twist in frame '{command.header.frame_id}' was refused.", valid=f"Valid: {contract.base_frame}.")
    if len(gripper.data) != 1:
        raise DataError(f"A gripper command of {len(gripper.data)} values was refused.", valid="It holds one, -1 to 1.")
    linear, speed = command.twist.linear, contract.action_scale * contract.control_hz
    values = {"x": linear.x / speed, "y": linear.y / speed, "z": linear.z / speed, "gripper": gripper.data[0]}
    return np.array([values.get(name, 0.0) for name in contract.action_names])


def episode_event(
    info: EpisodeInfo, stamp: int, *, terminated: bool = False, steps: int | None = None,
    kind: Literal["verdict", "discard"] | None = None,
) -> DiagnosticArray:
    """The start of an episode or, when `steps` is given, its end, or another `kind`; see `EpisodeEvent` for the `stamp` [ns]."""
    values = decode.event_values(info, terminated=terminated, steps=steps)
    return _status(kind or ("start" if steps is None else "end"), values, stamp, hardware=info.robot)


def metrics(node: str, values: Mapping[str, float | int | str], stamp: int) -> DiagnosticArray:
    """The metrics of one node."""
    return _status(node, {key: value if isinstance(value, str) else f"{value:.6g}" if isinstance(value, float) else str(value)
                          for key, value in values.items()}, stamp)


def metrics_of(message: DiagnosticArray) -> dict[str, dict[str, float | str]]:
    """Node name -> values; numbers as floats, other text as it is."""
    return {status.name: {item.key: _number(item.value) for item in status.values} for status in message.status}


def weights(data: bytes) -> UInt8MultiArray:
    """safetensors bytes."""
    return UInt8MultiArray(data=data)


def _status(name: str, values: Mapping[str, str], stamp: int, hardware: str = "") -> DiagnosticArray:
    pairs = [KeyValue(key=key, value=value) for key, value in values.items()]
    status = DiagnosticStatus(level=DiagnosticStatus.OK, name=name, hardware_id=hardware, values=pairs)
    return DiagnosticArray(header=header(stamp), status=[status])


def _number(text: str) -> float | str:
    try:
        return float(text)
    except ValueError:
        return text
