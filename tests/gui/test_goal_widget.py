"""The real window, off screen, with key presses and releases."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PyQt5.QtCore import QEvent, Qt
from PyQt5.QtGui import QFocusEvent, QKeyEvent
from PyQt5.QtTest import QTest
from PyQt5.QtWidgets import QApplication, QLabel, QWidget

from rewardbot.gui import theme
from rewardbot.gui.goal_session import GoalConfig, GoalSession
from rewardbot.gui.goal_widget import GoalWidget
from rewardbot.gui.toasts import Toast
from rewardbot.rewards.image_classifier import ImageClassifierConfig
from rewardbot.robots.robot import CameraContract, RobotContract
from rewardbot.training.labels import LabelStore
from tests.goal_scene import SIZE, GoalScene

pytestmark = pytest.mark.gui

CONTRACT = RobotContract(name="webcam", cameras={"webcam": CameraContract(SIZE, SIZE)})


class Window:
    """The window, a stream of pictures, and a person's fingers."""

    def __init__(self, folder: Path, qtbot: Any, steps: int = 2, looks: theme.Looks = theme.DARK) -> None:
        theme.apply(QApplication.instance(), looks)  # type: ignore[arg-type]
        self.bot, self.stops, self.scene, self.now = qtbot, 0, GoalScene(1), 1_795_255_200.0
        self.widget = GoalWidget(("webcam",), stop=self._stop, looks=looks)
        config = GoalConfig(pause_s=1e6, classifier=ImageClassifierConfig(steps=steps))
        self.session = GoalSession(LabelStore(folder, CONTRACT), "webcam", config, changed=self.widget.changed.emit)
        self.widget.begin(self.session)
        qtbot.addWidget(self.widget)
        self.widget.show()
        qtbot.waitExposed(self.widget)

    def _stop(self) -> None:
        self.stops += 1

    def see(self, picture: np.ndarray, after_s: float = 0.25) -> None:
        self.now += after_s
        self.widget.show_pixels("webcam", picture)
        self.session.see({"webcam": picture}, self.now)
        done = threading.Event()
        self.session._tasks.put(done.set)
        self.until(done.is_set)

    def until(self, true: Callable[[], bool]) -> None:
        self.bot.waitUntil(true, timeout=30_000)

    def hold(self, key: Any, goal: bool, count: int) -> None:
        first, *rest = self.scene.burst(goal, count)
        self.see(first)
        QTest.keyPress(self.widget, key)
        for picture in rest:
            self.see(picture)
        QTest.keyRelease(self.widget, key)
        self.now += 3.0

    def tap(self, key: Any, to: Any = None) -> None:
        QTest.keyClick(to or self.widget, key)

    def said(self) -> str:
        """Everything that stands in the window now."""
        return "\n".join(label.text() for label in self.widget.findChildren(QLabel) if not label.isHidden())

    def shows(self, text: str) -> None:
        self.until(lambda: text in self.said())


@pytest.fixture
def window(tmp_path: Path, qtbot: Any) -> Iterator[Window]:
    found = Window(tmp_path, qtbot)
    yield found
    found.session.close()


@pytest.fixture
def asking(window: Window) -> Window:
    """A window with questions."""
    window.hold(Qt.Key.Key_G, True, 5)
    window.hold(Qt.Key.Key_N, False, 5)
    window.until(lambda: not window.see(window.scene.burst(True, 1)[0]) and window.session.state.probability is not None)
    for burst in range(8):
        window.see(window.scene.burst(burst % 2 == 0, 1)[0], after_s=0.6)
    window.until(lambda: len(window.session.state.questions) == 6)
    return window


def test_a_held_key_takes_pictures_until_it_goes_up(window: Window) -> None:
    window.shows("No picture from camera 'webcam' yet")
    window.see(window.scene.burst(True, 1)[0])
    window.shows("Hold  G  while the goal is visible,  N  while it is not")
    QTest.keyPress(window.widget, Qt.Key.Key_G)
    assert "\u25cf  Taking pictures WITH the goal" in window.said(), "at once, whatever the thread behind it does"
    for picture in window.scene.burst(True, 3):
        window.see(picture)
    for kind in (QEvent.Type.KeyRelease, QEvent.Type.KeyPress):  # what X sends while a key is held
        repeated = QKeyEvent(kind, int(Qt.Key.Key_G), Qt.KeyboardModifier.NoModifier, "g", True)
        QApplication.sendEvent(window.widget, repeated)
    assert window.session.held is True
    QTest.keyRelease(window.widget, Qt.Key.Key_G)
    assert window.session.held is None
    window.shows("\u25cf 4  in 1 burst")
    window.hold(Qt.Key.Key_N, False, 3)
    window.shows("\u25cb 3  in 1 burst")
    window.shows("4 pictures with the goal: at least 10 are needed.")
    assert len(list((window.session._store.folder / "not" / "webcam").iterdir())) == 3


def test_a_window_that_loses_the_keyboard_lets_go(window: Window) -> None:
    window.see(window.scene.burst(True, 1)[0])
    QTest.keyPress(window.widget, Qt.Key.Key_G)
    QApplication.sendEvent(window.widget, QEvent(QEvent.Type.WindowDeactivate))
    assert window.session.held is None
    QTest.keyPress(window.widget, Qt.Key.Key_G)
    window.widget.close()
    assert window.session.held is None


def test_light_colours_and_the_hardware_e_stop(tmp_path: Path, qtbot: Any) -> None:
    window, light = Window(tmp_path, qtbot, looks=theme.LIGHT), theme.LIGHT
    try:
        assert "! hardware e-stop: unknown" in window.said()
        window.widget.safety.metrics("cell", {"estop": "pressed"})
        window.see(window.scene.burst(True, 1)[0])
        window.until(lambda: "\u2717 hardware e-stop: pressed" in window.said())
        styles = " ".join(widget.styleSheet() for widget in (window.widget, *window.widget.findChildren(QWidget)))
        ours = {*light.colours.values(), light.soft, light.raised, light.ground, light.edge}
        assert set(re.findall("#[0-9a-f]{6}", styles)) <= ours
    finally:
        window.session.close()


def test_undo_save_stop_and_help_by_key_and_by_button(window: Window) -> None:
    window.hold(Qt.Key.Key_G, True, 3)
    window.shows("\u25cf 3  in 1 burst")
    QTest.keyClick(window.widget, Qt.Key.Key_Z, Qt.KeyboardModifier.ControlModifier)
    window.shows("3 pictures with the goal taken back")
    QTest.mouseClick(window.widget.buttons["undo"], Qt.MouseButton.LeftButton)
    window.shows("There is nothing to take back.")
    window.tap(Qt.Key.Key_S)
    window.shows("! Not saved: There is no picture with the goal yet.")
    window.tap(Qt.Key.Key_Escape)
    QTest.mouseClick(window.widget.buttons["stop"], Qt.MouseButton.LeftButton)
    assert window.stops == 2
    assert window.widget.help.isHidden()
    window.tap(Qt.Key.Key_Question)
    assert not window.widget.help.isHidden() and "hold it while the goal is visible" in window.said()
    window.tap(Qt.Key.Key_Question)
    assert window.widget.help.isHidden()


def test_keys_mean_the_same_wherever_the_focus_is(window: Window) -> None:
    window.see(window.scene.burst(True, 1)[0])
    button = window.widget.buttons["save"]
    button.setFocus()
    QTest.keyPress(button, Qt.Key.Key_G)
    assert window.session.held is True
    QTest.keyRelease(button, Qt.Key.Key_G)
    QTest.keyClick(button, Qt.Key.Key_Space)
    window.shows("Not saved")


def test_the_whole_window_is_reached_by_tab(asking: Window) -> None:
    chain, widget = [], asking.widget.nextInFocusChain()
    while widget is not asking.widget:
        chain.append(widget)
        widget = widget.nextInFocusChain()
    by_tab = [widget for widget in chain if widget.focusPolicy() & Qt.FocusPolicy.TabFocus]
    assert by_tab == [*asking.widget.thumbnails, *asking.widget.buttons.values()]


def test_tab_to_a_question_is_going_there(asking: Window) -> None:
    QApplication.sendEvent(asking.widget.thumbnails[3], QFocusEvent(QEvent.Type.FocusIn, Qt.FocusReason.TabFocusReason))
    assert "Question 4 of 6:" in asking.said()


def test_questions_are_answered_with_the_same_keys(asking: Window) -> None:
    numbers = [question.number for question in asking.session.state.questions]
    before = asking.session.state
    asking.shows("It is unsure about 6 pictures.  Right arrow: answer them")
    asking.tap(Qt.Key.Key_Right)
    assert "Question 1 of 6:" in asking.said()
    asking.tap(Qt.Key.Key_G)
    asking.until(lambda: asking.session.state.goal.pictures == before.goal.pictures + 1)
    assert asking.session.held is None, "nothing live was taken"
    assert [question.number for question in asking.session.state.questions][:5] == numbers[1:], "the others keep their places"
    asking.tap(Qt.Key.Key_Right)
    asking.shows("Question 2 of ")
    asking.tap(Qt.Key.Key_N)
    asking.tap(Qt.Key.Key_X)
    asking.until(lambda: asking.session.state.other.pictures == before.other.pictures + 1)
    asking.until(lambda: not {numbers[2], numbers[3]} & {question.number for question in asking.session.state.questions})
    asking.tap(Qt.Key.Key_L)
    asking.shows("Hold  G")
    QTest.mouseClick(asking.widget.thumbnails[0], Qt.MouseButton.LeftButton)
    assert "Question 1 of " in asking.said()


def test_after_the_last_question_a_key_labels_nothing_until_the_person_is_back(asking: Window) -> None:
    asking.tap(Qt.Key.Key_Left)
    while shown := asking.session.state.questions:
        asking.tap(Qt.Key.Key_X)
        asking.until(lambda shown=shown: asking.session.state.questions != shown)
    asking.shows("No more questions now.  L live picture")
    before = asking.session.state.goal.pictures
    asking.tap(Qt.Key.Key_G)
    asking.see(asking.scene.burst(True, 1)[0], 0.1)
    assert asking.session.state.goal.pictures == before and asking.session.held is None


def test_the_live_picture_waits_while_a_question_is_shown_large(asking: Window) -> None:
    asking.tap(Qt.Key.Key_Right)
    shown = asking.widget.views["webcam"].grab().toImage()
    asking.see(np.full((SIZE, SIZE, 3), 255, np.uint8), 0.1)
    assert asking.widget.views["webcam"].grab().toImage() == shown
    asking.tap(Qt.Key.Key_L)
    asking.see(np.full((SIZE, SIZE, 3), 255, np.uint8), 0.1)
    assert asking.widget.views["webcam"].grab().toImage() != shown


def test_a_key_is_answered_in_time_while_the_classifier_is_trained(tmp_path: Path, qtbot: Any) -> None:
    window = Window(tmp_path, qtbot, steps=1_000_000)
    window.hold(Qt.Key.Key_G, True, 5)
    window.hold(Qt.Key.Key_N, False, 5)
    window.until(lambda: window.session.state.training)
    taken = []
    for _ in range(30):
        began = time.perf_counter()
        QTest.keyPress(window.widget, Qt.Key.Key_G)
        QApplication.processEvents()
        assert "Taking pictures WITH" in window.said()
        taken.append(time.perf_counter() - began)
        QTest.keyRelease(window.widget, Qt.Key.Key_G)
    window.session.close()
    assert np.median(taken) < 0.1


def test_messages_go_away_and_repetitions_are_counted(window: Window, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("rewardbot.gui.toasts.SHOWN_MS", 300)
    toasts = window.widget.toasts
    for _ in range(3):
        window.widget.notice("the disk is full", "bad")
    assert toasts.texts() == ["\u2717 the disk is full  (3 times)"] and toasts.isVisible()
    corner = toasts.geometry().bottomRight()
    assert corner.x() <= window.widget.width() and corner.y() <= window.widget.height()
    window.until(lambda: toasts.texts() == [])
    assert not toasts.isVisible()
    window.widget.notice("the disk is full", "bad")
    (toast,) = toasts.findChildren(Toast)
    QApplication.sendEvent(toast, QEvent(QEvent.Type.Enter))
    QTest.qWait(600)
    assert toasts.isVisible(), "as long as the mouse is over it"
    QApplication.sendEvent(toast, QEvent(QEvent.Type.Leave))
    window.until(lambda: not toasts.isVisible())


GONE = """
import gc
from PyQt5.QtTest import QTest
from PyQt5.QtWidgets import QApplication, QWidget
from rewardbot.gui import toasts

toasts.SHOWN_MS = 50

class Window(QWidget):
    def __init__(self):
        super().__init__()
        self.toasts, self.itself = toasts.Toasts(self), lambda: self  # so that only the garbage collector finds it

application = QApplication([])
for _ in range(30):
    window = Window()
    window.toasts.say("the disk is full", "bad")
    window.show()
    window.close()
    window.deleteLater()
    del window
    gc.collect()
QTest.qWait(200)
assert application.allWidgets() == []
"""


def test_a_message_does_not_outlive_its_window() -> None:
    """Its timer would find nothing left, which ends the whole process."""
    subprocess.run([sys.executable, "-c", GONE], check=True, timeout=60, env={**os.environ, "QT_QPA_PLATFORM": "offscreen"})


def test_it_fits_a_small_screen(window: Window) -> None:
    window.widget.resize(1000, 640)
    window.widget.notice("x " * 300, "warning")
    assert (window.widget.width(), window.widget.height()) == (1000, 640)
    for button in window.widget.buttons.values():
        assert window.widget.rect().contains(button.geometry())
