"""Episode -> the ROS messages that would have produced it, without ROS: the types are those of `rosbags`."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import pairwise
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from rewardbot.data import cdr, decode
from rewardbot.errors import DataError
from rewardbot.robots.robot import RobotContract
from rewardbot.types import PROPRIO_NAMES, Episode


class StampedMessage(NamedTuple):
    """A message with its relative topic, type name and stamp [ns]."""

    topic: str
    msgtype: str
    stamp_ns: int
    message: Any


def episode_messages(episode: Episode, contract: RobotContract) -> Iterator[StampedMessage]:
    """The messages of an episode in the order of a lockstep run, each observation under one stamp.

    An Episode holds less than a recording: the tool's orientation is written as identity and `joint_states` holds the
    gripper joint only. The times are rounded to nanoseconds, as every ROS stamp is.

    Raises:
        DataError: the episode does not fit the contract, is not finite, or its times do not increase.
    """
    check_episode(episode, contract)
    stamps = [decode.nanoseconds(float(stamp)) for stamp in episode.stamps]
    if stamps[0] < 0 or any(later <= earlier for earlier, later in pairwise(stamps)):
        raise DataError(f"The times of episode {episode.info.id} do not increase from 0 on.")
    types = decode.episode_topics(contract)

    def stamped(topic: str, stamp: int, message: Any) -> StampedMessage:
        return StampedMessage(topic, types[topic], stamp, message)

    yield event_message(decode.EpisodeEvent("start", stamps[0], episode.info))
    for k, stamp in enumerate(stamps):
        gripper = np.float64(episode.proprio[k, 3]) * contract.gripper_open
        yield stamped(decode.JOINT_STATES, stamp, _joint_state(stamp, [contract.gripper_joint], np.array([gripper])))
        x, y, z = (float(value) for value in episode.proprio[k, :3])
        pose = _new("geometry_msgs/msg/Pose", position=_new("geometry_msgs/msg/Point", x=x, y=y, z=z),
                    orientation=_new("geometry_msgs/msg/Quaternion", x=0.0, y=0.0, z=0.0, w=1.0))
        yield stamped(decode.TOOL_POSE, stamp,
                      _new(types[decode.TOOL_POSE], header=_header(stamp, contract.base_frame), pose=pose))
        for name, camera in contract.cameras.items():
            image = _new("sensor_msgs/msg/Image", header=_header(stamp, f"{name}_optical_frame"), height=camera.height,
                         width=camera.width, encoding="rgb8", is_bigendian=0, step=camera.width * 3,
                         data=np.ascontiguousarray(episode.images[name][k]).reshape(-1))
            yield stamped(decode.camera_topic(name), stamp, image)
        if k < len(episode):
            requested, applied = episode.actions[k].astype(np.float64), episode.applied[k].astype(np.float64)
            yield stamped(decode.REQUESTED_ACTION, stamp, _joint_state(stamp, contract.action_names, requested))
            yield stamped(decode.APPLIED_ACTION, stamp, _joint_state(stamp, contract.action_names, applied))
    yield event_message(decode.EpisodeEvent("end", stamps[-1], episode.info, episode.terminated, len(episode)))


def event_message(event: decode.EpisodeEvent) -> StampedMessage:
    """The message of an episode's event, the inverse of `decode.episode_event`.

    Raises:
        DataError: the episode's extra information cannot be told.
    """
    msgtype = "diagnostic_msgs/msg/DiagnosticArray"
    values = decode.event_values(
        event.info, terminated=event.terminated, steps=event.steps if event.kind == "end" else None)
    pairs = [_new("diagnostic_msgs/msg/KeyValue", key=key, value=value) for key, value in values.items()]
    status = _new("diagnostic_msgs/msg/DiagnosticStatus", level=0, name=event.kind, message="", hardware_id=event.info.robot,
                  values=pairs)
    message = _new(msgtype, header=_header(event.stamp_ns), status=[status])
    return StampedMessage(decode.EPISODE, msgtype, event.stamp_ns, message)


def check_episode(episode: Episode, contract: RobotContract) -> None:
    """Checks shapes, dtypes, cameras and finiteness.

    Raises:
        DataError: names the first thing that does not fit.
    """
    steps, info = len(episode), episode.info
    if info.robot != contract.name:
        raise DataError(f"Episode {info.id} is of robot '{info.robot}'.", valid=f"The contract is '{contract.name}'.")
    if set(episode.images) != set(contract.cameras):
        raise DataError(f"Episode {info.id} has cameras {', '.join(sorted(episode.images)) or '(none)'}.",
                        valid=f"The robot contract has {', '.join(sorted(contract.cameras)) or '(none)'}.")
    expected: dict[str, tuple[NDArray[Any], tuple[int, ...], type]] = {
        "stamps": (episode.stamps, (steps + 1,), np.float64),
        "proprio": (episode.proprio, (steps + 1, len(PROPRIO_NAMES)), np.float32),
        "actions": (episode.actions, (steps, contract.action_dim), np.float32),
        "applied": (episode.applied, (steps, contract.action_dim), np.float32),
        **{f"images of {name}": (episode.images[name], (steps + 1, camera.height, camera.width, 3), np.uint8)
           for name, camera in contract.cameras.items()}}
    for what, (array, shape, dtype) in expected.items():
        if array.shape != shape or array.dtype != dtype:
            raise DataError(f"Episode {info.id}: {what} are {array.dtype} {array.shape}.",
                            valid=f"They must be {np.dtype(dtype)} {shape}.")
        if array.dtype != np.uint8 and not np.isfinite(array).all():
            raise DataError(f"Episode {info.id}: {what} are not finite.")
    if steps < 1:
        raise DataError(f"Episode {info.id} has no steps.")


def _joint_state(stamp: int, names: Sequence[str], values: NDArray[np.float64]) -> Any:
    nothing = np.zeros(0)
    return _new("sensor_msgs/msg/JointState", header=_header(stamp), name=list(names), position=values,
                velocity=nothing, effort=nothing)


def _header(stamp: int, frame: str = "") -> Any:
    sec, nanosec = divmod(stamp, decode.NS_PER_S)
    return _new("std_msgs/msg/Header", stamp=_new("builtin_interfaces/msg/Time", sec=sec, nanosec=nanosec),
                frame_id=frame)


def _new(msgtype: str, **values: Any) -> Any:
    return cdr.typestore().types[msgtype](**values)
