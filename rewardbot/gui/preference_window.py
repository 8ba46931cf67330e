"""The preference window as a program: on the live graph as the node `preference_window`, or on recorded bags without a robot."""

from __future__ import annotations

import json
import signal
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rewardbot.data.library import Library
from rewardbot.errors import DataError
from rewardbot.feedback.ledger import Ledger
from rewardbot.feedback.messages import Questions
from rewardbot.feedback.people import People
from rewardbot.gui.learning import Learning
from rewardbot.gui.preference_options import LabelOptions, annotator
from rewardbot.gui.screen import check_screen

if TYPE_CHECKING:
    from PyQt5.QtWidgets import QApplication, QWidget

    from rewardbot.gui.bridge import Bridge
    from rewardbot.gui.people_view import PeopleView
    from rewardbot.gui.theme import Looks

SIGNALS_MS = 100


def label(bags: Path, ledger: Path, options: LabelOptions) -> None:
    """A window with questions about recorded bags, until it is closed.

    Args:
        bags: a bag, or a folder of bags.
        ledger: file for questions and answers.
        options: see `LabelOptions`.

    Raises:
        ConfigError: no screen, or PyQt5 is not installed.
        MissingSystemLibrary: a library that windows need.
        DataError: there are too few episodes, or the ledger cannot be used; or something that was said is not known to be stored.
    """
    check_screen()
    library = Library([bags], warn=lambda text: print(text, flush=True))
    library.refresh()
    if len(library) < 1:
        raise DataError(f"{bags} holds no episode that can be asked about.",
                        next_step="rewardbot bags list shows what there is; rewardbot bags verify what is wrong with it.")
    Ledger(ledger).close()  # what is wrong with it is told before there is a window
    from rewardbot.gui import preference_words, theme
    from rewardbot.gui.clips import ClipShelf
    from rewardbot.gui.learning_view import LearningView
    from rewardbot.gui.lost_screen import end_when_lost
    from rewardbot.gui.people_view import PeopleView
    from rewardbot.gui.preference_desk import LocalDesk
    from rewardbot.gui.preference_session import PreferenceSession
    from rewardbot.gui.preference_widget import PreferenceWidget

    application = theme.make_application("rewardbot label")
    looks = theme.looks(options.look, application)
    theme.apply(application, looks)
    window = PreferenceWidget(looks, scale=options.scale)
    learning = Learning(robot=False)
    text = round(13 * options.scale)
    people = PeopleView(looks, text)
    window.beside("learning", LearningView(learning, looks, text))
    window.beside("people", people)
    people.chosen.connect(window.look_at)
    window.message.connect(partial(_learn, learning, people))
    desk = LocalDesk(ledger, bags, library, options, window.message.emit)
    end_when_lost("rewardbot label", desk.close)
    shelf = ClipShelf(window.clip_done.emit)
    session = PreferenceSession(annotator(options), desk.send)
    window.begin(session, shelf)
    if options.trace:
        _trace(window, Path(options.trace))
    window.show()
    _run(application)
    desk.close()
    application.processEvents()  # its last receipts
    shelf.close()
    of = session.progress
    print(f"{ledger}: {of.answered} answered, {of.skipped} skipped in this sitting", flush=True)
    if text := preference_words.unconfirmed(session):
        raise DataError(text, next_step=f"rewardbot ledger show {ledger}")


def _run(application: QApplication) -> None:
    """Until the window is closed, or a signal asks for the end."""
    from PyQt5.QtCore import QTimer

    stopping: list[int] = []
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda number, frame: stopping.append(number))
    timer = QTimer()
    timer.timeout.connect(lambda: application.quit() if stopping else None)
    timer.start(SIGNALS_MS)
    application.exec_()


def _learn(learning: Learning, people: PeopleView, message: object) -> None:
    if isinstance(message, Questions):
        learning.questions(message)
    elif isinstance(message, People):
        learning.people(message)
        people.show_people(message)
    elif isinstance(message, dict):
        learning.desk(message)


def _trace(window: Any, path: Path) -> None:
    """Writes down what is on the screen as soon as it is, with the time of a clock that all processes share."""
    file = path.open("a", buffering=1)

    def write(what: str, query: str) -> None:
        file.write(json.dumps({"what": what, "query": query, "at": time.monotonic()}) + "\n")

    window.shown.connect(write)


def _load() -> tuple[Bridge[Any], Callable[[Looks], QWidget]]:
    from rewardbot.gui.preference_connection import connect

    return connect()


def main() -> None:
    """The program `preference_window`."""
    from rewardbot.gui.program import start  # rclpy, which a window on recorded bags does without

    start("preference_window", _load)


if __name__ == "__main__":
    main()
