"""numpy -> messages -> numpy gives the same numbers."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from rclpy.serialization import deserialize_message, serialize_message
from sensor_msgs.msg import Image, JointState

from rewardbot.data import cdr, decode
from rewardbot.errors import DataError
from rewardbot.robots.robot import load_contract
from rewardbot.ros import convert
from rewardbot.types import EpisodeInfo, Observation

pytestmark = pytest.mark.ros
CONTRACT = load_contract()
STAMP = 12_345_678_901
ENTRIES = st.lists(st.floats(-1, 1, width=32), min_size=4, max_size=4).map(lambda x: np.array(x, np.float32))


def observation() -> Observation:
    random = np.random.default_rng(0)
    return Observation(
        stamp=decode.seconds(STAMP),
        images={name: random.integers(0, 256, (c.height, c.width, 3), np.uint8) for name, c in CONTRACT.cameras.items()},
        joint_positions=random.normal(size=7), joint_velocities=random.normal(size=7),
        tool_pose=np.array([0.5, -0.1, 0.2, 0.0, 1.0, 0.0, 0.0]), gripper=0.25)


def test_an_observation_survives() -> None:
    sent = observation()
    got = decode.observation(
        CONTRACT, convert.joint_states(CONTRACT, sent, STAMP), convert.tool_pose(CONTRACT, sent, STAMP),
        {name: convert.image(pixels, name, STAMP) for name, pixels in sent.images.items()})
    assert got.stamp == sent.stamp and got.gripper == pytest.approx(sent.gripper)
    for name in CONTRACT.cameras:
        np.testing.assert_array_equal(got.images[name], sent.images[name])
    for name in ("joint_positions", "joint_velocities", "tool_pose"):
        np.testing.assert_array_equal(getattr(got, name), getattr(sent, name))


def test_a_serialised_message_tells_its_stamp() -> None:
    message = convert.image(observation().images["front"], "front", STAMP)
    data = serialize_message(message)
    assert cdr.stamp_ns(data) == STAMP == decode.stamp_ns(deserialize_message(data, Image))
    assert message.header.frame_id == "front_optical_frame"


@given(ENTRIES)
def test_an_action_survives_as_a_command(entries: np.ndarray) -> None:
    command = convert.twist(CONTRACT, entries, STAMP), convert.gripper_command(CONTRACT, entries)
    got = convert.action_of_command(CONTRACT, *command)
    np.testing.assert_allclose(got, entries, atol=1e-12)
    speed = CONTRACT.action_scale * CONTRACT.control_hz  # a full action lasts one period
    assert command[0].twist.linear.x == pytest.approx(entries[0] * speed)


@given(ENTRIES)
def test_an_action_survives_with_its_names(entries: np.ndarray) -> None:
    message: JointState = convert.action(CONTRACT, entries, STAMP)
    np.testing.assert_array_equal(decode.action(message, CONTRACT), entries)
    assert list(message.name) == list(CONTRACT.action_names) and decode.stamp_ns(message) == STAMP


def test_a_robot_without_a_gripper_is_commanded_all_the_same() -> None:
    contract = replace(CONTRACT, action_names=("z", "x", "y"))
    entries = np.array([0.5, -0.25, 1.0], np.float32)
    gripper = convert.gripper_command(contract, entries)
    assert list(gripper.data) == [0.0]
    np.testing.assert_allclose(convert.action_of_command(contract, convert.twist(contract, entries, STAMP), gripper), entries)


def test_commands_that_are_none_are_refused() -> None:
    entries = np.zeros(4, np.float32)
    command, gripper = convert.twist(CONTRACT, entries, STAMP), convert.gripper_command(CONTRACT, entries)
    command.header.frame_id = "tool0"
    with pytest.raises(DataError, match="frame 'tool0'"):
        convert.action_of_command(CONTRACT, command, gripper)
    command.header.frame_id, gripper.data = CONTRACT.base_frame, [0.0, 1.0]
    with pytest.raises(DataError, match="2 values"):
        convert.action_of_command(CONTRACT, command, gripper)


def test_episode_events_survive() -> None:
    info = EpisodeInfo("a-1", "lift", CONTRACT.name, "demonstration", seed=3, success=True, extra={"run": 2, "actor": "rl"})
    start = decode.episode_event(convert.episode_event(info, STAMP))
    end = decode.episode_event(convert.episode_event(info, STAMP, steps=25))
    assert (start.kind, start.info, start.stamp_ns) == ("start", info, STAMP)
    assert (end.kind, end.info, end.steps, end.terminated) == ("end", info, 25, False)


@pytest.mark.parametrize("kind", ["verdict", "discard"])
def test_what_is_said_of_an_episode_later_survives(kind: Any) -> None:
    info = EpisodeInfo("a-1", "lift", CONTRACT.name, "demonstration", success=False)
    assert decode.episode_event(convert.episode_event(info, STAMP, kind=kind)) == decode.EpisodeEvent(kind, STAMP, info)


def test_metrics_survive() -> None:
    sent = {"rate_hz": 12.5, "episodes": 3, "state": "learning", "loss": math.pi}
    (values,) = [convert.metrics_of(convert.metrics("learner_node", sent, STAMP))["learner_node"]]
    assert values == {"rate_hz": 12.5, "episodes": 3.0, "state": "learning", "loss": pytest.approx(math.pi, rel=1e-5)}


def test_camera_info_has_the_focal_length_of_the_view() -> None:
    info = convert.camera_info("front", 64, 48, math.radians(90), STAMP)
    assert info.k[4] == pytest.approx(24.0) and (info.k[2], info.k[5]) == (32.0, 24.0)
