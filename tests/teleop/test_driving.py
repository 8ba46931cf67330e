"""From the hand to commands."""

from __future__ import annotations

import mujoco
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from rewardbot.teleop.driving import PULSE_S, SPEEDS, Driving, DrivingSettings, rotated
from rewardbot.teleop.hand import Reading

DOWN = np.array([0.0, 1.0, 0.0, 0.0])
"""A tool that points down: half a turn about x."""


def hand(x: float = 0.0, y: float = 0.0, z: float = 0.0, *pressed: str, held: bool = True) -> Reading:
    return Reading(np.array([x, y, z]), held, pressed)


def driving(**settings: object) -> Driving:
    return Driving(0.4, DrivingSettings(**settings))  # pyright: ignore[reportArgumentType]


def test_full_speed_is_that_of_the_robot_times_the_share() -> None:
    command = driving(speed=0.25).command(hand(1.0, -0.5), 0.0, None)
    assert command is not None and command.linear == pytest.approx([0.1, -0.05, 0.0])


def test_letting_go_is_said_once_and_then_it_is_silent() -> None:
    arm = driving()
    assert arm.command(hand(held=False), 0.0, None) is None
    assert arm.command(hand(1.0), 0.1, None) is not None and arm.held
    stop = arm.command(hand(1.0, held=False), 0.2, None)
    assert stop is not None and not stop.linear.any() and stop.gripper == 0.0 and not arm.held
    assert arm.command(hand(1.0, held=False), 0.3, None) is None


def test_the_speed_changes_while_it_drives() -> None:
    arm = driving(speed=0.5)
    for action, speed in (("faster", 0.75), ("faster", 1.0), ("faster", 1.0), ("slower", 0.75), *[("slower", None)] * 9):
        command = arm.command(hand(1.0, 0.0, 0.0, action), 0.0, None)
        assert command is not None and command.linear[0] == pytest.approx(0.4 * arm.speed) and speed in (None, arm.speed)
    assert arm.speed == SPEEDS[0]


def test_a_tap_on_the_gripper_is_held_for_long_enough_to_arrive() -> None:
    arm = driving()
    tapped = arm.command(hand(0.0, 0.0, 0.0, "close", held=False), 1.0, None)
    assert tapped is not None and tapped.gripper == -1.0
    later = arm.command(hand(held=False), 1.0 + 0.9 * PULSE_S, None)
    assert later is not None and later.gripper == -1.0
    assert arm.command(hand(held=False), 1.0 + 1.1 * PULSE_S, None) is not None, "the last word"
    assert arm.command(hand(held=False), 1.0 + 1.2 * PULSE_S, None) is None


def test_the_gripper_stays_as_told_while_the_hand_is_on_and_is_nobodys_after() -> None:
    arm = driving()
    closed = [arm.command(reading, 1.0 + index, None) for index, reading in enumerate(
        [hand(1.0, 0.0, 0.0, "close"), hand(1.0), hand(1.0, 0.0, 0.0, "open"), hand(held=False), hand(1.0)])]
    assert [command.gripper for command in closed if command is not None] == [-1.0, -1.0, 1.0, 0.0, 0.0]


def test_in_the_tools_axes_up_is_along_the_tool_which_points_down() -> None:
    arm = driving(speed=1.0, frame="tool")
    command = arm.command(hand(0.5, 0.5, 1.0), 0.0, DOWN)
    assert command is not None and command.linear == pytest.approx([0.2, -0.2, -0.4])
    arm.command(hand(0.0, 0.0, 0.0, "frame"), 0.0, DOWN)
    command = arm.command(hand(0.5, 0.5, 1.0), 0.0, DOWN)
    assert arm.frame == "base" and command is not None and command.linear == pytest.approx([0.2, 0.2, 0.4])


def test_without_a_known_orientation_the_tools_axes_stand_still() -> None:
    command = driving(frame="tool").command(hand(1.0), 0.0, None)
    assert command is not None and not command.linear.any()


@given(st.tuples(*[st.floats(-1, 1)] * 4).filter(lambda q: np.linalg.norm(q) > 0.1), st.tuples(*[st.floats(-1, 1)] * 3))
def test_a_rotation_is_that_of_mujoco(quaternion: tuple[float, ...], vector: tuple[float, ...]) -> None:
    unit, expected = np.array(quaternion) / np.linalg.norm(quaternion), np.zeros(3)
    mujoco.mju_rotVecQuat(expected, np.array(vector), unit)
    assert rotated(np.array(vector), unit) == pytest.approx(expected, abs=1e-9)
