"""Keys of a window: what they are called, and a table of what they do that draws the help, too."""

from __future__ import annotations

from collections.abc import Sequence

from PyQt5.QtCore import QEvent, Qt
from PyQt5.QtGui import QKeyEvent

from rewardbot.teleop.bindings import Binding, refuse_clashes

_NAMES = {Qt.Key.Key_Space: "Space", Qt.Key.Key_Return: "Enter", Qt.Key.Key_Enter: "Enter", Qt.Key.Key_Escape: "Esc",
          Qt.Key.Key_Backspace: "Backspace", Qt.Key.Key_Tab: "Tab", Qt.Key.Key_Up: "Up", Qt.Key.Key_Down: "Down",
          Qt.Key.Key_Left: "Left", Qt.Key.Key_Right: "Right", Qt.Key.Key_Home: "Home", Qt.Key.Key_End: "End"}

REPEAT_MS = 5
"""A press so soon after the release of the same key is the X server's repetition of a held one, which Qt does not always see [ms]."""


class KeyTable:
    """The keys of a window.

    Args:
        rows: key, description and action of each; `Ctrl+z` is a key of its own.

    Raises:
        ConfigError: two actions have one key.
    """

    def __init__(self, rows: Sequence[Binding]) -> None:
        refuse_clashes(rows)
        self.rows = tuple(rows)
        self._actions = {row.key: row.action for row in rows}

    def action(self, event: QKeyEvent) -> str | None:
        """What the key of an event does."""
        name = key_name(event)
        control = event.modifiers() == Qt.KeyboardModifier.ControlModifier
        return self._actions.get(f"Ctrl+{name}" if control else name)

    def key(self, action: str) -> str:
        """The first key of an action, for people."""
        return next(row.shown for row in self.rows if row.action == action)


class Presses:
    """Tells presses of keys from repetitions of those that are held."""

    def __init__(self) -> None:
        self._released: dict[int, int] = {}

    def fresh(self, event: QKeyEvent) -> bool:
        """Whether a finger went down; to be told of every press and every release."""
        if event.type() == QEvent.Type.KeyRelease:
            self._released[event.key()] = event.timestamp()
            return False
        since = event.timestamp() - self._released.get(event.key(), -REPEAT_MS)
        return not event.isAutoRepeat() and (event.timestamp() == 0 or since >= REPEAT_MS)


def key_name(event: QKeyEvent) -> str:
    """What the key is called in tables of bindings, whatever Shift says."""
    key = event.key()
    return _NAMES.get(Qt.Key(key)) or (chr(key).lower() if 0x20 < key < 0x100 else "")
