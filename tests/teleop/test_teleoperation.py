"""A device, the hand and the driving together."""

from __future__ import annotations

import numpy as np

from rewardbot.teleop.bindings import GAMEPAD
from rewardbot.teleop.device import RETRY_S
from rewardbot.teleop.driving import Driving, DrivingSettings
from rewardbot.teleop.stream import SILENT_S, Stream
from rewardbot.teleop.teleoperation import Teleoperation


def joy(*, stick: float = 0.0, buttons: tuple[int, ...] = ()) -> tuple[list[float], list[int]]:
    return [0.0, stick, *[0.0] * 6], [int(number in buttons) for number in range(10)]


def test_a_device_that_is_lost_while_driving_stops_the_arm_at_once_and_comes_back_by_itself() -> None:
    stream = Stream("joy", GAMEPAD, "Is it there?")
    arm = Teleoperation(stream.opened, GAMEPAD, Driving(0.4, DrivingSettings(speed=1.0)))
    stream.feed(*joy(), 0.0)
    assert arm.step(0.0, None).news == "joy is there" and arm.device is stream
    stream.feed(*joy(stick=1.0, buttons=(4,)), 0.1)
    driven = arm.step(0.1, None).command
    assert driven is not None and driven.linear.tolist() == [0.4, 0.0, 0.0]
    lost = arm.step(0.11 + SILENT_S, None)
    assert lost.command is not None and not lost.command.linear.any() and "said nothing" in lost.news and arm.device is None
    assert arm.step(0.2 + SILENT_S, None).command is None
    stream.feed(*joy(stick=1.0, buttons=(4,)), 0.2 + SILENT_S + RETRY_S)
    assert arm.step(0.2 + SILENT_S + RETRY_S, None).news == "joy is back"
    assert arm.step(0.3 + SILENT_S + RETRY_S, None).command is None, "the switch was not let go since"
    stream.feed(*joy(stick=1.0), 0.3 + SILENT_S + RETRY_S)
    stream.feed(*joy(stick=1.0, buttons=(4,)), 0.3 + SILENT_S + RETRY_S)
    driven = arm.step(0.3 + SILENT_S + RETRY_S, None).command
    assert driven is not None and np.array_equal(driven.linear, [0.4, 0.0, 0.0])
    arm.close()
    assert arm.device is None


def test_requests_are_services() -> None:
    stream = Stream("joy", GAMEPAD, "")
    arm = Teleoperation(stream.opened, GAMEPAD, Driving(0.4, DrivingSettings()))
    stream.feed(*joy(), 0.0)
    arm.step(0.0, None)
    stream.feed(*joy(buttons=(3,)), 0.1)
    stream.feed(*joy(buttons=(8,)), 0.1)
    step = arm.step(0.1, None)
    assert step.services == ("episode/success", "stop") and step.command is None
