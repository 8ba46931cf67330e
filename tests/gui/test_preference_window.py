"""The preference window on recorded bags as a program: keys of an X server, a display that is lost, what cannot be used."""

from __future__ import annotations

import os
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from rewardbot.errors import ConfigError, DataError
from rewardbot.feedback.feedback import Ranking
from rewardbot.feedback.ledger import Ledger
from rewardbot.gui.preference_options import LabelOptions
from rewardbot.gui.preference_session import LOOK_S
from rewardbot.gui.preference_window import label
from tests.gui.bags import make_bags
from tests.gui.keyboard import Keyboard
from tests.gui.xserver import x_server

pytestmark = pytest.mark.gui

TITLE = "rewardbot: preferences"
CV2_FIRST = """
import cv2, sys
from pathlib import Path
from rewardbot.gui.preference_options import LabelOptions
from rewardbot.gui.preference_window import label
label(Path(sys.argv[1]), Path(sys.argv[2]), LabelOptions(annotator="ann", steps=6, trace=sys.argv[3]))
assert not {"torch", "rclpy"} & sys.modules.keys(), "a window on recorded bags needs neither"
from PyQt5.QtCore import QCoreApplication, Qt
assert QCoreApplication.testAttribute(Qt.AA_EnableHighDpiScaling)
"""


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
    with x_server() as server:
        window = begin(bags, tmp_path, DISPLAY=server.name)
        until(lambda: traced(tmp_path, "visible") >= 1, "clips")
        time.sleep(2 * LOOK_S)
        keyboard = Keyboard(server.name)
        keyboard.focus(TITLE)
        keyboard.tap("3")
        until(lambda: traced(tmp_path, "stored") >= 1, "an answer")
        server.kill()
        text, _ = window.communicate(timeout=60)
        assert window.returncode == 1 and "rewardbot label: The screen is gone" in text and "Traceback" not in text, text
        assert len(answers(tmp_path)) == 1


def test_what_a_locked_ledger_did_not_take_is_a_failure(bags: Path, keyboard: Keyboard, tmp_path: Path) -> None:
    ledger = tmp_path / "ledger.db"
    window = subprocess.Popen(
        [sys.executable, "-m", "rewardbot", "label", str(bags), "--ledger", str(ledger), "--annotator", "ann", "--steps", "6",
         "--trace", str(tmp_path / "trace")], text=True, stderr=subprocess.PIPE, env={**os.environ, "QT_QPA_PLATFORM": "xcb"})
    until(lambda: traced(tmp_path, "visible") >= 1, "clips")
    with closing(sqlite3.connect(ledger, isolation_level=None)) as another:
        another.execute("BEGIN IMMEDIATE")
        time.sleep(2 * LOOK_S)
        keyboard.focus(TITLE)
        keyboard.tap("1")
        keyboard.close_window(TITLE)
        _, said = window.communicate(timeout=60)
    assert window.returncode == 2 and "Traceback" not in said, said
    assert "rewardbot: Perhaps not stored: left to " in said and "is locked by another process" in said, said
    assert f"rewardbot ledger show {ledger}" in said and not answers(tmp_path)


@pytest.mark.parametrize("arguments", [
    ["-m", "rewardbot.gui.preference_window", "--ros-args", "-p", "annotator:=ann"],
    ["-m", "rewardbot", "up", "preferences", "teacher:=human"]])
def test_without_a_screen_the_programs_say_so_and_end(arguments: list[str]) -> None:
    ended = subprocess.run([sys.executable, *arguments], capture_output=True, text=True, timeout=60,
                           env={**os.environ, "QT_QPA_PLATFORM": "xcb", "DISPLAY": ":4711"})
    assert ended.returncode == 2 and "There is no screen: DISPLAY is ':4711'." in ended.stderr, ended.stderr
    assert "Traceback" not in ended.stderr


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
