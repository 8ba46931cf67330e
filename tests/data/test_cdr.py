"""Messages <-> bytes."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from rewardbot.data import cdr, decode
from rewardbot.data.encode import episode_messages
from rewardbot.errors import DataError
from rewardbot.robots.robot import RobotContract
from rewardbot.types import Episode

JOINT_STATE = "sensor_msgs/msg/JointState"
Make = Callable[..., Episode]


@pytest.mark.parametrize("little_endian", [True, False])
def test_messages_and_their_stamps_survive(contract: RobotContract, make_episode: Make, little_endian: bool) -> None:
    for _, msgtype, stamp, message in episode_messages(make_episode(start_ns=123_456_789_012), contract):
        data = cdr.typestore().serialize_cdr(message, msgtype, little_endian=little_endian)
        back = cdr.deserialize(data, msgtype)
        assert cdr.serialize(back, msgtype) == cdr.serialize(message, msgtype)
        assert cdr.stamp_ns(data) == decode.stamp_ns(back) == stamp


def test_an_image_is_not_copied(contract: RobotContract, make_episode: Make) -> None:
    message = next(m for m in episode_messages(make_episode(), contract) if m.topic == "camera/front/image_raw")
    data = bytes(cdr.serialize(message.message, message.msgtype))
    pixels = decode.image(cdr.deserialize(data, message.msgtype), contract.cameras["front"])
    assert np.shares_memory(pixels, np.frombuffer(data, np.uint8))


def test_bytes_behind_the_message_are_no_harm(contract: RobotContract, make_episode: Make) -> None:
    message = next(m for m in episode_messages(make_episode(), contract) if m.msgtype == JOINT_STATE)
    data = bytes(cdr.serialize(message.message, JOINT_STATE))
    assert cdr.deserialize(data + b"rubbish!", JOINT_STATE).position == message.message.position


@pytest.mark.parametrize("length", [0, 3, 4, 11, 30])
def test_too_few_bytes(contract: RobotContract, make_episode: Make, length: int) -> None:
    message = next(m for m in episode_messages(make_episode(), contract) if m.msgtype == JOINT_STATE)
    data = bytes(cdr.serialize(message.message, JOINT_STATE))[:length]
    with pytest.raises(DataError, match=f"{length} bytes"):
        cdr.deserialize(data, JOINT_STATE)
    if length < 12:
        with pytest.raises(DataError, match="no header"):
            cdr.stamp_ns(data)


def test_an_unknown_type() -> None:
    with pytest.raises(DataError, match="my_msgs"):
        cdr.deserialize(b"\x00\x01\x00\x00", "my_msgs/msg/Odd")


def test_messages_of_rclpy() -> None:
    """Fast DDS leaves 8 bytes behind a JointState without effort."""
    pytest.importorskip("rclpy")
    from rclpy.serialization import serialize_message
    from sensor_msgs.msg import JointState

    message = JointState(name=["x"], position=[0.5])
    assert cdr.deserialize(serialize_message(message), JOINT_STATE).position.tolist() == [0.5]
