"""Devices whose state comes as messages."""

from __future__ import annotations

import pytest

from rewardbot.teleop.bindings import DRIVING, GAMEPAD
from rewardbot.teleop.device import DeviceLost, NotYet
from rewardbot.teleop.hand import Hand
from rewardbot.teleop.stream import PATIENCE_S, SILENT_S, WINDOW, Stream

AXES, BUTTONS = [0.0] * 8, [0] * 10


@pytest.fixture
def joy() -> Stream:
    return Stream("joy", GAMEPAD, "Is joy_node running?")


def test_a_message_is_the_state_of_the_keys(joy: Stream) -> None:
    joy.feed([0.5, *AXES[1:]], [0, 1, *BUTTONS[2:]], 0.0)
    joy.feed([-0.5, *AXES[1:]], BUTTONS, 0.1)
    first, second = joy.poll(0.1)
    assert (first["axis 0"], first["button 1"]) == (0.5, 1.0) and (second["axis 0-"], second["button 1"]) == (0.5, 0.0)
    assert joy.poll(0.1) == []


def test_silence_is_a_device_that_is_gone_until_it_speaks_again(joy: Stream) -> None:
    for now in (5.0, 4.9 + PATIENCE_S):
        with pytest.raises(NotYet):
            joy.opened(now)
    with pytest.raises(DeviceLost, match=r"(?s)joy has said nothing for 10 s.*Is joy_node running"):
        joy.opened(5.0 + PATIENCE_S)
    joy.feed(AXES, BUTTONS, 1.0)
    assert joy.opened(1.0) is joy and joy.poll(1.0 + 0.9 * SILENT_S)
    with pytest.raises(DeviceLost):
        joy.poll(1.0 + 1.1 * SILENT_S)


@pytest.mark.parametrize(("axes", "buttons", "says"), [
    ([0.0, 0.0], BUTTONS, "2 axes and 10 buttons, and no axis 4"),
    (AXES, [0, 0], "no button 4"),
    ([float("nan"), *AXES[1:]], BUTTONS, "says nan"),
    ([0.0, 32767.0, *AXES[2:]], BUTTONS, "says 32767.0"),
])
def test_a_message_that_does_not_fit_is_refused_and_what_came_before_it_is_over(
        joy: Stream, axes: list[float], buttons: list[int], says: str) -> None:
    joy.feed([1.0, *AXES[1:]], BUTTONS, 0.0)
    joy.feed(axes, buttons, 0.01)
    with pytest.raises(DeviceLost, match=says):
        joy.poll(0.02)
    joy.feed(AXES, BUTTONS, 0.03)
    assert joy.opened(0.03) is joy


def test_a_controller_without_a_cross_can_drive_at_its_first_speed(joy: Stream) -> None:
    joy.feed(AXES[:5], BUTTONS, 0.0)
    assert joy.poll(0.0)


def test_the_window_sends_actions() -> None:
    window, hand = Stream("window", WINDOW, "", DRIVING), Hand(WINDOW)
    window.feed([], [int(action in ("forward", "close")) for action in DRIVING], 0.0)
    for state in window.poll(0.0):
        hand.update(state)
    reading = hand.read()
    assert reading.held and reading.motion.tolist() == [1.0, 0.0, 0.0] and reading.pressed == ("close",)
