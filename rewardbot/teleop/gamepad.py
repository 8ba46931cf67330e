"""A gamepad or joystick read directly, by the joystick interface of Linux (/dev/input/js*), without a joy node."""

from __future__ import annotations

import errno
import os
import struct
from pathlib import Path

from rewardbot.teleop.bindings import GAMEPAD
from rewardbot.teleop.device import DeviceLost, Keys

FOLDER = Path("/dev/input")
EVENT = struct.Struct("<IhBB")
"""`struct js_event` of linux/joystick.h: time [ms], value, type, number."""

BUTTON, AXIS, FIRST = 0x01, 0x02, 0x80
"""Types of events; FIRST is added for the state that is told when the device is opened."""

FULL = 32767.0


class Gamepad:
    """A `Device`.

    Args:
        path: the device file; None takes the first.

    Raises:
        DeviceLost: there is none, or it may not be read.
    """

    bindings = GAMEPAD
    note = ""

    def __init__(self, path: Path | None = None) -> None:
        path = path or next(iter(sorted(FOLDER.glob("js*"))), None)
        if path is None:
            raise DeviceLost("There is no gamepad.", valid=f"One appears as {FOLDER}/js0.",
                             next_step="Plug it in; device:=joy takes one from a joy node.")
        self.name = f"gamepad {path}"
        try:
            self._descriptor: int | None = os.open(path, os.O_RDONLY | os.O_NONBLOCK)
        except OSError as error:
            mend = "sudo usermod -aG input $USER, then log in again" if error.errno == errno.EACCES else "Plug it in."
            raise DeviceLost(f"{self.name} cannot be opened: {error.strerror}.", next_step=mend) from None
        self._keys: dict[str, float] = {}

    def poll(self, now: float) -> list[Keys]:
        """See `Device.poll`."""
        states: list[Keys] = []
        while data := self._read():
            for _, value, kind, number in EVENT.iter_unpack(data[: len(data) - len(data) % EVENT.size]):
                if kind & ~FIRST == BUTTON:
                    self._keys[f"button {number}"] = float(value != 0)
                elif kind & ~FIRST == AXIS:
                    self._keys |= axis(number, -value / FULL)  # as the joy node has it: left and up are positive
                states.append(dict(self._keys))
        return states

    def close(self) -> None:
        """See `Device.close`."""
        if self._descriptor is not None:
            os.close(self._descriptor)
        self._descriptor = None

    def _read(self) -> bytes:
        assert self._descriptor is not None
        try:
            data = os.read(self._descriptor, 64 * EVENT.size)
        except BlockingIOError:
            return b""
        except OSError as error:
            raise DeviceLost(f"{self.name} was unplugged: {error.strerror}.") from None
        if not data:
            raise DeviceLost(f"{self.name} was unplugged.")
        return data


def axis(number: int, value: float) -> dict[str, float]:
    """The keys of one axis."""
    return {f"axis {number}": value, f"axis {number}+": max(value, 0.0), f"axis {number}-": max(-value, 0.0)}
