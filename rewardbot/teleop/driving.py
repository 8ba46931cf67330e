"""From the hand's readings to commands: speed, axes, gripper, and silence as soon as the dead-man switch is let go."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from rewardbot.config import setting
from rewardbot.teleop.bindings import GRIPPER
from rewardbot.teleop.hand import Reading

Frame = Literal["base", "tool"]

SPEEDS = (0.05, 0.1, 0.2, 0.35, 0.5, 0.75, 1.0)
"""Speeds that `slower` and `faster` go through, as shares of a full action."""

PULSE_S = 0.15
"""Time for which a tap on a gripper's key holds the dead-man switch [s]: several commands, should one get lost."""


@dataclass(frozen=True)
class DrivingSettings:
    """How the arm answers to the hand."""

    speed: float = setting(0.5, "speed at first, share of a full action", min=0.01, max=1.0)
    frame: Frame = setting("base", "axes at first: base or tool")


@dataclass(frozen=True)
class Command:
    """What the arm shall do.

    Attributes:
        linear: velocity of the tool in the base frame, float64 (3,) [m/s].
        gripper: entry of the action: -1 close, 1 open, 0 as it is.
    """

    linear: NDArray[np.float64]
    gripper: float


class Driving:
    """Makes the commands.

    Args:
        full_speed: velocity of a full action [m/s].
        settings: see there.

    Attributes:
        speed: present share of it.
        frame: present axes.
        held: whether the operator commands now.
    """

    def __init__(self, full_speed: float, settings: DrivingSettings) -> None:
        self.speed, self.frame, self.held = settings.speed, settings.frame, False
        self._full_speed = full_speed
        self._gripper, self._pulse_until = 0.0, 0.0

    def command(self, reading: Reading, now: float, orientation: NDArray[np.float64] | None) -> Command | None:
        """What to command now; None is silence, in which whoever else commands the arm has it.

        The first time after the switch was let go the command is to stand still: silence shows only after a while.

        Args:
            reading: of the hand.
            now: time of a clock that nobody sets [s].
            orientation: the tool's, quaternion (w, x, y, z) in the base frame; None if unknown, and then the arm stands still
                as long as the tool's axes are driven in.
        """
        for action in reading.pressed:
            self._press(action, now)
        before, self.held = self.held, reading.held or now < self._pulse_until
        if not self.held:
            self._gripper = 0.0
            return Command(np.zeros(3), 0.0) if before else None
        linear = reading.motion * self.speed * self._full_speed if reading.held else np.zeros(3)
        if self.frame == "tool":
            linear = rotated(linear, orientation) if orientation is not None else np.zeros(3)
        return Command(linear, self._gripper)

    def _press(self, action: str, now: float) -> None:
        if action in GRIPPER:
            self._gripper, self._pulse_until = GRIPPER[action], now + PULSE_S
        elif action == "frame":
            self.frame = "tool" if self.frame == "base" else "base"
        elif action == "faster":
            self.speed = min((speed for speed in SPEEDS if speed > self.speed + 1e-6), default=self.speed)
        elif action == "slower":
            self.speed = max((speed for speed in SPEEDS if speed < self.speed - 1e-6), default=self.speed)


def rotated(vector: NDArray[np.float64], quaternion: NDArray[np.float64]) -> NDArray[np.float64]:
    """A vector (3,) of the frame that the unit quaternion (w, x, y, z) describes, in the frame in which that is given."""
    w, x, y, z = quaternion
    return np.array([[1 - 2 * (y * y + z * z), 2 * (x * y - w * z), 2 * (x * z + w * y)],
                     [2 * (x * y + w * z), 1 - 2 * (x * x + z * z), 2 * (y * z - w * x)],
                     [2 * (x * z - w * y), 2 * (y * z + w * x), 1 - 2 * (x * x + y * y)]]) @ vector
