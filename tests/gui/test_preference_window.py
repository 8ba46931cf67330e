"""The preference window as a program: on recorded bags in an X server with real key events, and in its graph over DDS."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from PyQt5.QtCore import Qt
from PyQt5.QtTest import QTest
from std_msgs.msg import String

from rewardbot.errors import ConfigError, DataError
from rewardbot.feedback.feedback import Given, Ranking, answer_pair
from rewardbot.feedback.ledger import Ledger
from rewardbot.feedback.messages import QUESTIONS, RECEIPTS, REQUESTS, Request
from rewardbot.gui.preference_connection import connect
from rewardbot.gui.preference_options import LabelOptions
from rewardbot.gui.preference_session import LOOK_S
from rewardbot.gui.preference_window import label
from rewardbot.ros import qos
from tests.gui.bags import make_bags
from tests.gui.keyboard import Keyboard
from tests.ros.recorded import record

pytestmark = [pytest.mark.ros, pytest.mark.gui]

TITLE = "rewardbot: preferences"
CV2_FIRST = """
import cv2, sys
from pathlib import Path
from rewardbot.gui.preference_options import LabelOptions
from rewardbot.gui.preference_window import label
label(Path(sys.argv[1]), Path(sys.argv[2]), LabelOptions(annotator="ann", steps=6, trace=sys.argv[3]))
"""
FAST = ("-p", "robot:=sim_arm", "-p", "asking.steps:=8", "-p", "asking.clips:=12", "-p", "asking.schedule.first:=4",
        "-p", "asking.schedule.budget:=4")


@pytest.fixture
def keyboard(screen: str) -> Iterator[Keyboard]:
    found = Keyboard(screen)
    yield found
    found.close()


@pytest.fixture(scope="module")
def bags(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("bags")
    make_bags(folder, 3)
    return folder


def begin(bags: Path, folder: Path, **environment: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-c", CV2_FIRST, str(bags), str(folder / "ledger.db"), str(folder / "trace")], text=True,
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT, env={**os.environ, "QT_QPA_PLATFORM": "xcb", **environment})


def until(true: Callable[[], bool], what: str) -> None:
    deadline = time.monotonic() + 60.0
    while not true():
        assert time.monotonic() < deadline, what
        time.sleep(0.02)


def traced(folder: Path, what: str) -> int:
    trace = folder / "trace"
    return trace.read_text().count(f'"{what}"') if trace.exists() else 0


def answers(folder: Path) -> list[Any]:
    with Ledger(folder / "ledger.db", read_only=True) as ledger:
        ledger.verify()
        return list(ledger.history().responses.values())


def test_keys_of_a_keyboard_answer_about_recorded_bags_with_opencv_imported_first(
    bags: Path, keyboard: Keyboard, tmp_path: Path
) -> None:
    """opencv-python brings Qt plugins of its own; the headless one that we install must not."""
    window = begin(bags, tmp_path)

    def answer(number: int, key: str) -> None:
        until(lambda: traced(tmp_path, "visible") >= number, "clips")
        time.sleep(2 * LOOK_S)  # a person looks
        keyboard.focus(TITLE)
        keyboard.tap(key)
        until(lambda: traced(tmp_path, "stored") >= number, "an answer")

    answer(1, "1")
    answer(2, "2")
    keyboard.close_window(TITLE)
    text, _ = window.communicate(timeout=60)
    assert window.returncode == 0 and "2 answered, 0 skipped in this sitting" in text, text
    first, second = answers(tmp_path)
    assert isinstance(first, Ranking) and isinstance(second, Ranking) and first.given.annotator == "ann"
    assert 2 * LOOK_S <= first.given.seconds < 60.0


def test_when_the_display_is_lost_what_was_acknowledged_is_there(bags: Path, tmp_path: Path) -> None:
    if (program := shutil.which("Xvfb")) is None:
        pytest.skip("Xvfb is not installed")
    reading, writing = os.pipe()
    server = subprocess.Popen([program, "-displayfd", str(writing), "-screen", "0", "1280x720x24", "-nolisten", "tcp"],
                              pass_fds=[writing], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    os.close(writing)
    with os.fdopen(reading) as told:
        display = f":{told.readline().strip()}"
    window = begin(bags, tmp_path, DISPLAY=display)
    until(lambda: traced(tmp_path, "visible") >= 1, "clips")
    time.sleep(2 * LOOK_S)
    keyboard = Keyboard(display)
    keyboard.focus(TITLE)
    keyboard.tap("3")
    until(lambda: traced(tmp_path, "stored") >= 1, "an answer")
    server.kill()
    server.wait()
    text, _ = window.communicate(timeout=60)
    assert window.returncode not in (0, None) and "X11 connection broke" in text
    assert len(answers(tmp_path)) == 1


def test_what_cannot_be_used_is_told_before_a_window_opens(bags: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(DataError, match="holds no episode that can be asked about"):
        label(tmp_path, tmp_path / "ledger.db", LabelOptions())
    (tmp_path / "other.db").write_text("this is no ledger, and never was one, however long one looks at it" * 20)
    with pytest.raises(DataError, match="is no ledger"):
        label(bags, tmp_path / "other.db", LabelOptions())
    monkeypatch.setenv("QT_QPA_PLATFORM", "xcb")
    monkeypatch.setenv("DISPLAY", ":4711")
    with pytest.raises(ConfigError, match="There is no screen"):
        label(bags, tmp_path / "ledger.db", LabelOptions())


def test_a_second_operator_joins_from_another_namespace(
    domain: int, client: Any, start_node: Any, qtbot: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    record(tmp_path, 3)
    elsewhere = [part for topic in (QUESTIONS, RECEIPTS, REQUESTS, "metrics") for part in ("-r", f"{topic}:=/rewardbot/{topic}")]
    monkeypatch.setattr(sys, "argv", ["preference_window", "--ros-args", "-p", "annotator:=bob", "-r", "__ns:=/other", *elsewhere])
    bridge, make_window = connect()
    assert bridge.start()
    window = make_window()
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
    bridge.close()
    desk.end()
    with Ledger(next(iter(tmp_path.glob("*.db"))), read_only=True) as ledger:
        given = [response.given for response in ledger.history().responses.values()]
    assert [(one.annotator, one.query) for one in given] == [("ann", first.id), ("bob", second)]


def test_answers_go_over_the_graph_and_survive_a_desk_that_is_killed(
    domain: int, start_node: Any, qtbot: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    record(tmp_path, 3)
    arguments = ("-p", f"run_folder:={tmp_path}", *FAST)
    desk = start_node("preference_node", *arguments)
    monkeypatch.setattr(sys, "argv", ["preference_window", "--ros-args", "-p", "annotator:=ann", "-p", "look:=dark"])
    bridge, make_window = connect()
    assert bridge.start()
    window = make_window()
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
    QTest.keyClick(window, Qt.Key.Key_Escape)
    qtbot.waitUntil(lambda: "Nobody offers 'stop' now." in str(window.toasts.texts()))
    QTest.keyClick(window, Qt.Key.Key_V)
    assert window._beside is not None and window._beside.isVisible()
    ledger = next(iter(tmp_path.glob("*.db")))
    with Ledger(ledger, read_only=True) as found:
        assert [response.given.annotator for response in found.history().responses.values()] == ["ann"] * 3
    window._shelf.close()
    bridge.close()
