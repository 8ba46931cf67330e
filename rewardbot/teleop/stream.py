"""A device whose state comes as messages: sensor_msgs/Joy of a joy node, and the window's keys."""

from __future__ import annotations

from collections.abc import Sequence

from rewardbot.teleop.bindings import DEAD_MAN, DRIVING, GRIPPER, MOTION, Binding, Bindings
from rewardbot.teleop.device import DeviceLost, Keys, NotYet
from rewardbot.teleop.gamepad import axis

SILENT_S = 0.3
"""Time without a message after which the device counts as gone [s]."""

PATIENCE_S = 10.0
"""Time given to whoever sends the messages, who may just be starting, before it is said that there are none [s]."""

WINDOW_TOPIC = "teleop/window"
"""Where the window's messages go."""

LARGEST = 1.001
"""Drivers round."""

WINDOW = Bindings(tuple(Binding(action, action, action) for action in DRIVING))
"""The window has a table of its own and sends actions: the buttons of its messages are these, in this order."""


class Stream:
    """A `Device` that is fed.

    Args:
        name: for people.
        bindings: its table.
        silence: what to do about it when no message comes.
        keys: names of the buttons; empty: `button 0` and so on.
    """

    note = ""

    def __init__(self, name: str, bindings: Bindings, silence: str, keys: Sequence[str] = ()) -> None:
        self.name, self.bindings, self._silence, self._names = name, bindings, silence, keys
        self._needed = [row.key for row in bindings.rows if row.action in (*MOTION, *GRIPPER, DEAD_MAN)]
        self._states: list[Keys] = []
        self._heard, self._wrong = float("-inf"), ""
        self._awaited: float | None = None  # since when the first message is

    def feed(self, axes: Sequence[float], buttons: Sequence[int], now: float) -> None:
        """Takes a message that came at `now` [s]; one that lacks a key to drive with, or has a value that is none, is refused."""
        keys: dict[str, float] = {}
        for number, value in enumerate(axes):
            keys |= axis(number, value)
        names = self._names or [f"button {number}" for number in range(len(buttons))]
        keys |= {name: float(value) for name, value in zip(names, buttons, strict=False)}
        if lacking := [key for key in self._needed if key not in keys]:
            self._wrong = (f"{self.name} has {len(axes)} axes and {len(buttons)} buttons, and no {', '.join(lacking)}.")
        elif broken := [value for value in axes if not abs(value) <= LARGEST]:
            self._wrong = f"{self.name} says {broken[0]}, which is not between -1 and 1."
        else:
            self._states.append(keys)
            self._heard, self._wrong = now, ""

    def opened(self, now: float) -> Stream:
        """Itself, while messages come.

        Raises:
            NotYet: there has been none, and it may still come.
            DeviceLost: they do not, or were refused.
        """
        if self._wrong:
            raise DeviceLost(self._wrong, next_step="Is it another controller? The parameter `bind` gives actions other keys.")
        if self._heard == float("-inf"):
            self._awaited = now if self._awaited is None else self._awaited
            if now - self._awaited < PATIENCE_S:
                raise NotYet(f"{self.name} has said nothing yet.")
            raise DeviceLost(f"{self.name} has said nothing for {PATIENCE_S:.0f} s.", next_step=self._silence)
        if now - self._heard > SILENT_S:
            raise DeviceLost(f"{self.name} has said nothing for {SILENT_S} s.", next_step=self._silence)
        return self

    def poll(self, now: float) -> list[Keys]:
        """See `Device.poll`."""
        self.opened(now)
        states, self._states = self._states, []
        return states

    def close(self) -> None:
        """See `Device.close`."""
        self._states.clear()
