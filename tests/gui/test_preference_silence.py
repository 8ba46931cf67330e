"""Processes that hang while somebody answers: the window says who, asks for a Stop until it is heard, and answering goes on."""

from __future__ import annotations

import os
import signal
import sys
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest
from PyQt5.QtCore import Qt
from PyQt5.QtTest import QTest

from rewardbot.feedback.ledger import Ledger
from rewardbot.gui import preference_words as words
from rewardbot.gui import theme
from rewardbot.gui.learning_view import LearningView
from rewardbot.gui.preference_connection import connect
from rewardbot.gui.preference_session import LOOK_S
from rewardbot.training.fitting import LEDGER
from tests.ros.recorded import record

pytestmark = [pytest.mark.ros, pytest.mark.gui]

TIMEOUT_MS = 90_000


def test_a_learner_and_a_robot_that_hang_are_told_and_answering_goes_on(
    domain: int, start_node: Any, qtbot: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch,
    at_end: ExitStack
) -> None:
    record(tmp_path, 3)
    learner = start_node("learner_node", "-p", f"run_folder:={tmp_path}", ready=False)
    robot = start_node("sim_node", "-p", "task:=reach", "-p", "lockstep:=false", ready=False)
    start_node("preference_node", "-p", f"run_folder:={tmp_path}", "-p", "asking.steps:=8", "-p", "asking.clips:=12",
               "-p", "asking.schedule.first:=4", "-p", "asking.schedule.budget:=4", ready=False)
    monkeypatch.setattr(sys, "argv", ["preference_window", "--ros-args", "-p", "annotator:=ann"])
    bridge, make_window = connect()
    assert bridge.start()
    at_end.callback(bridge.close)
    window = make_window(theme.DARK)
    qtbot.addWidget(window)
    window.show()
    session, seen = window._session, []
    window.shown.connect(lambda what, query: seen.append(query) if what == "visible" else None)

    def until(true: Any) -> None:
        qtbot.waitUntil(true, timeout=TIMEOUT_MS)

    def badges() -> str:
        return " ".join(text for text, _ in words.badges(session))

    def toasts() -> str:
        return str(window.toasts.texts())

    def answer(number: int) -> None:
        until(lambda: len(seen) >= number)
        qtbot.wait(round(2000 * LOOK_S))
        QTest.keyClick(window, Qt.Key.Key_1)
        until(lambda: session.progress.answered == number)

    until(lambda: session.safety.stopped is False and "learner" not in session.silent() and "robot" not in session.silent())
    assert session.safety.estop[0] == "none (simulated)"
    os.killpg(learner.popen.pid, signal.SIGSTOP)
    until(lambda: "learner" in badges() and "robot" not in badges())  # a busy machine may hold up the robot for a moment, too
    answer(1)

    os.killpg(robot.popen.pid, signal.SIGSTOP)
    until(lambda: "learner" in badges() and "robot" in badges())
    assert session.safety.stopped is None and session.safety.estop[0] == "unknown", "what was fine is not known to be so now"
    QTest.keyClick(window, Qt.Key.Key_V)
    view = window.findChild(LearningView)
    assert view is not None
    rows = {name: text for name, text, _ in view._learning.rows()}
    assert rows["sim_node"].startswith("silent for") and rows["Stop"] == rows["hardware e-stop"] == "unknown"
    QTest.keyClick(window, Qt.Key.Key_Escape)
    until(lambda: "'stop' has not answered for 5 s." in toasts())
    answer(2)

    os.killpg(learner.popen.pid, signal.SIGCONT)
    os.killpg(robot.popen.pid, signal.SIGCONT)
    until(lambda: not {"learner", "robot"} & session.silent().keys())
    until(lambda: "Stopped" in badges())  # the robot has heard it now
    QTest.keyClick(window, Qt.Key.Key_R, Qt.KeyboardModifier.ControlModifier)
    until(lambda: session.safety.stopped is False)
    answer(3)

    until(lambda: len(seen) >= 4)
    bag = Path(session.question.bags[0])
    bag.rename(bag.with_name(f"{bag.name}.discarded"))
    until(lambda: "That question was withdrawn." in toasts() and session.query is None)
    window._shelf.close()
    bridge.close()
    with Ledger(tmp_path / LEDGER, read_only=True) as ledger:
        assert [one.given.annotator for one in ledger.history().responses.values()] == ["ann"] * 3
