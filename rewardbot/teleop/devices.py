"""The devices by name."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from rewardbot.teleop.bindings import DRIVING, GAMEPAD, KEYBOARD, SPACEMOUSE, Bindings
from rewardbot.teleop.device import Device
from rewardbot.teleop.gamepad import Gamepad
from rewardbot.teleop.spacemouse import SpaceMouse
from rewardbot.teleop.stream import WINDOW, Stream
from rewardbot.teleop.terminal import Terminal

DeviceName = Literal["window", "keyboard", "gamepad", "joy", "spacemouse"]
HELP = "window (its keys), keyboard (of this terminal), gamepad (read directly), joy (of a joy node) or spacemouse"

TABLES: dict[DeviceName, Bindings] = {
    "window": WINDOW, "keyboard": KEYBOARD, "gamepad": GAMEPAD, "joy": GAMEPAD, "spacemouse": SPACEMOUSE}
"""Name of a device -> its usual table."""


def make_stream(name: DeviceName, bindings: Bindings) -> Stream | None:
    """The device for one whose state comes as messages, None for the others."""
    if name == "window":
        return Stream("the window", bindings, "Is teleop_window running?", DRIVING)
    if name == "joy":
        return Stream("the joy node", bindings, "Is it running, with this topic and an autorepeat_rate of 20 or more?")
    return None


def open_device(name: DeviceName, path: str) -> Device:
    """Opens a device that is not a stream.

    Args:
        name: which.
        path: device file of a gamepad, empty for the first.

    Raises:
        DeviceLost: it is not there now.
        ConfigError: it can never be there as things are.
    """
    if name == "keyboard":
        return Terminal()
    return SpaceMouse() if name == "spacemouse" else Gamepad(Path(path) if path else None)
