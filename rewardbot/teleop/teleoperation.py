"""A device, the hand on it and the driving, step by step. What a node has to do is call it and publish."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from rewardbot.teleop.bindings import SERVICES, Bindings
from rewardbot.teleop.device import Connection, Device
from rewardbot.teleop.driving import Command, Driving
from rewardbot.teleop.hand import Hand


@dataclass(frozen=True)
class Step:
    """What comes of one look at the device.

    Attributes:
        command: what to publish; None: nothing.
        services: what to call.
        news: what to tell.
    """

    command: Command | None
    services: tuple[str, ...] = ()
    news: str = ""


class Teleoperation:
    """See the module.

    Args:
        open: see `Connection`.
        bindings: of the device.
        driving: what makes the commands.
    """

    def __init__(self, open: Callable[[float], Device], bindings: Bindings, driving: Driving) -> None:
        self.driving = driving
        self._connection, self._hand = Connection(open), Hand(bindings)

    @property
    def device(self) -> Device | None:
        """The device while it is there."""
        return self._connection.device

    def step(self, now: float, orientation: NDArray[np.float64] | None) -> Step:
        """Looks at the device; to be called 20 to 50 times a second. See `Driving.command` for the arguments."""
        states, news = self._connection.poll(now)
        for state in states:
            self._hand.update(state)
        if self._connection.device is None:
            self._hand.release()
        reading = self._hand.read()
        command = self.driving.command(reading, now, orientation)
        return Step(command, tuple(SERVICES[action] for action in reading.pressed if action in SERVICES), news)

    def close(self) -> None:
        """Gives the device back."""
        self._connection.close()
