"""The looks of the window for labelling a goal: live pictures, the classifier's opinion and questions, the state in words."""

from __future__ import annotations

import time
from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray
from PyQt5.QtCore import QEvent, QObject, Qt, QTimer, pyqtSignal
from PyQt5.QtGui import QCloseEvent, QKeyEvent, QShowEvent
from PyQt5.QtWidgets import QFrame, QGridLayout, QHBoxLayout, QLabel, QPushButton, QVBoxLayout, QWidget

from rewardbot.gui import goal_words, theme
from rewardbot.gui.camera_view import CameraView
from rewardbot.gui.goal_examples import Side
from rewardbot.gui.goal_parts import ProbabilityBar, Thumbnail, colour_of
from rewardbot.gui.goal_questions import SHOWN
from rewardbot.gui.goal_session import GoalSession
from rewardbot.gui.goal_words import GOAL_SIGN, KEYS, OTHER_SIGN, At
from rewardbot.gui.key_help import KeyHelp
from rewardbot.gui.keys import KeyTable
from rewardbot.gui.level import Level
from rewardbot.gui.safety import Safety
from rewardbot.gui.silence import SILENT_S
from rewardbot.gui.toasts import Toasts

REFRESH_MS = 200


class GoalWidget(QWidget):
    """The window.

    Args:
        cameras: names.
        stop: asks the robot to stop.
        looks: colours.
        scale: of all texts.

    Attributes:
        safety: what is known of it.
        changed: to be emitted, in any thread, when the session's state is another.
        views: camera name -> live picture.
    """

    changed = pyqtSignal()

    def __init__(self, cameras: tuple[str, ...], stop: Callable[[], None], looks: theme.Looks = theme.DARK, *,
                 scale: float = 1.0) -> None:
        super().__init__()
        self._looks, self._scale, self.safety = looks, scale, Safety()
        text = round(15 * scale)
        self.setWindowTitle("rewardbot: pictures of the goal")
        self.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        self._keys, self._stop = KeyTable(KEYS), stop
        self._session: GoalSession
        self._asked, self._number, self._told = False, 0, 0
        self._seen = dict.fromkeys(cameras, float("-inf"))
        self.views = {name: CameraView(name, round(13 * scale)) for name in cameras}
        self.thumbnails = [Thumbnail(len(cameras), lambda place=place: self._go_to(place), looks, text) for place in range(SHOWN)]
        self._headline, self._asking = QLabel(), QLabel()
        self._live = QFrame()
        self._bar = ProbabilityBar(looks, text)
        self._estop = QLabel()
        self._verdict, self._advice = QLabel(), QLabel()
        self._facts = {name: QLabel() for name in ("with the goal", "without the goal", "held-out accuracy")}
        self.buttons = {action: self._button(text, tip, action) for action, text, tip in (
            ("undo", "Undo", "takes back the last key press or answer"), ("save", "Save", "writes the classifier"),
            ("help", "Keys", "shows all keys"), ("stop", "Stop", "the robot holds until it is cleared"))}
        self.toasts, self.help = Toasts(self, looks, text), KeyHelp(self, looks, text)
        self._lay_out()
        for widget in (self, *self.thumbnails, *self.buttons.values()):
            widget.installEventFilter(self)
        self._timer = QTimer(self)
        self._timer.timeout.connect(self._refresh)

    def begin(self, session: GoalSession) -> None:
        """Takes the session that it shows, whose `changed` is the signal of that name."""
        self._session = session
        self.changed.connect(self._refresh)
        self._timer.start(REFRESH_MS)
        self._refresh()

    def show_pixels(self, camera: str, pixels: NDArray[np.uint8]) -> None:
        """The newest image of a camera, uint8 (H, W, 3)."""
        self._seen[camera] = time.monotonic()
        if not self._asked:  # then the question is shown large
            self.views[camera].show_pixels(pixels)

    def notice(self, text: str, level: Level) -> None:
        """Something happened that is no part of the session."""
        self.toasts.say(text, level)

    # Looks ---------------------------------------------------------------------------------------------------------------

    def _button(self, text: str, tip: str, action: str) -> QPushButton:
        button = QPushButton(f"{text} ({self._keys.key(action)})")
        button.setObjectName(action)
        button.setToolTip(tip)
        button.clicked.connect(lambda: self._do(action))
        return button

    def _lay_out(self) -> None:
        self.setStyleSheet(theme.sheet(self._looks, round(15 * self._scale)))
        self._headline.setMinimumHeight(round(48 * self._scale))
        self._estop.setWordWrap(True)
        self._live.setObjectName("live")
        live = QHBoxLayout(self._live)
        for view in self.views.values():
            live.addWidget(view, 1)
        thumbnails = QHBoxLayout()
        for thumbnail in self.thumbnails:
            thumbnails.addWidget(thumbnail, 1)
        left, middle, whole = QVBoxLayout(), QHBoxLayout(), QVBoxLayout(self)
        left.addWidget(self._live, 1)
        left.addWidget(self._asking)
        left.addLayout(thumbnails)
        middle.addLayout(left, 1)
        middle.addWidget(self._panel())
        whole.setContentsMargins(16, 8, 16, 16)
        whole.setSizeConstraint(QVBoxLayout.SizeConstraint.SetNoConstraint)  # a longer text does not move the window
        self.setMinimumSize(1000, 640)
        whole.addWidget(self._headline)
        whole.addLayout(middle, 1)
        self.resize(1280, 720)

    def _panel(self) -> QWidget:
        """What is known, what to do, and the buttons, one above the other."""
        facts = QGridLayout()
        facts.setVerticalSpacing(12)
        facts.setHorizontalSpacing(16)
        facts.setColumnStretch(1, 1)
        for row, (name, label) in enumerate(self._facts.items()):
            title = QLabel(name)
            title.setStyleSheet(f"color: {self._looks.soft}")
            facts.addWidget(title, row, 0, Qt.AlignmentFlag.AlignTop)
            facts.addWidget(label, row, 1, Qt.AlignmentFlag.AlignTop)
            label.setWordWrap(True)
        self._advice.setWordWrap(True)
        self._advice.setMinimumHeight(110)
        self._advice.setAlignment(Qt.AlignmentFlag.AlignTop)
        buttons = QGridLayout()
        for number, button in enumerate(self.buttons.values()):
            buttons.addWidget(button, number // 2, number % 2)
        panel = QWidget()
        panel.setFixedWidth(round(360 * self._scale))
        side = QVBoxLayout(panel)
        side.setContentsMargins(16, 0, 0, 0)
        side.addWidget(self._verdict)
        side.addSpacing(4)
        side.addWidget(self._bar)
        side.addSpacing(24)
        side.addLayout(facts)
        side.addSpacing(16)
        side.addWidget(self._advice)
        side.addWidget(self._estop)
        side.addSpacing(4)
        side.addLayout(buttons)
        side.addStretch(1)  # where toasts come
        return panel

    def showEvent(self, a0: QShowEvent | None) -> None:
        self.setFocus()

    def _refresh(self) -> None:
        state, at = self._session.state, self._at()
        now = time.monotonic()
        silent = {name: now - seen for name, seen in self._seen.items() if now - seen > SILENT_S}
        looks = self._looks
        self._write(self._headline, *goal_words.headline(state, at, silent), size=22, bold=True)
        held = looks.raised if at.held is None else colour_of(at.held, looks)
        self._live.setStyleSheet(f"#live {{ border: 5px {'dashed ' + looks.colours['plain'] if at.asked else 'solid ' + held} }}")
        estop, level = self.safety.estop
        self._write(self._estop, f"hardware e-stop: {estop}", level)
        probability = state.probability
        if at.place:
            probability = state.questions[at.place - 1].probability
            for name, pixels in state.questions[at.place - 1].images.items():
                self.views[name].show_pixels(pixels)
        self._bar.set_value(probability)
        for name, text in {
            "with the goal": f"{GOAL_SIGN} {_side(state.goal)}",
            "without the goal": f"{OTHER_SIGN} {_side(state.other)}", "held-out accuracy": goal_words.accuracy(state),
        }.items():
            self._write(self._facts[name], text)
        self._write(self._verdict, goal_words.verdict(probability), size=19)
        self._write(self._advice, *goal_words.advice(state))
        self._write(self._asking, goal_words.questions(state, at))
        for place, thumbnail in enumerate(self.thumbnails):
            question = state.questions[place] if place < len(state.questions) else None
            thumbnail.set_question(question, selected=self._asked and question is not None and question.number == self._number)
        if state.count > self._told:
            self._told = state.count
            if state.level != "good":  # that pictures are taken is seen
                self.toasts.say(state.said, state.level)

    def _write(self, label: QLabel, text: str, level: Level = "plain", *, size: int = 15, bold: bool = False) -> None:
        label.setText(theme.SIGNS[level] + text if text else "")
        style = f"color: {self._looks.colours[level]}; font-size: {round(size * self._scale)}px"
        label.setStyleSheet(f"{style}; font-weight: bold" if bold else style)

    # What a person does ---------------------------------------------------------------------------------------------------

    def _at(self) -> At:
        """Where the person is; goes on to another question when the present one is gone."""
        numbers = [question.number for question in self._session.state.questions]
        if self._asked and self._number not in numbers:
            self._number = numbers[0] if numbers else 0
        place = numbers.index(self._number) + 1 if self._asked and numbers else 0
        return At(self._session.held, self._asked, place)

    def _go_to(self, place: int | None) -> None:
        """To the question at a place from 0, or to the live picture."""
        questions = self._session.state.questions
        self._asked = place is not None
        self._session.release()
        self._session.answering(self._asked)
        if place is None or not questions:
            self.setFocus()
        else:
            place = min(max(place, 0), len(questions) - 1)
            self._number = questions[place].number
            self.thumbnails[place].setFocus()
        self._refresh()

    def _label(self, goal: bool | None) -> None:
        """The key of a kind went down, or a question is left out."""
        if not self._asked:
            if goal is not None:
                self._session.press(goal)
            return
        place = self._at().place
        if not place:
            return
        number = self._number
        after = [question.number for question in self._session.state.questions if question.number != number]
        self._session.answer(number, goal)
        self._number = after[min(place - 1, len(after) - 1)] if after else 0

    def _do(self, action: str) -> None:
        place = self._at().place
        match action:
            case "goal" | "other":
                self._label(action == "goal")
            case "leave":
                self._label(None)
            case "next":
                self._go_to(place if place < len(self._session.state.questions) else 0)
            case "before":
                self._go_to(place - 2 if place > 1 else len(self._session.state.questions) - 1)
            case "live":
                self._go_to(None)
            case "undo":
                self._session.undo()
            case "save":
                self._session.save()
            case "stop":
                self._stop()
            case "help":
                self.help.toggle(KEYS)
        self._refresh()

    # Keys ----------------------------------------------------------------------------------------------------------------

    def eventFilter(self, a0: QObject | None, a1: QEvent | None) -> bool:
        """Keys mean the same wherever the focus is."""
        if isinstance(a1, QKeyEvent) and a1.type() in (QEvent.Type.KeyPress, QEvent.Type.KeyRelease):
            return self._key(a1, down=a1.type() == QEvent.Type.KeyPress)
        if a0 is self and a1 is not None and a1.type() == QEvent.Type.WindowDeactivate:
            self._session.release()  # the key goes up where nobody hears it
        return False

    def _key(self, event: QKeyEvent, *, down: bool) -> bool:
        action = self._keys.action(event)
        if action is None or event.isAutoRepeat():
            return action is not None
        if down:
            self._do(action)
        elif action in ("goal", "other") and self._session.held == (action == "goal"):
            self._session.release()
            self._refresh()
        return True

    def closeEvent(self, a0: QCloseEvent | None) -> None:
        self._session.release()


def _side(side: Side) -> str:
    return f"{side.pictures}  in {side.bursts} {'burst' if side.bursts == 1 else 'bursts'}"
