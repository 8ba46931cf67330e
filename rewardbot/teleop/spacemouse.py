"""A SpaceMouse of 3Dconnexion, by pyspacemouse (extra `devices`)."""

from __future__ import annotations

import contextlib
import io
from typing import Any

from rewardbot.errors import ConfigError
from rewardbot.teleop.bindings import SPACEMOUSE
from rewardbot.teleop.device import DeviceLost, Keys

MOST_REPORTS = 100
"""Reports that are read in a row; it makes about 125 a second, and none may pile up."""


class SpaceMouse:
    """A `Device`.

    Raises:
        ConfigError: pyspacemouse or the library that it needs is not installed.
        DeviceLost: there is none, or it may not be opened.
    """

    bindings = SPACEMOUSE
    note = ""

    def __init__(self) -> None:
        try:
            import pyspacemouse
            from easyhid import HIDException
        except ImportError:
            raise ConfigError("pyspacemouse is not installed.", next_step="pip install 'rewardbot[devices]'") from None
        except OSError as error:
            raise _no_hidapi() from error
        self._error: type[Exception] = HIDException
        try:
            # It greets on stdout, which is for people only.
            with contextlib.redirect_stdout(io.StringIO()):
                self._mouse: Any = pyspacemouse.open(axis_convention=pyspacemouse.AxisConvention.ROS)
        except RuntimeError as error:
            if "HID API" in str(error):
                raise _no_hidapi() from error
            raise DeviceLost(f"No SpaceMouse: {error}".rstrip(".") + ".", next_step="Plug it in. `rewardbot doctor --only joystick` "
                             "tells whether this user may open it.") from None
        self.name, self._read_at = f"SpaceMouse {self._mouse.name}", -1.0

    def poll(self, now: float) -> list[Keys]:
        """See `Device.poll`."""
        states: list[Keys] = []
        for _ in range(MOST_REPORTS):
            try:
                state = self._mouse.read()
            except self._error as error:
                raise DeviceLost(f"{self.name} was unplugged: {error}.") from None
            if state.t == self._read_at:  # no further report
                break
            self._read_at = state.t
            states.append({"x": state.x, "y": state.y, "z": state.z,
                           **{f"button {number}": float(down) for number, down in enumerate(state.buttons)}})
        return states

    def close(self) -> None:
        """See `Device.close`."""
        self._mouse.close()


def _no_hidapi() -> ConfigError:
    return ConfigError("The library hidapi, by which a SpaceMouse is read, is missing.",
                       next_step="apt-get install -y libhidapi-hidraw0")
