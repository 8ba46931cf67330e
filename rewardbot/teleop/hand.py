"""What a person's hand says, from the state of a device's keys and its table of bindings."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from rewardbot.teleop.bindings import DEAD_MAN, GRIPPER, MOTION, Bindings

DEADBAND = 0.1
"""Part of an axis around its middle that counts as the middle: sticks do not come back quite."""

PRESSED = 0.5
"""Value from which an axis counts as pressed where it is used as a button."""


@dataclass(frozen=True)
class Reading:
    """A moment of the hand.

    Attributes:
        motion: x, y and z of the frame that is driven in, float64 (3,), each in [-1, 1].
        held: the dead-man switch is held, or what counts as it.
        pressed: actions whose keys went down since the reading before, in order.
    """

    motion: NDArray[np.float64]
    held: bool
    pressed: tuple[str, ...]


class Hand:
    """Follows the keys of one device; what went down meanwhile is in the next reading, even if it is up again.

    Args:
        bindings: of the device.
    """

    def __init__(self, bindings: Bindings) -> None:
        self._rows, self._touch = bindings.rows, bindings.touch
        self._down: set[str] = set()
        self._pressed: list[str] = []
        self._values: Mapping[str, float] = {}
        self._barred = False  # until the dead-man switch is let go

    def update(self, values: Mapping[str, float]) -> None:
        """Takes the state of the device: key -> value, 0 or 1 for a button, -1 to 1 for an axis; keys that are not in it are up.

        A value that is not a number is none.
        """
        self._values = values
        down = {row.key for row in self._rows if self._value(row.key) > PRESSED}
        self._pressed += [row.action for row in self._rows if row.key in down - self._down and row.action not in MOTION]
        self._down = down
        self._barred &= self._held()

    def release(self) -> None:
        """All keys are up, as when the device is gone; when it is back, the dead-man switch must be let go before it counts."""
        self._values, self._down, self._barred = {}, set(), True

    def read(self) -> Reading:
        """The present state, and what was pressed since the last time."""
        motion = np.zeros(3)
        for row in self._rows:
            if row.action in MOTION:
                axis, sign = MOTION[row.action]
                motion[axis] += sign * self._value(row.key)
        pressed, self._pressed = tuple(self._pressed), []
        return Reading(np.clip(motion, -1.0, 1.0), self._held() and not self._barred, pressed)

    def _held(self) -> bool:
        switches = (DEAD_MAN, *MOTION, *GRIPPER) if self._touch else (DEAD_MAN,)
        return any(self._value(row.key) != 0.0 for row in self._rows if row.action in switches)

    def _value(self, key: str) -> float:
        """The value of a key beyond the deadband, from 0 on."""
        value = self._values.get(key, 0.0)
        beyond = abs(value) - DEADBAND if math.isfinite(value) else 0.0
        return math.copysign(min(beyond / (1.0 - DEADBAND), 1.0), value) if beyond > 0.0 else 0.0
