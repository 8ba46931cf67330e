"""A window as a program: the screen is checked, the node runs behind it, a signal or the closed window ends both in order."""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, NoReturn

from rewardbot.errors import RewardbotError
from rewardbot.gui.screen import check_screen
from rewardbot.ros.node import Signals, leave
from rewardbot.ros.ports import own_ports

if TYPE_CHECKING:
    from PyQt5.QtWidgets import QWidget

    from rewardbot.gui.bridge import Bridge
    from rewardbot.gui.theme import Looks

SIGNALS_MS = 100
"""How often Python gets to run its signal handlers, which Qt's loop alone would never let it [ms]."""


def start(name: str, load: Callable[[], tuple[Bridge[Any], Callable[[Looks], QWidget]]]) -> NoReturn:
    """The whole of a program. PyQt5 is imported only when it is known that there can be a window.

    Args:
        name: of the program, for errors.
        load: imports what needs PyQt5; returns the bridge, which is then started and whose settings are `theme.LookSettings`, and
            what makes the window after that, in these colours.
    """
    signals = Signals()
    try:
        check_screen()
    except RewardbotError as error:
        print(f"{name}: {error}", file=sys.stderr, flush=True)
        sys.exit(error.exit_code)
    from PyQt5.QtCore import QTimer

    from rewardbot.gui import theme
    from rewardbot.gui.lost_screen import end_when_lost

    application = theme.make_application(name)
    bridge, make_window = load()
    with own_ports():
        started = bridge.start()
    if not started:
        leave(bridge.exit_code)
    end_when_lost(name, bridge.close)
    looks = theme.looks(bridge.settings.look, application)
    theme.apply(application, looks)
    window = make_window(looks)
    bridge.ended.connect(application.quit)
    timer = QTimer()
    timer.timeout.connect(lambda: application.quit() if signals.stopping() else None)
    timer.start(SIGNALS_MS)
    window.show()
    application.exec_()
    bridge.close()
    leave(bridge.exit_code)
