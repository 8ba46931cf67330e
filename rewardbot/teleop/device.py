"""What a device is, and how a lost one comes back."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Protocol

from rewardbot.errors import RewardbotError
from rewardbot.teleop.bindings import Bindings

RETRY_S = 1.0
"""Time between two attempts to open a device that is gone [s]."""

Keys = Mapping[str, float]
"""Key -> value, as `Hand.update` takes it."""


class DeviceLost(RewardbotError):
    """A device that is not there, or no longer."""


class NotYet(DeviceLost):
    """A device that is not there and may just be about to come: nobody need be told."""


class Device(Protocol):
    """Something with keys.

    Attributes:
        name: for people.
        bindings: its usual table.
        note: what a person should know of it, empty if nothing.
    """

    name: str
    bindings: Bindings
    note: str

    def poll(self, now: float) -> list[Keys]:
        """Every state that the keys have had since the last time, oldest first; does not wait.

        Args:
            now: time of a clock that nobody sets [s].

        Raises:
            DeviceLost: it is gone.
        """
        ...

    def close(self) -> None:
        """Gives it back. May be called twice."""
        ...


class Connection:
    """A device that may be unplugged: it is opened again and again until it is back.

    Args:
        open: gets the time as `poll` does and opens it, or raises DeviceLost.

    Attributes:
        device: it, while it is there.
    """

    def __init__(self, open: Callable[[float], Device]) -> None:
        self.device: Device | None = None
        self._open, self._retry_at, self._why = open, 0.0, ""

    def poll(self, now: float) -> tuple[list[Keys], str]:
        """The states of the keys as `Device.poll` has them, and what a person should be told, empty if nothing."""
        try:
            if self.device is not None:
                return self.device.poll(now), ""
            if now < self._retry_at:
                return [], ""
            self.device = self._open(now)
            again, self._why = bool(self._why), ""
            return [], f"{self.device.name} is {'back' if again else 'there'}"
        except NotYet:
            self._retry_at = now + RETRY_S
            return [], ""
        except DeviceLost as error:
            self.close()
            self._retry_at = now + RETRY_S
            news, self._why = str(error) if str(error) != self._why else "", str(error)
            return [], news

    def close(self) -> None:
        """Gives the device back."""
        if self.device is not None:
            self.device.close()
        self.device = None
