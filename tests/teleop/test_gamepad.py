"""A gamepad by the bytes that Linux gives; a pipe stands for the device file."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from rewardbot.teleop import gamepad
from rewardbot.teleop.device import DeviceLost
from rewardbot.teleop.gamepad import AXIS, BUTTON, EVENT, FIRST, Gamepad


@pytest.fixture
def pad(tmp_path: Path) -> Iterator[tuple[Gamepad, int]]:
    """A gamepad, and the end of the pipe into which its events are written."""
    path = tmp_path / "js0"
    os.mkfifo(path)
    # Opened for reading as well, so that opening does not wait for the other end.
    plug = os.open(path, os.O_RDWR)
    found = Gamepad(path)
    yield found, plug
    found.close()


def press(plug: int, *events: tuple[int, int, int]) -> None:
    """Writes (value, type, number), ..."""
    os.write(plug, b"".join(EVENT.pack(0, *event) for event in events))


def test_axes_are_positive_to_the_left_and_up_as_those_of_a_joy_node(pad: tuple[Gamepad, int]) -> None:
    device, plug = pad
    press(plug, (0, BUTTON | FIRST, 4), (-32767, AXIS | FIRST, 1), (32767, AXIS, 7), (1, BUTTON, 4))
    assert device.poll(0.0)[-1] == {
        "button 4": 1.0, "axis 1": 1.0, "axis 1+": 1.0, "axis 1-": 0.0, "axis 7": -1.0, "axis 7+": 0.0, "axis 7-": 1.0}
    assert device.poll(0.1) == []


def test_no_press_is_lost_between_two_looks(pad: tuple[Gamepad, int]) -> None:
    device, plug = pad
    press(plug, (1, BUTTON, 0), (0, BUTTON, 0), (1, BUTTON, 0))
    assert [state["button 0"] for state in device.poll(0.0)] == [1.0, 0.0, 1.0]


def test_unplugged_it_is_lost(pad: tuple[Gamepad, int]) -> None:
    device, plug = pad
    os.close(plug)
    with pytest.raises(DeviceLost, match="was unplugged"):
        device.poll(0.0)
    device.close()
    device.close()


def test_without_one_it_says_what_to_do(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(gamepad, "FOLDER", tmp_path)
    with pytest.raises(DeviceLost, match="There is no gamepad"):
        Gamepad()
    with pytest.raises(DeviceLost, match="js7 cannot be opened"):
        Gamepad(tmp_path / "js7")
