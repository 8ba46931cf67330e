"""What each key of a device does: tables of key, description and action. They draw the help, too.

A key is what a person would call it: `w`, `Space`, `button 4`, `axis 1`. An axis has a value in [-1, 1]; `axis 7+` is its upper
half as a button, `axis 7-` its lower one.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace

from rewardbot.errors import ConfigError, unknown_name

MOTION = {"forward": (0, 1.0), "back": (0, -1.0), "left": (1, 1.0), "right": (1, -1.0), "up": (2, 1.0), "down": (2, -1.0)}
"""Action -> axis of the frame that is driven in, and sign. An axis of the device that is bound to one goes both ways."""

GRIPPER = {"close": -1.0, "open": 1.0}
"""Action -> entry of the action."""

DEAD_MAN = "dead-man"
DRIVING = (*MOTION, *GRIPPER, DEAD_MAN, "slower", "faster", "frame")
"""Actions of the hand that drives; the others are requests."""

SERVICES = {
    "start": "episode/start", "end": "episode/stop", "success": "episode/success", "failure": "episode/failure",
    "discard": "episode/discard", "again": "episode/again", "stop": "stop", "clear": "clear_stop",
}
"""Request -> the service that does it."""

ACTIONS = (*DRIVING, *SERVICES)


@dataclass(frozen=True)
class Binding:
    """One row of a table."""

    key: str
    description: str
    action: str

    @property
    def shown(self) -> str:
        """The key as it stands on a keyboard."""
        *held, last = self.key.split("+") if self.key.startswith("Ctrl+") else [self.key]
        return "+".join([*held, last.upper() if len(last) == 1 else last])


def refuse_clashes(rows: Sequence[Binding]) -> None:
    """No key may do two things.

    Raises:
        ConfigError: one does.
    """
    for key, count in Counter(row.key for row in rows).items():
        if count > 1:
            meant = " and ".join(f"'{row.action}'" for row in rows if row.key == key)
            raise ConfigError(f"The key '{key}' is bound to {meant}.", next_step="Bind one of them to another key.")


@dataclass(frozen=True)
class Bindings:
    """The table of a device.

    Attributes:
        rows: the keys.
        touch: any key that moves something counts as the dead-man switch, too.

    Raises:
        ConfigError: two rows have one key, or an action does not exist.
    """

    rows: tuple[Binding, ...]
    touch: bool = True

    def __post_init__(self) -> None:
        for row in self.rows:
            if row.action not in ACTIONS:
                raise unknown_name("action", row.action, ACTIONS)
        refuse_clashes(self.rows)

    def rebound(self, changes: str) -> Bindings:
        """The table with other keys: `action=key`, separated by commas; an action without a key is left out.

        Raises:
            ConfigError: a change of another form, an unknown action, or a clash.
        """
        rows = self.rows
        for change in filter(None, map(str.strip, changes.split(","))):
            action, separator, key = change.partition("=")
            if not separator:
                raise ConfigError(f"'{change}' binds nothing.", valid="action=key, such as success=button 3.")
            if action not in ACTIONS:
                raise unknown_name("action", action, ACTIONS)
            old = next((row for row in rows if row.action == action), Binding(key, action, action))
            rows = tuple(row for row in rows if row.action != action)
            rows += (replace(old, key=key),) if key else ()
        return replace(self, rows=rows)

    def help(self) -> str:
        """The table as text, a row each."""
        width = max(len(row.key) for row in self.rows)
        return "\n".join(f"{row.key:<{width}}  {row.description}" for row in self.rows)


def _requests(
    *, start: str, end: str, success: str, failure: str, discard: str, again: str, stop: str, clear: str
) -> tuple[Binding, ...]:
    return (
        Binding(start, "start an episode", "start"),
        Binding(success, "success: end it, or say so of the last one", "success"),
        Binding(failure, "failure: likewise", "failure"),
        Binding(end, "end it without a verdict", "end"),
        Binding(discard, "discard it, or the last one", "discard"),
        Binding(again, "discard and start again from the same state", "again"),
        Binding(stop, "Stop: the arm holds until it is cleared", "stop"),
        Binding(clear, "clear the Stop", "clear"),
    )


KEYBOARD = Bindings((
    Binding("w", "forward", "forward"),
    Binding("s", "back", "back"),
    Binding("a", "left", "left"),
    Binding("d", "right", "right"),
    Binding("r", "up", "up"),
    Binding("f", "down", "down"),
    Binding("q", "open the gripper", "open"),
    Binding("e", "close the gripper", "close"),
    Binding("Space", "take over and stand still", DEAD_MAN),
    Binding("[", "slower", "slower"),
    Binding("]", "faster", "faster"),
    Binding("t", "axes of the base or of the tool", "frame"),
    *_requests(start="Enter", end="x", success="y", failure="n", discard="Backspace", again="g", stop="Esc", clear="c"),
))
"""Whatever moves the arm takes over while it is held. For one hand on w, a, s, d and one for the verdicts."""

GAMEPAD = Bindings((
    Binding("button 4", "hold it to drive (dead-man switch, left shoulder)", DEAD_MAN),
    Binding("axis 1", "left stick: forward and back", "forward"),
    Binding("axis 0", "left stick: left and right", "left"),
    Binding("axis 4", "right stick: up and down", "up"),
    Binding("button 0", "A: close the gripper", "close"),
    Binding("button 1", "B: open the gripper", "open"),
    Binding("axis 7-", "cross down: slower", "slower"),
    Binding("axis 7+", "cross up: faster", "faster"),
    Binding("button 5", "right shoulder: axes of the base or of the tool", "frame"),
    *_requests(start="button 7", end="axis 6-", success="button 3", failure="button 2", discard="button 6", again="axis 6+",
               stop="button 8", clear="button 9"),
), touch=False)
"""Numbered as Linux and the joy node number an Xbox controller; axes are positive to the left and up."""

SPACEMOUSE = Bindings((
    Binding("x", "push: forward and back", "forward"),
    Binding("y", "push: left and right", "left"),
    Binding("z", "lift and press: up and down", "up"),
    Binding("button 0", "left button: close the gripper", "close"),
    Binding("button 1", "right button: open the gripper", "open"),
))
"""A touch takes over. Verdicts come from the window or the services: it has two buttons."""
