"""The looks of the preference window: clips, what can be said to them, and how things are."""

from __future__ import annotations

import itertools
import time
from collections.abc import Sequence
from typing import Any

from PyQt5.QtCore import QEvent, QObject, Qt, QTimer, pyqtSignal
from PyQt5.QtGui import QCloseEvent, QKeyEvent, QShowEvent
from PyQt5.QtWidgets import QHBoxLayout, QLabel, QLineEdit, QListWidget, QPushButton, QVBoxLayout, QWidget

from rewardbot.feedback.messages import Question, Questions, Receipt
from rewardbot.feedback.people import Dispute
from rewardbot.gui import preference_keys, theme
from rewardbot.gui import preference_words as words
from rewardbot.gui.clip_row import ClipRow
from rewardbot.gui.clips import ClipShelf
from rewardbot.gui.flow import Flow
from rewardbot.gui.key_help import KeyHelp
from rewardbot.gui.keys import KeyTable, Presses
from rewardbot.gui.level import Level
from rewardbot.gui.preference_order import OrderList
from rewardbot.gui.preference_parts import ClipView, OneLine, TimeLine
from rewardbot.gui.preference_session import PreferenceSession
from rewardbot.gui.toasts import Toasts
from rewardbot.teleop.bindings import Binding

BEAT_MS, REFRESH_MS = 25, 250
CLOSING_S = 3.0
"""How long a window that is closed waits for an answer that is on its way to the disk [s]."""

HELD = ("scrub back", "scrub on", "frame back", "frame on", "slower", "faster", "back")
"""What a key that is held does again and again."""

ALWAYS = {"undo": "Undo", "why": "Why?", "learning": "Learning", "people": "People", "help": "Keys", "stop": "Stop"}
"""Actions whose buttons are always there, and what these are called."""

BESIDE, BESIDE_WIDTH = ("learning", "people"), 400
"""Actions that show something beside the questions, and how wide that is [px]."""


class PreferenceWidget(QWidget):
    """The window.

    Args:
        looks: colours.
        scale: of all texts.
        size: in which it opens [px].

    Attributes:
        clip_done: to be emitted, in any thread, with what a ClipShelf says.
        message: to be emitted, in any thread, with what a desk says: Questions, a Receipt, or its state.
        shown: emitted with `visible`, `feedback` or `stored`, and the id of a query, as soon as that is on the screen.
    """

    clip_done = pyqtSignal(str, str)
    message = pyqtSignal(object)
    shown = pyqtSignal(str, str)

    def __init__(self, looks: theme.Looks = theme.DARK, *, scale: float = 1.0, size: tuple[int, int] = (1280, 720)) -> None:
        super().__init__()
        self.setWindowTitle("rewardbot: preferences")
        self.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        self._looks, self._scale, self._presses = looks, scale, Presses()
        self._session: PreferenceSession
        self._shelf: ClipShelf
        self._question: Question | None = None
        self._told, self._visible, self._fed_back = 0, "", ""
        self._stored_record = 0
        self._closing: float | None = None
        self._buttons: list[QPushButton] = []
        self._answering: tuple[Binding, ...] = ()
        self._table, self._typing_table = KeyTable(preference_keys.rows(None)), KeyTable(preference_keys.TYPING)
        self._headline, self._banner, self._badges, self._state = QLabel(), QLabel(), QLabel(), QLabel()
        self._progress, self._last, self._estop = OneLine(), OneLine(), QLabel()
        self._why, self._empty = QLabel(), QLabel()
        self._line, self.order, self.reason = TimeLine(looks), OrderList(), QLineEdit()
        self._answers, self._fixed, self._bottom = Flow(), Flow(), QHBoxLayout()
        self._whole = QHBoxLayout(self)
        self._beside: dict[str, QWidget] = {}
        self._upper = QWidget()
        text = round(15 * scale)
        self.toasts = Toasts(self._upper, looks, text)  # no toast hides a button, least of all Stop
        self.help = KeyHelp(self, looks, text)
        self._clips = ClipRow(looks, round(16 * scale), self)
        self._clips.painted.connect(self._painted)
        self._clips.chosen.connect(self._choose)
        self._clips.trouble.connect(lambda text: self.toasts.say(text, "warning"))
        self._lay_out()
        self.resize(*size)
        self._beat, self._slow = QTimer(self), QTimer(self)
        self._beat.setTimerType(Qt.TimerType.PreciseTimer)
        self._beat.timeout.connect(self._on_beat)
        self._slow.timeout.connect(self.refresh)
        self.clip_done.connect(self._on_clip)
        self.message.connect(self._on_message)

    def begin(self, session: PreferenceSession, shelf: ClipShelf) -> None:
        """Takes the session that it shows, and the shelf with its clips, whose `done` is `clip_done.emit`."""
        self._session, self._shelf = session, shelf
        for action, text in ALWAYS.items():
            row = next(row for row in preference_keys.COMMON if row.action == action)
            if action not in BESIDE or action in self._beside:
                place = self._bottom if action == "stop" else self._fixed
                place.addWidget(self._button(text, row.shown, row.description, action))
        self._estop.setVisible(session.robot.there)
        self._beat.start(BEAT_MS)
        self._slow.start(REFRESH_MS)
        self.refresh()

    @property
    def views(self) -> Sequence[ClipView]:
        """The clips, by place."""
        return self._clips.views

    def beside(self, action: str, widget: QWidget) -> None:
        """Before `begin`: shows something beside the questions; the key of that action of `BESIDE` hides and shows it."""
        self._beside[action] = widget
        self._whole.addWidget(widget)
        widget.setFixedWidth(round(BESIDE_WIDTH * self._scale))
        for child in widget.findChildren(QListWidget):
            child.installEventFilter(self)
        widget.hide()

    def look_at(self, dispute: Dispute) -> None:
        """Shows two clips that people disagree about."""
        self._session.look_at(dispute)
        self.refresh()

    def notice(self, text: str, level: Level) -> None:
        """Something happened that is no part of the session."""
        self.toasts.say(text, level)

    def refresh(self) -> None:
        """Shows what the session holds now."""
        session = self._session
        if session.question is not self._question:
            self._change_question()
        self._load()
        query = session.query
        _write(self._headline, *words.headline(session), looks=self._looks, size=round(21 * self._scale), bold=True)
        _write(self._progress, words.progress(session), looks=self._looks, soft=True)
        badges = words.badges(session)
        worst: Level = "bad" if any(level == "bad" for _, level in badges) else "warning"
        _write(self._badges, "     ".join(theme.SIGNS[level] + text for text, level in badges), worst, looks=self._looks, bold=True,
               sign=False)
        self._badges.setVisible(bool(badges))
        banner = words.banner(session)
        self._banner.setVisible(banner is not None)
        if banner is not None:
            _write(self._banner, *banner, looks=self._looks, raised=True)
        _write(self._last, words.last(session.last), looks=self._looks, soft=True)
        self._why.setVisible(session.why and query is not None)
        if query is not None:
            self._why.setText(words.why(query))
        ranked = query is not None and query.kind == "ranking" and not session.typing  # the reason's field is as high as the order
        self.order.setVisible(ranked)
        if query is not None and ranked:
            self.order.show_order(session.order.groups, len(query.options), tying=session.order.tying)
        self._show_reason()
        self._clips.setVisible(query is not None)
        for widget, there in ((self._empty, query is None), (self._line, query is not None), (self._state, query is not None)):
            widget.setVisible(there)
        _write(self._empty, words.waiting(session), looks=self._looks, size=round(17 * self._scale), soft=True)
        estop, level = session.safety.estop
        _write(self._estop, f"hardware e-stop:\n{theme.SIGNS[level]}{estop}", level, looks=self._looks,
               size=round(13 * self._scale), sign=False)
        self._clips.describe(session)
        self._show_frames()
        if session.count > self._told:
            self._told = session.count
            self.toasts.say(session.said, session.level)

    # Looks ---------------------------------------------------------------------------------------------------------------

    def _style(self) -> None:
        looks, size = self._looks, round(15 * self._scale)
        self.setStyleSheet(theme.sheet(looks, size))
        for label in (self._headline, self._banner, self._progress, self._badges, self._why, self._last):
            label.setTextFormat(Qt.TextFormat.PlainText)
        for label in (self._headline, self._banner, self._why, self._estop):
            label.setWordWrap(True)
        self._why.setStyleSheet(f"background: {looks.raised}; padding: 8px; border-radius: 5px")
        self._badges.setAlignment(_RIGHT)
        self._state.setFixedWidth(round(190 * self._scale))
        self._state.setAlignment(_RIGHT)
        self.reason.setPlaceholderText("or type another reason")
        self.reason.setMaxLength(4000)
        self.reason.setAccessibleName("reason of the unsafe interval")
        self._estop.setFixedWidth(round(140 * self._scale))
        self._estop.setAlignment(_RIGHT)
        self._empty.setAlignment(Qt.AlignmentFlag.AlignCenter)
        self._empty.setWordWrap(True)

    def _lay_out(self) -> None:
        self._style()
        self.reason.textChanged.connect(self._typed)
        self._line.moved.connect(self._seek)
        self.order.dragged.connect(self._dragged)
        top, time_row, bottom = QHBoxLayout(), QHBoxLayout(), self._bottom
        top.addWidget(self._headline, 1)
        top.addWidget(self._badges)
        time_row.addWidget(self._line, 1)
        time_row.addWidget(self._state)
        bottom.addLayout(self._fixed, 1)
        bottom.addWidget(self._estop)
        questions = QWidget()
        inner = QVBoxLayout(questions)
        inner.setContentsMargins(0, 0, 0, 0)
        inner.setSpacing(8)
        upper = QVBoxLayout(self._upper)
        upper.setContentsMargins(0, 0, 0, 0)
        upper.setSpacing(8)
        upper.addLayout(top)
        upper.addWidget(self._progress)
        upper.addWidget(self._last)
        upper.addWidget(self._banner)
        upper.addWidget(self._clips, 1)
        upper.addWidget(self._empty, 1)
        inner.addWidget(self._upper, 1)
        inner.addLayout(time_row)
        inner.addWidget(self.order)
        inner.addWidget(self.reason)
        inner.addWidget(self._why)
        inner.addLayout(self._answers)
        inner.addLayout(bottom)
        self._whole.setSizeConstraint(QHBoxLayout.SizeConstraint.SetNoConstraint)  # a longer text does not move the window
        self._whole.setContentsMargins(16, 10, 16, 12)
        self._whole.addWidget(questions, 1)
        self.setMinimumSize(1000, 620)
        for widget in (self, self._line, self.order, self.reason):
            widget.installEventFilter(self)

    def _button(self, text: str, key: str, tip: str, action: str) -> QPushButton:
        button = QPushButton(text if text.split()[0] == key else f"{text} ({key})")
        button.setObjectName(action)
        button.setToolTip(tip)
        button.setAutoDefault(False)
        button.clicked.connect(lambda: self._do(action))
        button.installEventFilter(self)
        return button

    def _change_question(self) -> None:
        self._question = question = self._session.question
        self._shelf.want([*([question] if question else []), *self._session.upcoming])
        count = len(question.query.options) if question else 0
        self._clips.show_question(question)
        kind = question.query.kind if question else None
        rows = preference_keys.rows(kind, count)
        if rows != self._table.rows:
            self._table = KeyTable(rows)
        self._show_buttons()
        if not self.reason.hasFocus():
            self.setFocus()

    def _show_buttons(self) -> None:
        """Those that answer, or give the reason of an unsafe interval."""
        query = self._session.query
        rows = (_WHILE_TYPING if self._session.typing else preference_keys.LOOKING if self._session.dispute else
                preference_keys.answers(query.kind, len(query.options)) if query else ())
        if rows == self._answering:
            return
        self._answering = rows
        for button in self._buttons:
            self._answers.removeWidget(button)
            button.setParent(None)  # type: ignore[call-overload]
            button.deleteLater()
        self._buttons = [self._button(_text(row), row.shown, row.description, row.action) for row in rows]
        for button in self._buttons:
            self._answers.addWidget(button)
        self._order_tabs()

    def _order_tabs(self) -> None:
        """Tab goes from above to below: the clips, what is typed, what answers, then what is always there, Stop the last."""
        always = [button for name in ALWAYS if (button := self.findChild(QPushButton, name)) is not None]
        for before, after in itertools.pairwise([self, *self._clips.views, self.order, self.reason, *self._buttons, *always]):
            self.setTabOrder(before, after)

    def _load(self) -> None:
        """Takes the clips of the question from the shelf as soon as they are there."""
        query = self._session.query
        if query is None or self._session.phase != "loading" or (clips := self._shelf.clips(query.id)) is None:
            return
        self._clips.show_clips(clips)
        self._session.ready(query.id, [clip.times for clip in clips])
        self._show_frames()

    def _show_frames(self) -> None:
        session, play = self._session, self._session.playback
        clips = self._shelf.clips(session.query.id) if session.query else None
        if clips is None or session.phase == "loading":
            self._line.show_time(0.0, 0.0, (), None)
            return
        self._clips.show_frames(session)
        span = None
        if (interval := session.interval) is not None:
            times = clips[interval.place].times
            first, last = interval.span(play.frame(interval.place))
            span = times[first], times[last]
        self._line.show_time(play.at, play.length, [clip.times[-1] for clip in clips], span)
        state = "plays" if play.playing else "paused"
        self._state.setText(f"{play.at:4.1f} of {play.length:.1f} s   {state} {play.speed:g}x{'' if play.looping else ' once'}")

    def _show_reason(self) -> None:
        typing = self._session.typing
        if typing == self.reason.isVisibleTo(self):
            return
        self._show_buttons()
        self.reason.setVisible(typing)
        if typing:
            self.reason.clear()
            self.reason.setFocus()
        else:
            self.setFocus()

    # What happens --------------------------------------------------------------------------------------------------------

    def _on_clip(self, query: str, why: str) -> None:
        if why:
            self._session.unusable(query, why)
        self.refresh()

    def _on_message(self, message: object) -> None:
        if isinstance(message, Questions):
            self._session.questions(message)
        elif isinstance(message, Receipt):
            self._session.receipt(message)
        elif isinstance(message, dict):
            self._session.desk(message)
            return  # it comes often, and its words can wait for the next refresh
        self.refresh()

    def _on_beat(self) -> None:
        session = self._session
        session.beat()
        if session.question is not self._question or session.count > self._told:
            self.refresh()
        else:
            self._show_frames()
        if session.last is not None and session.last.record != self._stored_record:
            self._stored_record = session.last.record
            self.shown.emit("stored", session.last.question.query.id if session.last.question else "")
        if self._closing is not None and (session.outbox.empty or time.monotonic() > self._closing):
            self.close()

    def _painted(self) -> None:
        query = self._session.query
        if query is None or not self._clips.complete:
            return
        if self._visible != query.id and self._session.phase == "asking":
            self._visible, self._fed_back = query.id, ""
            self._session.visible()
            self.shown.emit("visible", query.id)
        elif self._session.phase == "storing" and self._fed_back != query.id:
            self._fed_back = query.id
            self.shown.emit("feedback", query.id)

    def _typed(self, text: str) -> None:
        self._session.typed(text)

    def _seek(self, at: float) -> None:
        self._session.playback.seek(at)
        self._show_frames()

    def _choose(self, place: int) -> None:
        self._session.choose(place)
        self.refresh()

    def _dragged(self, places: list[int]) -> None:
        self._session.dragged(places)
        self.refresh()

    def _do(self, action: str) -> None:
        if action == "help":
            self.help.toggle(self._table.rows)
        elif action == "camera":
            self._clips.turn_free(may=self._session.phase == "asking")
        elif action in BESIDE:
            self._turn_page(action)
        else:
            self._session.act(action)
        self.refresh()

    def _turn_page(self, action: str) -> None:
        """Shows what belongs to the action beside the questions, instead of what is there, or nothing."""
        chosen = self._beside.get(action)
        shown = chosen is not None and chosen.isHidden()
        for widget in self._beside.values():
            widget.setVisible(shown and widget is chosen)
        found = chosen.findChild(QListWidget) if shown and chosen is not None else None
        (self if found is None or found.isHidden() else found).setFocus()
        if action == "people" and not shown:
            self._session.look_at(None)

    # Keys ----------------------------------------------------------------------------------------------------------------

    def eventFilter(self, a0: QObject | None, a1: QEvent | None) -> bool:
        """Keys mean the same wherever the focus is."""
        if not isinstance(a1, QKeyEvent) or a1.type() not in (QEvent.Type.KeyPress, QEvent.Type.KeyRelease):
            return False
        fresh = self._presses.fresh(a1)
        if a0 is self.reason:
            return self._key_of_reason(a1, fresh)
        if isinstance(a0, QPushButton) and a1.key() in _ENTER:
            if fresh:
                a0.click()
            return True
        action = self._table.action(a1)
        if action is None or (isinstance(a0, QListWidget) and a0 is not self.order and a1.key() in _ENTER):
            return False
        if fresh or (a1.type() == QEvent.Type.KeyPress and action in HELD):
            self._do(action)
        return True

    def _key_of_reason(self, event: QKeyEvent, fresh: bool) -> bool:
        action = self._typing_table.action(event)
        if action is None or (action.startswith("reason") and self.reason.text()):
            return False
        if fresh:
            self._do(action)
        return True

    def showEvent(self, a0: QShowEvent | None) -> None:
        self.setFocus()

    def closeEvent(self, a0: QCloseEvent | None) -> None:
        """Waits a little for an answer that is on its way."""
        if a0 is None or self._session.outbox.empty or (self._closing is not None and time.monotonic() > self._closing):
            self._clips.close_camera()
            return
        if self._closing is None:
            self._closing = time.monotonic() + CLOSING_S
            self.toasts.say("The window closes when what you said is stored.", "plain")
        a0.ignore()


_RIGHT: Any = Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter
_ENTER = Qt.Key.Key_Return, Qt.Key.Key_Enter
_WHILE_TYPING = tuple(row for row in preference_keys.TYPING if row.action != "stop")
_SHORT = {"left": "Left", "right": "Right", "equal": "Equal", "skip": "Skip", "success": "Success", "failure": "No success",
          "tie": "Tie", "back": "Take back", "give": "Give", "leave": "Leave out", "undo": "Back to the questions",
          "rate 1": "1 worst", "rate 7": "7 best"}


def _text(row: Binding) -> str:
    """What stands on the button of a key."""
    what, _, number = row.action.partition(" ")
    if what == "reason":
        return row.description.capitalize()
    return _SHORT.get(row.action) or (f"Clip {number}" if what == "pick" else number)


def _write(label: QLabel, text: str, level: Level = "plain", *, looks: theme.Looks, size: int = 0, bold: bool = False,
           soft: bool = False, raised: bool = False, sign: bool = True) -> None:
    text = theme.SIGNS[level] + text if text and sign else text
    colour = looks.soft if soft else looks.colours[level]
    style = f"color: {colour};" + (f" font-size: {size}px;" if size else "") + (" font-weight: bold;" if bold else "")
    if raised:
        style += f" background: {looks.raised}; border-left: 4px solid {colour}; padding: 6px 10px"
    if label.text() != text:
        label.setText(text)
    if label.styleSheet() != style:
        label.setStyleSheet(style)
