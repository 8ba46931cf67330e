"""Messages -> numpy."""

from __future__ import annotations

from types import SimpleNamespace as Message
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from rewardbot.data import decode
from rewardbot.errors import DataError
from rewardbot.robots.robot import CameraContract, RobotContract
from rewardbot.types import EpisodeInfo

CAMERA = CameraContract(5, 3)
PIXELS = np.arange(45, dtype=np.uint8).reshape(3, 5, 3)


def header(ns: int = 0, frame: str = "base_link") -> Message:
    return Message(stamp=Message(sec=ns // 10**9, nanosec=ns % 10**9), frame_id=frame)


def joints(**values: float) -> Message:
    return Message(header=header(), name=list(values), position=list(values.values()), velocity=[])


def image(data: Any, encoding: str = "rgb8", width: int = 5, height: int = 3, step: int = 15) -> Message:
    return Message(width=width, height=height, encoding=encoding, step=step, data=data)


def pose(x: float = 1.0, frame: str = "base_link", ns: int = 0) -> Message:
    return Message(header=header(ns, frame), pose=Message(
        position=Message(x=x, y=2.0, z=3.0), orientation=Message(x=0.1, y=0.2, z=0.3, w=0.9)))


def event(name: str = "start", **values: str) -> Message:
    all_values = {"id": "e1", "task": "reach", "robot": "sim_arm", "source": "policy", "seed": "3", "success": "",
                  "policy_version": "0", **values}
    pairs = [Message(key=key, value=value) for key, value in all_values.items() if value != "(none)"]
    return Message(header=header(5), status=[Message(name=name, values=pairs)])


@given(st.integers(0, 2**31 * 10**9))
def test_every_ros_stamp_survives_as_seconds(ns: int) -> None:
    once = decode.seconds(ns)
    assert decode.seconds(decode.nanoseconds(once)) == once
    assert abs(decode.nanoseconds(once) - ns) <= 256


def test_an_rgb8_image_is_a_view() -> None:
    data = PIXELS.reshape(-1).copy()
    decoded = decode.image(image(data), CAMERA)
    assert np.array_equal(decoded, PIXELS)
    assert np.shares_memory(decoded, data)
    assert np.array_equal(decode.image(image(data.tobytes()), CAMERA), PIXELS)


@pytest.mark.parametrize("encoding", ["rgb8", "bgr8", "rgba8", "bgra8"])
@pytest.mark.parametrize("padding", [0, 7])
def test_encodings_and_padded_rows(encoding: str, padding: int) -> None:
    pixels = PIXELS if encoding.startswith("rgb") else PIXELS[:, :, ::-1]
    if encoding.endswith("a8"):
        pixels = np.concatenate([pixels, np.full((3, 5, 1), 255, np.uint8)], axis=2)
    rows = np.hstack([pixels.reshape(3, -1), np.full((3, padding), 9, np.uint8)])
    decoded = decode.image(image(rows.tobytes(), encoding, step=rows.shape[1]), CAMERA)
    assert np.array_equal(decoded, PIXELS)
    assert decoded.flags.c_contiguous


@pytest.mark.parametrize(("message", "says"), [
    (image(bytes(45), width=3, height=5, step=9), "3x5"),
    (image(bytes(15), "mono8", step=5), "mono8"),
    (image(bytes(44)), "44 bytes"),
    (image(b""), "0 bytes"),
    (image(bytes(42), step=14), "rows of 14"),
])
def test_an_image_that_does_not_fit_is_refused(message: Message, says: str) -> None:
    with pytest.raises(DataError, match=says):
        decode.image(message, CAMERA)


def test_tool_pose() -> None:
    assert decode.tool_pose(pose(), "base_link").tolist() == [1.0, 2.0, 3.0, 0.9, 0.1, 0.2, 0.3]
    with pytest.raises(DataError, match="'world'"):
        decode.tool_pose(pose(frame="world"), "base_link")
    with pytest.raises(DataError, match="not finite"):
        decode.tool_pose(pose(x=float("nan")), "base_link")


@given(st.permutations(["a", "b", "c", "other"]))
def test_positions_are_found_by_name(names: list[str]) -> None:
    message = joints(**{name: float(ord(name[0])) for name in names})
    assert decode.positions(message, ["c", "a"]).tolist() == [99.0, 97.0]


def test_wrong_joint_states_are_refused(contract: RobotContract) -> None:
    with pytest.raises(DataError, match="'b' is missing"):
        decode.positions(joints(a=1.0), ["b"])
    with pytest.raises(DataError, match="names 1 entries and holds 0"):
        decode.positions(Message(name=["a"], position=[]), ["a"])
    with pytest.raises(DataError, match="not finite"):
        decode.action(joints(x=0.0, y=0.0, z=float("inf"), gripper=0.0), contract)
    with pytest.raises(DataError, match="not finite"):
        arm = dict.fromkeys(contract.joint_names, 0.0) | {"arm_joint2": float("nan")}
        decode.gripper(joints(finger_joint1=0.01, **arm), contract)
    with pytest.raises(DataError, match=r"'arm_joint1', 'arm_joint3', .*'arm_joint7' are missing") as caught:
        decode.gripper(joints(arm_joint2=0.0, finger_joint1=0.01), contract)
    assert "The message holds: arm_joint2, finger_joint1." in str(caught.value)


@given(st.permutations([*RobotContract().joint_names, "finger_joint1", "other"]))
def test_joints_may_come_in_any_order(names: list[str]) -> None:
    assert decode.gripper(joints(**{name: 0.01 if name == "finger_joint1" else 9.0 for name in names}), RobotContract()) == 0.25


def test_gripper_needs_no_other_joint(contract: RobotContract) -> None:
    assert decode.gripper(joints(finger_joint1=0.01), contract) == 0.25


def test_action_by_name(contract: RobotContract) -> None:
    action = decode.action(joints(gripper=4.0, z=3.0, y=2.0, x=1.0), contract)
    assert action.dtype == np.float32
    assert action.tolist() == [1, 2, 3, 4]


def test_observation(contract: RobotContract) -> None:
    names = contract.joint_names
    message = joints(finger_joint1=0.02, **{name: float(i) for i, name in enumerate(names)})
    message.header = header(1_500_000_000)
    images = {name: image(bytes(c.width * c.height * 3), width=c.width, height=c.height, step=c.width * 3)
              for name, c in contract.cameras.items()}
    observed = decode.observation(contract, message, pose(), images)
    assert observed.stamp == 1.5
    assert observed.joint_positions.tolist() == list(range(7))
    assert observed.joint_velocities.tolist() == [0.0] * 7
    assert observed.proprio.tolist() == [1.0, 2.0, 3.0, 0.5]
    message.velocity = [float("nan"), *range(1, 8)]
    assert decode.observation(contract, message, pose(), images).joint_velocities.tolist() == list(range(1, 8))
    with pytest.raises(DataError, match="wrist"):
        decode.observation(contract, message, pose(), {"front": images["front"]})


INFOS = st.builds(
    EpisodeInfo, id=st.text(min_size=1), task=st.text(), robot=st.text(),
    source=st.sampled_from(["demonstration", "policy", "evaluation", "intervention"]),
    seed=st.none() | st.integers(), success=st.none() | st.booleans(), policy_version=st.integers(),
    extra=st.dictionaries(st.text(min_size=1).map(lambda key: f"_{key}"),
                          st.none() | st.booleans() | st.integers() | st.text() | st.lists(st.integers() | st.text())))


@given(INFOS, st.booleans(), st.none() | st.integers(1, 100))
def test_episode_events_survive(info: EpisodeInfo, terminated: bool, steps: int | None) -> None:
    values = decode.event_values(info, terminated=terminated, steps=steps)
    assert all(isinstance(value, str) for value in values.values())
    pairs = [Message(key=key, value=value) for key, value in values.items()]
    name = "start" if steps is None else "end"
    back = decode.episode_event(Message(header=header(5), status=[Message(name=name, values=pairs)]))
    assert back == decode.EpisodeEvent(name, 5, info, terminated and steps is not None, steps or 0)


@pytest.mark.parametrize(("message", "says"), [
    (event("paused"), "not an episode event"),
    (Message(header=header(), status=[]), "not an episode event"),
    (event(source="ghost"), "no valid 'source'"),
    (event(id="(none)"), "no valid 'id'"),
    (event(seed="three"), "no valid 'seed'"),
    (event(success="True"), "no valid 'success'"),
    (event("end", terminated="false"), "no valid 'steps'"),
])
def test_a_wrong_event_is_refused(message: Message, says: str) -> None:
    with pytest.raises(DataError, match=says):
        decode.episode_event(message)


def test_plain_text_of_another_node_is_kept() -> None:
    assert decode.episode_event(event(place="lab 3")).info.extra == {"place": "lab 3"}


@pytest.mark.parametrize("extra", [{"steps": 3}, {"id": "x"}, {"a": object()}, {"a": float("nan")}])
def test_extra_information_that_cannot_travel_is_refused(extra: dict[str, Any]) -> None:
    with pytest.raises(DataError):
        decode.event_values(EpisodeInfo("e1", "reach", "sim_arm", "policy", extra=extra))


def test_messages_of_rclpy(contract: RobotContract) -> None:
    sensors = pytest.importorskip("sensor_msgs.msg")
    message = sensors.JointState(name=["finger_joint1"], position=[0.03])
    message.header.stamp.nanosec = 7
    assert decode.stamp_ns(message) == 7
    assert decode.gripper(message, contract) == 0.03 / 0.04
    picture = sensors.Image(width=5, height=3, step=15, encoding="rgb8")
    picture.data = PIXELS.tobytes()
    decoded = decode.image(picture, CAMERA)
    assert np.array_equal(decoded, PIXELS)
    assert np.shares_memory(decoded, np.frombuffer(picture.data, np.uint8))
