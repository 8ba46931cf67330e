"""The window for labelling pictures of a goal as a program: keys make examples, these a classifier."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from rewardbot.gui.program import start

if TYPE_CHECKING:
    from PyQt5.QtWidgets import QWidget

    from rewardbot.gui.bridge import Bridge
    from rewardbot.gui.theme import Looks


def _load() -> tuple[Bridge[Any], Callable[[Looks], QWidget]]:
    from rewardbot.gui.goal_connection import connect

    return connect()


def main() -> None:
    """The program `goal_window`."""
    start("goal_window", _load)


if __name__ == "__main__":
    main()
