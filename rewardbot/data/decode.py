"""ROS messages -> numpy, by attribute names alone: rclpy's messages and those that `rosbags` deserialises alike.

Nothing here imports ROS. Every function raises DataError for content that cannot be used and says what is wrong.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, fields
from functools import partial
from typing import Any, Literal, get_args

import numpy as np
from numpy.typing import NDArray

from rewardbot.errors import DataError
from rewardbot.robots.robot import CameraContract, RobotContract
from rewardbot.types import EpisodeInfo, Observation, Source

NS_PER_S = 1_000_000_000

JOINT_STATES, TOOL_POSE, EPISODE = "joint_states", "tool_pose", "episode"
REQUESTED_ACTION, APPLIED_ACTION = "requested_action", "applied_action"
COMPRESSED_IMAGE = "sensor_msgs/msg/CompressedImage"
_COMPRESSED = "/compressed"

_PIXELS = {"rgb8": (3, slice(0, 3)), "rgba8": (4, slice(0, 3)), "bgr8": (3, slice(2, None, -1)),
           "bgra8": (4, slice(2, None, -1))}  # encoding -> bytes per pixel, where red, green, blue are in them


def camera_topic(name: str) -> str:
    """The relative topic of the images of camera `name`."""
    return f"camera/{name}/image_raw"


def compressed_topic(name: str) -> str:
    """The relative topic of the compressed images of camera `name`, as image_transport calls it."""
    return compressed(camera_topic(name))


def compressed(topic: str) -> str:
    """The topic of a camera's compressed images, by that of the others."""
    return f"{topic}{_COMPRESSED}"


def uncompressed(topic: str) -> str:
    """The inverse of `compressed`; any other topic as it is."""
    return topic.removesuffix(_COMPRESSED)


def episode_topics(contract: RobotContract) -> dict[str, str]:
    """Relative topic -> message type of all that an episode is made of, which an EpisodeAssembler needs."""
    joint_state = "sensor_msgs/msg/JointState"
    return {JOINT_STATES: joint_state, TOOL_POSE: "geometry_msgs/msg/PoseStamped",
            REQUESTED_ACTION: joint_state, APPLIED_ACTION: joint_state, EPISODE: "diagnostic_msgs/msg/DiagnosticArray",
            **{camera_topic(name): "sensor_msgs/msg/Image" for name in contract.cameras}}


def bag_topics(contract: RobotContract) -> dict[str, str]:
    """As `episode_topics`, with those of compressed images: what a bag of an episode may hold."""
    return {**episode_topics(contract), **{compressed_topic(name): COMPRESSED_IMAGE for name in contract.cameras}}


def decoders(contract: RobotContract) -> dict[str, Callable[[Any], NDArray[Any]]]:
    """Relative topic -> what an episode takes of its messages; raises DataError for one that does not fit the contract.

    `joint_states`: the gripper, float32 (1,). `tool_pose`: the position [m], float32 (3,). Actions: float32 (A,). Cameras: uint8
    (H, W, 3) RGB, of an Image or a CompressedImage.
    """
    return {
        JOINT_STATES: lambda message: np.array([gripper(message, contract)], np.float32),
        TOOL_POSE: lambda message: tool_pose(message, contract.base_frame)[:3].astype(np.float32),
        REQUESTED_ACTION: partial(action, contract=contract),
        APPLIED_ACTION: partial(action, contract=contract),
        **{camera_topic(name): partial(image, camera=camera) for name, camera in contract.cameras.items()},
    }


def stamp_ns(message: Any) -> int:
    """The header's stamp [ns]."""
    stamp = message.header.stamp
    return stamp.sec * NS_PER_S + stamp.nanosec


def seconds(stamp: int) -> float:
    """Nanoseconds -> the nearest float64 of seconds (at today's Unix time these are 238 ns apart)."""
    return stamp / NS_PER_S


def nanoseconds(stamp: float) -> int:
    """Seconds -> whole nanoseconds, rounded. `seconds(nanoseconds(x)) == x` for every x that `seconds` returned."""
    whole = int(stamp // 1)
    return whole * NS_PER_S + round((stamp - whole) * NS_PER_S)  # x * 1e9 would lose the last digits of the time of day


def image(message: Any, camera: CameraContract) -> NDArray[np.uint8]:
    """An Image or a CompressedImage as uint8 (H, W, 3) RGB; a view of the message for an Image of rgb8 without padding.

    Raises:
        DataError: another size than the contract's, an unknown encoding, or data that do not fit the size.
    """
    if hasattr(message, "format"):
        pixels = _decompressed(message)
        _check_size(pixels.shape[1], pixels.shape[0], camera)
        return pixels
    _check_size(message.width, message.height, camera)
    if message.encoding not in _PIXELS:
        raise DataError(f"The image is encoded as '{message.encoding}'.", valid=f"Valid: {', '.join(_PIXELS)}.")
    channels, rgb = _PIXELS[message.encoding]
    height, width, step = message.height, message.width, message.step
    if step < width * channels or len(message.data) != height * step:
        raise DataError(f"The image holds {len(message.data)} bytes in rows of {step}, which is not {width}x{height} "
                        f"{message.encoding}.")
    rows = np.frombuffer(message.data, np.uint8).reshape(height, step)[:, : width * channels]
    return np.ascontiguousarray(rows.reshape(height, width, channels)[:, :, rgb])


def tool_pose(message: Any, frame: str) -> NDArray[np.float64]:
    """A PoseStamped in `frame` as position [m] and quaternion (w, x, y, z), float64 (7,).

    Raises:
        DataError: in another frame, or not finite.
    """
    if message.header.frame_id != frame:
        raise DataError(f"The tool pose is in frame '{message.header.frame_id}'.", valid=f"It must be in '{frame}'.")
    p, q = message.pose.position, message.pose.orientation
    return _finite(np.array([p.x, p.y, p.z, q.w, q.x, q.y, q.z]), "tool pose")


def positions(message: Any, names: Sequence[str]) -> NDArray[np.float64]:
    """The positions of `names` in a JointState, float64 (len(names),), in the order of `names`, whatever the message's.

    Raises:
        DataError: a name is missing, or a value is missing or not finite.
    """
    return _finite(_by_name(message.name, message.position, names), "position")


def gripper(message: Any, contract: RobotContract) -> float:
    """The gripper's opening in a JointState as a share of fully open. Not clipped to [0, 1].

    The message may hold the gripper joint alone.

    Raises:
        DataError: the gripper joint is missing, or some joints of the arm are and others are not, or one of them is not finite.
    """
    arm = contract.joint_names if not set(contract.joint_names).isdisjoint(message.name) else ()
    return float(positions(message, [*arm, contract.gripper_joint])[-1]) / contract.gripper_open


def action(message: Any, contract: RobotContract) -> NDArray[np.float32]:
    """A `requested_action` or `applied_action` as float32 (A,), by the contract's action names.

    Raises:
        DataError: an entry is missing or not finite.
    """
    return positions(message, contract.action_names).astype(np.float32)


def observation(
    contract: RobotContract, joint_states: Any, tool_pose_message: Any, images: Mapping[str, Any]
) -> Observation:
    """The observation of one instant from its messages; `images` maps each camera of the contract to its Image.

    The stamp is that of `joint_states`. Velocities that the driver does not tell (none, or NaN) are 0.

    Raises:
        DataError: a camera or joint is missing, a size is wrong, or a value is not finite.
    """
    if missing := [name for name in contract.cameras if name not in images]:
        raise DataError(f"No image of camera {', '.join(missing)}.")
    velocities = np.zeros(len(contract.joint_names))
    if len(joint_states.velocity):
        velocities = np.nan_to_num(_by_name(joint_states.name, joint_states.velocity, contract.joint_names))
    return Observation(
        stamp=seconds(stamp_ns(joint_states)),
        images={name: image(images[name], camera) for name, camera in contract.cameras.items()},
        joint_positions=positions(joint_states, contract.joint_names),
        joint_velocities=velocities,
        tool_pose=tool_pose(tool_pose_message, contract.base_frame),
        gripper=gripper(joint_states, contract),
    )


EventKind = Literal["start", "end", "verdict", "discard"]
"""`verdict`: what an episode that ended before is called now. `discard`: an episode is given up, running or ended."""


@dataclass(frozen=True)
class EpisodeEvent:
    """A message of the `episode` topic.

    Attributes:
        kind: what it announces.
        stamp_ns: stamp of the first (start) or last (end) observation, or of the newest one (verdict, discard) [ns].
        info: what was known then; the end's is final but for a later verdict.
        terminated: the last observation is a true end (end only).
        steps: number of actions (end only).
    """

    kind: EventKind
    stamp_ns: int
    info: EpisodeInfo
    terminated: bool = False
    steps: int = 0


def event_values(info: EpisodeInfo, *, terminated: bool = False, steps: int | None = None) -> dict[str, str]:
    """The key-values of an `episode` event, for its one DiagnosticStatus.

    Give `steps` for an end only. None is the empty text; a key of `extra` holds JSON.

    Raises:
        DataError: `extra` uses one of our keys or is not JSON.
    """
    plain = {spec.name: getattr(info, spec.name) for spec in fields(info) if spec.name != "extra"}
    if steps is not None:
        plain |= {"terminated": terminated, "steps": steps}
    if taken := sorted({*plain, "terminated", "steps"} & set(info.extra)):
        raise DataError(f"The episode's extra information uses the key '{taken[0]}'.", next_step="Rename it.")
    try:
        extra = {key: json.dumps(value, allow_nan=False) for key, value in info.extra.items()}
    except (TypeError, ValueError) as error:
        raise DataError(f"The extra information of episode {info.id} is not JSON: {error}.") from None
    return {key: "" if value is None else str(value).lower() if isinstance(value, bool) else str(value)
            for key, value in plain.items()} | extra


def episode_event(message: Any) -> EpisodeEvent:
    """A DiagnosticArray of the `episode` topic.

    Raises:
        DataError: not exactly one status, an unknown event, or a missing or wrong value.
    """
    if len(message.status) != 1 or message.status[0].name not in get_args(EventKind):
        raise DataError("A message on 'episode' is not an episode event.",
                        valid=f"One status named {', '.join(map(repr, get_args(EventKind)))}.")
    kind = message.status[0].name
    values = {item.key: item.value for item in message.status[0].values}

    def take(key: str, parse: Callable[[str], Any]) -> Any:
        try:
            return parse(values.pop(key))
        except (KeyError, ValueError):
            raise DataError(f"The {kind} event of episode '{values.get('id', '?')}' has no valid '{key}'.") from None

    terminated, steps = (take("terminated", _bool), take("steps", int)) if kind == "end" else (False, 0)
    known = {"task": take("task", str), "robot": take("robot", str), "source": take("source", _source),
             "seed": take("seed", _optional(int)), "success": take("success", _optional(_bool)),
             "policy_version": take("policy_version", int), "id": take("id", str)}
    info = EpisodeInfo(**known, extra={key: _json(value) for key, value in values.items()})
    return EpisodeEvent(kind, stamp_ns(message), info, terminated, steps)


def _check_size(width: int, height: int, camera: CameraContract) -> None:
    if (width, height) != (camera.width, camera.height):
        raise DataError(f"The image is {width}x{height}.",
                        valid=f"The robot contract says {camera.width}x{camera.height} (width x height).")


def _decompressed(message: Any) -> NDArray[np.uint8]:
    import cv2  # slow to load, and most never need it

    data = np.frombuffer(message.data, np.uint8)
    try:
        pixels = cv2.imdecode(data, cv2.IMREAD_COLOR | cv2.IMREAD_IGNORE_ORIENTATION) if len(data) else None
    except cv2.error:
        pixels = None
    if pixels is None:
        raise DataError(f"The image of {len(data)} bytes ('{message.format}') cannot be decompressed.", valid="PNG or JPEG.")
    return np.asarray(cv2.cvtColor(pixels, cv2.COLOR_BGR2RGB), np.uint8)


def _by_name(present: Sequence[str], values: Any, names: Sequence[str]) -> NDArray[np.float64]:
    if len(present) != len(values):
        raise DataError(f"A joint state names {len(present)} entries and holds {len(values)}.")
    index = {name: i for i, name in enumerate(present)}
    if missing := [name for name in names if name not in index]:
        quoted = "', '".join(missing)
        raise DataError(f"'{quoted}' {'is' if len(missing) == 1 else 'are'} missing.",
                        valid=f"The message holds: {', '.join(present) or '(nothing)'}.")
    return np.asarray(values, np.float64)[[index[name] for name in names]]


def _finite(values: NDArray[np.float64], what: str) -> NDArray[np.float64]:
    if not np.isfinite(values).all():
        raise DataError(f"The {what} is not finite: {values.tolist()}.")
    return values


def _bool(text: str) -> bool:
    return {"true": True, "false": False}[text]


def _source(text: str) -> Source:
    if text not in get_args(Source):
        raise ValueError(text)
    return text  # pyright: ignore[reportReturnType]  # checked by the line above


def _optional(parse: Callable[[str], Any]) -> Callable[[str], Any]:
    return lambda text: parse(text) if text else None


def _json(text: str) -> Any:
    try:
        return json.loads(text)
    except ValueError:
        return text  # another node's plain text
