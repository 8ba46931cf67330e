"""What a program with a window does when the screen goes away under it: says so, stores what is on its way, and ends."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable

from PyQt5.QtCore import QMessageLogContext, QtMsgType, qInstallMessageHandler

LOST = "X11 connection broke"
"""What Qt says then, just before it ends the process where it is."""

EXIT_CODE = 1
"""Not that of a user's mistake: whoever looks after the program may try again."""


def end_when_lost(name: str, close: Callable[[], None]) -> None:
    """To be called once, when there is an application.

    Args:
        name: of the program.
        close: ends what stores and sends; must not touch a widget.
    """

    def handle(kind: QtMsgType, context: QMessageLogContext, text: str | None) -> None:
        if LOST not in (text or ""):
            print(text, file=sys.stderr, flush=True)
            return
        close()
        print(f"{name}: The screen is gone: the X server ended, or the connection to it.\n  What was shown as stored is on the disk."
              "\n  Start it again when there is a screen.", file=sys.stderr, flush=True)
        sys.stdout.flush()
        os._exit(EXIT_CODE)  # no destructor of a widget has a screen to talk to

    qInstallMessageHandler(handle)
