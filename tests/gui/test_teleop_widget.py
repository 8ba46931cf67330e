"""The teleoperation window's looks and keys, off screen."""

from __future__ import annotations

import time
from itertools import product
from typing import Any

import numpy as np
import pytest
from PyQt5.QtCore import QEvent, QPoint, QRect, Qt
from PyQt5.QtGui import QFocusEvent, QKeyEvent
from PyQt5.QtWidgets import QApplication, QLabel, QPushButton

from rewardbot.gui import theme
from rewardbot.gui.teleop_session import TeleopSession
from rewardbot.gui.teleop_widget import RELEASE_MS, TeleopWidget, key_name
from rewardbot.teleop.bindings import DRIVING, KEYBOARD

pytestmark = pytest.mark.gui


class Case:
    """A window, and what its session called and sent."""

    def __init__(self, qtbot: Any) -> None:
        self.called: list[str] = []
        self.sent: list[list[int]] = []
        cameras = ("front", "wrist")
        session = TeleopSession(KEYBOARD, "window", cameras, call=self.called.append, send=self.sent.append)
        self.window = TeleopWidget(session, KEYBOARD, cameras)
        qtbot.addWidget(self.window)
        self.window.show()

    def held(self) -> set[str]:
        return {action for action, down in zip(DRIVING, self.sent[-1], strict=True) if down}

    def key(self, key: int, kind: QEvent.Type = QEvent.Type.KeyPress, *, repeated: bool = False) -> None:
        QApplication.sendEvent(self.window, QKeyEvent(kind, key, Qt.KeyboardModifier.NoModifier, "", repeated))


@pytest.fixture
def case(qtbot: Any) -> Case:
    return Case(qtbot)


@pytest.mark.parametrize(("key", "name"), [
    (Qt.Key.Key_W, "w"), (Qt.Key.Key_BracketLeft, "["), (Qt.Key.Key_Space, "Space"), (Qt.Key.Key_Enter, "Enter"),
    (Qt.Key.Key_Return, "Enter"), (Qt.Key.Key_Escape, "Esc"), (Qt.Key.Key_Backspace, "Backspace"), (Qt.Key.Key_F5, "")])
def test_keys_are_called_as_in_the_table(key: int, name: str) -> None:
    assert key_name(QKeyEvent(QEvent.Type.KeyPress, key, Qt.KeyboardModifier.ShiftModifier)) == name


def test_every_key_of_the_table_can_be_pressed(case: Case) -> None:
    names = {key_name(QKeyEvent(QEvent.Type.KeyPress, key, Qt.KeyboardModifier.NoModifier))
             for key in (*range(0x20, 0x100), *range(0x01000000, 0x01000020))}
    assert {row.key for row in KEYBOARD.rows} <= names


def test_repetitions_of_a_held_key_are_neither_presses_nor_releases(case: Case, qtbot: Any) -> None:
    case.key(Qt.Key.Key_W)
    case.key(Qt.Key.Key_Y)
    for _ in range(3):
        for kind, key in product((QEvent.Type.KeyRelease, QEvent.Type.KeyPress), (Qt.Key.Key_W, Qt.Key.Key_Y)):
            case.key(key, kind, repeated=True)
    assert case.held() == {"forward"} and case.called == ["episode/success"]
    case.key(Qt.Key.Key_W, QEvent.Type.KeyRelease)
    qtbot.waitUntil(lambda: case.held() == set())


def test_a_repetition_that_qt_takes_for_two_events_is_none(case: Case, qtbot: Any) -> None:
    for key in (Qt.Key.Key_W, Qt.Key.Key_Y):
        case.key(key)
        for _ in range(3):
            case.key(key, QEvent.Type.KeyRelease)
            case.key(key)
    qtbot.wait(2 * RELEASE_MS)
    assert case.held() == {"forward"} and all(sum(sent) == 1 for sent in case.sent[1:]) and case.called == ["episode/success"]


def test_losing_the_focus_lets_go_of_everything(case: Case) -> None:
    case.key(Qt.Key.Key_W)
    QApplication.sendEvent(case.window, QFocusEvent(QEvent.Type.FocusOut))
    assert case.held() == set()


def test_closing_the_window_lets_go_of_everything(case: Case) -> None:
    case.key(Qt.Key.Key_W)
    case.window.close()
    assert case.held() == set()


def test_it_beats_by_itself(case: Case, qtbot: Any) -> None:
    known = len(case.sent)
    qtbot.waitUntil(lambda: len(case.sent) >= known + 3)


def test_stop_is_a_button_too_and_takes_no_keys(case: Case, qtbot: Any) -> None:
    (button,) = case.window.findChildren(QPushButton)
    assert button.text() == "Stop (Esc)" and button.focusPolicy() == Qt.FocusPolicy.NoFocus
    qtbot.mouseClick(button, Qt.MouseButton.LeftButton)
    assert case.called == ["stop"]


def test_the_keys_are_on_the_window(case: Case) -> None:
    shown = "\n".join(label.text() for label in case.window.findChildren(QLabel))
    assert all(row.description in shown for row in KEYBOARD.rows)


def test_in_light_colours_and_with_larger_texts_nothing_is_cut_off(qtbot: Any) -> None:
    session = TeleopSession(KEYBOARD, "window", ("front",), call=lambda service: None, send=lambda held: None)
    window = TeleopWidget(session, KEYBOARD, ("front",), theme.LIGHT, scale=1.2)
    qtbot.addWidget(window)
    session.metrics("sim_node", {"stopped": 1.0, "estop": "pressed"}, time.monotonic())
    session.metrics("policy_node", {}, time.monotonic())
    window.resize(window.minimumSize())
    window.show()
    window._refresh()
    qtbot.waitExposed(window)
    said = {label.text(): label.styleSheet() for label in window.findChildren(QLabel)}
    assert theme.LIGHT.colours["bad"] in said["hardware e-stop:\n\u2717 pressed"]
    assert theme.LIGHT.colours["bad"] in said["\u2717 Stopped; C clears it"]
    for label in window.findChildren(QLabel):
        assert label.wordWrap() or label.width() >= label.sizeHint().width(), label.text()
        assert window.rect().contains(QRect(label.mapTo(window, QPoint(0, 0)), label.size())), label.text()


def test_an_image_fills_its_view_and_keeps_its_shape(case: Case, qtbot: Any) -> None:
    view = case.window.views["front"]
    pixels = np.zeros((64, 64, 3), np.uint8)
    pixels[:, :] = (200, 30, 60)
    view.show_pixels(pixels)
    view.resize(300, 200)
    shown = view.grab().toImage()
    colours = {name: shown.pixelColor(x, 100).getRgb()[:3] for name, x in (("middle", 150), ("left", 60), ("margin", 20))}
    assert colours["middle"] == colours["left"] == (200, 30, 60) != colours["margin"]
