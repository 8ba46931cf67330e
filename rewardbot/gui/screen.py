"""Whether a window can be opened here. Standard library only, so that what is missing can be told before Qt is imported.

Qt itself would abort the process.
"""

from __future__ import annotations

import ctypes
import importlib.util
import os
import sys

from rewardbot.errors import ConfigError, MissingSystemLibrary
from rewardbot.libraries import WINDOWS, apt_line, missing


def check_screen() -> None:
    """To be called before PyQt5 is imported.

    Raises:
        ConfigError: PyQt5 is not installed, or there is no X server.
        MissingSystemLibrary: a library that Qt's X plugin needs.
    """
    if importlib.util.find_spec("PyQt5") is None:
        raise ConfigError("PyQt5 is not installed, so there are no windows.", next_step="pip install 'rewardbot[gui]'")
    if sys.platform != "linux" or os.environ.get("QT_QPA_PLATFORM", "xcb") != "xcb" or os.environ.get("WAYLAND_DISPLAY"):
        return
    if lacking := missing(WINDOWS):
        raise MissingSystemLibrary(f"Windows need {', '.join(lacking)}.", next_step=apt_line(sorted(set(lacking.values()))))
    display = os.environ.get("DISPLAY", "")
    if not display or not _answers():
        raise ConfigError(f"There is no screen: DISPLAY is '{display}'.",
                          next_step="Log in with a desktop or with `ssh -X`; programs with a window may have a way without one.")


def _answers() -> bool:
    xcb = ctypes.CDLL("libxcb.so.1")
    xcb.xcb_connect.restype = ctypes.c_void_p
    connection = ctypes.c_void_p(xcb.xcb_connect(None, None))
    try:
        return xcb.xcb_connection_has_error(connection) == 0
    finally:
        xcb.xcb_disconnect(connection)
