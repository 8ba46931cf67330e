"""Keys pressed by the X server itself (XTEST), as those of a keyboard are."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

from Xlib import XK, X, display
from Xlib.error import BadWindow
from Xlib.ext import xtest
from Xlib.protocol import event

PATIENCE_S = 60.0


class Keyboard:
    """The keyboard of an X server.

    Args:
        name: of the server, such as `:7`.
    """

    def __init__(self, name: str) -> None:
        self._display = display.Display(name)
        self._held: set[str] = set()

    def focus(self, title: str) -> None:
        """Gives the window of that title the keys, as a window manager would; waits for it to be there."""
        until = time.monotonic() + PATIENCE_S
        while (window := self._find(title)) is None:
            assert time.monotonic() < until, f"no window '{title}'"
            time.sleep(0.05)
        window.set_input_focus(X.RevertToParent, X.CurrentTime)
        self._display.sync()

    def sees(self, title: str) -> bool:
        """Whether a window of that title is on the screen."""
        return self._find(title) is not None

    def close_window(self, title: str, *, until: Callable[[], bool] = lambda: True) -> None:
        """What the cross in a window's corner does, again and again until it is so: a window may have to store something first."""
        protocols, delete = (self._display.intern_atom(name) for name in ("WM_PROTOCOLS", "WM_DELETE_WINDOW"))
        deadline = time.monotonic() + PATIENCE_S
        while True:
            if (window := self._find(title)) is not None:
                window.send_event(event.ClientMessage(window=window, client_type=protocols, data=(32, [delete, 0, 0, 0, 0])))
                self._display.sync()
            if until():
                return
            assert time.monotonic() < deadline, f"'{title}' does not close"
            time.sleep(0.1)

    def unfocus(self) -> None:
        """Takes the keys away from every window."""
        self._display.set_input_focus(X.PointerRoot, X.RevertToPointerRoot, X.CurrentTime)
        self._display.sync()

    def hold(self, keys: set[str]) -> None:
        """Holds these and lets go of all others."""
        for key in self._held - keys:
            self._send(X.KeyRelease, key)
        for key in keys - self._held:
            self._send(X.KeyPress, key)
        self._held = set(keys)

    def tap(self, key: str) -> None:
        """Down and up."""
        self._send(X.KeyPress, key)
        self._send(X.KeyRelease, key)

    def close(self) -> None:
        """Lets go of everything."""
        self.hold(set())
        self._display.close()

    def _send(self, kind: int, key: str) -> None:
        xtest.fake_input(self._display, kind, self._display.keysym_to_keycode(XK.string_to_keysym(key)))
        self._display.sync()

    def _find(self, title: str) -> Any:
        for window in self._display.screen().root.query_tree().children:
            try:
                if window.get_wm_name() == title and window.get_attributes().map_state == X.IsViewable:
                    return window
            except BadWindow:
                pass
        return None
