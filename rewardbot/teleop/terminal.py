"""The keyboard of a terminal, which tells what is typed and never when a key is let go.

A key counts as held until shortly after it was last repeated. What Ctrl-C does stays as it is.
"""

from __future__ import annotations

import os
import re
import select
import sys
import termios
import tty
from collections.abc import Iterator
from contextlib import contextmanager

from rewardbot.errors import ConfigError
from rewardbot.teleop.bindings import KEYBOARD
from rewardbot.teleop.device import DeviceLost, Keys

HELD_S = 0.15
"""Time after its last repeat for which a key counts as held [s]; terminals repeat about 30 times a second."""

_NAMES = {"\r": "Enter", "\n": "Enter", " ": "Space", "\x7f": "Backspace", "\x08": "Backspace", "\t": "Tab", "\x1b": "Esc",
          "\x1b[A": "Up", "\x1b[B": "Down", "\x1b[C": "Right", "\x1b[D": "Left"}
_KEYS = re.compile(r"\x1b[\[O][0-9;]*[A-Za-z~]|.", re.DOTALL)


class Terminal:
    """A `Device`; puts the terminal into a mode without echo and lines until `close`.

    Args:
        descriptor: of the terminal, stdin if not given.

    Raises:
        ConfigError: that is no terminal.
    """

    name = "terminal keyboard"
    bindings = KEYBOARD
    note = (f"A terminal does not tell when a key is let go: a key counts as held for {HELD_S} s after it was last repeated, so a "
            "tap is a nudge, and two keys at a time are not possible. The window can do both.")

    def __init__(self, descriptor: int | None = None) -> None:
        self._descriptor = sys.stdin.fileno() if descriptor is None else descriptor
        if not os.isatty(self._descriptor):
            raise ConfigError("There is no terminal to read keys from.",
                              valid="device:=keyboard needs one, as `rewardbot up teleop device:=keyboard` typed in it has.",
                              next_step="Use device:=window, or run teleop_node by itself in a terminal.")
        self._before: list[object] | None = termios.tcgetattr(self._descriptor)
        tty.setcbreak(self._descriptor, termios.TCSANOW)
        self._until: dict[str, float] = {}

    def poll(self, now: float) -> list[Keys]:
        """See `Device.poll`."""
        for key in names(self._typed()):
            self._until[key] = now + HELD_S
        self._until = {key: until for key, until in self._until.items() if now < until}
        return [dict.fromkeys(self._until, 1.0)]

    def close(self) -> None:
        """See `Device.close`."""
        if self._before is not None:
            restore(self._descriptor, self._before)
        self._before = None

    def _typed(self) -> str:
        typed = b""
        while select.select([self._descriptor], [], [], 0.0)[0]:
            try:
                data = os.read(self._descriptor, 1024)
            except OSError:
                data = b""
            if not data:
                raise DeviceLost("The terminal is gone.")
            typed += data
        return typed.decode("utf-8", "replace")


def names(typed: str) -> list[str]:
    """The names of the keys that were typed; an escape sequence is one key, of no name if it is not known."""
    keys: list[str] = _KEYS.findall(typed)
    return [_NAMES.get(key, key) for key in keys]


def restore(descriptor: int, attributes: list[object]) -> None:
    """Puts a terminal back, if it is still there."""
    try:
        termios.tcsetattr(descriptor, termios.TCSANOW, attributes)  # pyright: ignore[reportArgumentType]
    except termios.error:
        pass


@contextmanager
def kept() -> Iterator[None]:
    """Leaves the terminal of stdin, if it is one, as it was, whatever a child that was killed has made of it."""
    descriptor = sys.stdin.fileno() if sys.stdin is not None and sys.stdin.isatty() else None
    before: list[object] = termios.tcgetattr(descriptor) if descriptor is not None else []
    try:
        yield
    finally:
        if descriptor is not None:
            restore(descriptor, before)
