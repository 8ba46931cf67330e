"""The preference window in its graph over DDS: a desk that comes late and is killed, and a second operator."""

from __future__ import annotations

import signal
import sys
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest
from diagnostic_msgs.msg import DiagnosticArray
from PyQt5.QtCore import Qt
from PyQt5.QtTest import QTest
from PyQt5.QtWidgets import QLabel
from sensor_msgs.msg import JointState
from std_msgs.msg import String

from rewardbot.data import decode
from rewardbot.feedback.feedback import Given, UnsafeInterval, answer_pair
from rewardbot.feedback.ledger import Ledger
from rewardbot.feedback.messages import PEOPLE, QUESTIONS, RECEIPTS, REQUESTS, Request
from rewardbot.gui import theme
from rewardbot.gui.preference_connection import connect
from rewardbot.gui.preference_session import LOOK_S
from rewardbot.ros import convert, qos
from rewardbot.types import EpisodeInfo, Segment
from tests.ros.recorded import record

pytestmark = [pytest.mark.ros, pytest.mark.gui]

FAST = ("-p", "robot:=sim_arm", "-p", "asking.steps:=8", "-p", "asking.clips:=12", "-p", "asking.schedule.first:=4",
        "-p", "asking.schedule.budget:=4")


def test_a_second_operator_joins_from_another_namespace(
    domain: int, client: Any, start_node: Any, qtbot: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch,
    at_end: ExitStack
) -> None:
    record(tmp_path, 3)
    topics = (QUESTIONS, RECEIPTS, REQUESTS, PEOPLE, "metrics")
    elsewhere = [part for topic in topics for part in ("-r", f"{topic}:=/rewardbot/{topic}")]
    monkeypatch.setattr(sys, "argv", ["preference_window", "--ros-args", "-p", "annotator:=bob", "-r", "__ns:=/other", *elsewhere])
    bridge, make_window = connect()
    assert bridge.start()
    at_end.callback(bridge.close)
    window = make_window(theme.DARK)
    qtbot.addWidget(window)
    window.show()
    session = window._session
    desk = start_node("preference_node", "-p", f"run_folder:={tmp_path}", *FAST)  # a window may be there before it is

    def shown(query: str = "") -> bool:
        return session.query is not None and session.query.id == window._visible != query

    qtbot.waitUntil(shown, timeout=60_000)
    assert session.query is not None
    first = session.query
    ann = Request("ann-1", "ann", answer_pair(first, "left", Given("ann", first.id, 1.0, 2.0, 1.0)))
    client.publisher(String, REQUESTS, qos.EVENTS).publish(String(data=ann.to_text()))
    qtbot.waitUntil(lambda: "That question was answered by ann." in str(window.toasts.texts()), timeout=30_000)
    qtbot.waitUntil(lambda: shown(first.id), timeout=60_000)
    second = session.query.id
    qtbot.wait(round(2000 * LOOK_S))
    QTest.keyClick(window, Qt.Key.Key_2)
    qtbot.waitUntil(lambda: session.progress.answered == 1, timeout=30_000)
    window._shelf.close()
    desk.end()
    with Ledger(next(iter(tmp_path.glob("*.db"))), read_only=True) as ledger:
        given = [response.given for response in ledger.history().responses.values()]
    assert [(one.annotator, one.query) for one in given] == [("ann", first.id), ("bob", second)]


def test_answers_go_over_the_graph_and_survive_a_desk_that_is_killed(
    domain: int, client: Any, start_node: Any, qtbot: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch,
    at_end: ExitStack
) -> None:
    record(tmp_path, 3)
    arguments = ("-p", f"run_folder:={tmp_path}", *FAST)
    desk = start_node("preference_node", *arguments)
    monkeypatch.setattr(sys, "argv", ["preference_window", "--ros-args", "-p", "annotator:=ann", "-p", "look:=dark"])
    bridge, make_window = connect()
    assert bridge.start()
    at_end.callback(bridge.close)
    window = make_window(theme.DARK)
    qtbot.addWidget(window)
    window.show()
    seen: list[str] = []
    window.shown.connect(lambda what, query: seen.append(query) if what == "visible" else None)

    def answer(number: int, *, wait: bool = True) -> None:
        qtbot.waitUntil(lambda: len(seen) >= number, timeout=60_000)
        qtbot.wait(round(2000 * LOOK_S))
        QTest.keyClick(window, Qt.Key.Key_1)
        if wait:
            qtbot.waitUntil(lambda: window._session.progress.answered == number, timeout=60_000)

    answer(1)
    desk.end(signal.SIGKILL)
    answer(2, wait=False)
    qtbot.waitUntil(lambda: "desk" in window._session.silent(), timeout=10_000)
    assert window._session.phase == "storing" and window._session.progress.answered == 1
    start_node("preference_node", *arguments)
    qtbot.waitUntil(lambda: window._session.progress.answered == 2, timeout=60_000)
    answer(3)
    # An episode runs, ten steps a second, and the newest joint state is of 3.1 s after its beginning. There is no sim_node.
    began = 5 * decode.NS_PER_S
    episodes = client.publisher(DiagnosticArray, decode.EPISODE, qos.EVENTS)
    states = client.publisher(JointState, decode.JOINT_STATES, qos.STATE)
    listening = [one for one in bridge._node.subscriptions if one.topic_name.endswith((decode.EPISODE, decode.JOINT_STATES))]
    client.wait(lambda: all(one.get_publisher_count() for one in listening), "both sides")
    episodes.publish(convert.episode_event(EpisodeInfo("policy-7", "lift", "sim_arm", "policy"), began))
    newest = JointState(header=convert.header(began + 31 * decode.NS_PER_S // 10))

    def runs() -> bool:
        states.publish(newest)
        return window._session.robot._just_now() is not None

    qtbot.waitUntil(runs, timeout=30_000)
    QTest.keyClick(window, Qt.Key.Key_Escape)
    qtbot.waitUntil(lambda: "Nobody offers 'stop' now." in str(window.toasts.texts()))
    qtbot.waitUntil(lambda: "stored as unsafe" in str(window.toasts.texts()), timeout=30_000)
    qtbot.waitUntil(lambda: "robot" in window._session.silent(), timeout=10_000)
    QTest.keyClick(window, Qt.Key.Key_V)
    assert window._beside["learning"].isVisible()
    QTest.keyClick(window, Qt.Key.Key_P)
    people = window._beside["people"]
    qtbot.waitUntil(lambda: people.isVisible() and "ann" in [label.text() for label in people.findChildren(QLabel)], timeout=30_000)
    assert window._beside["learning"].isHidden(), "one of them beside the questions"
    ledger = next(iter(tmp_path.glob("*.db")))
    with Ledger(ledger, read_only=True) as found:
        *answers, unsafe = found.history().responses.values()
    assert [response.given.annotator for response in answers] == ["ann"] * 3
    assert isinstance(unsafe, UnsafeInterval) and unsafe.segment == Segment("policy-7", 11, 31)
    assert (unsafe.reason, unsafe.given.annotator) == ("the operator pressed Stop", "ann")
    window._shelf.close()
