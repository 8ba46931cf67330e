"""The real preference window, off screen, with key events, real bags and a real ledger."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PyQt5.QtCore import QEvent, QModelIndex, QPoint, QRect, Qt
from PyQt5.QtGui import QKeyEvent
from PyQt5.QtTest import QTest
from PyQt5.QtWidgets import QApplication, QLabel, QPushButton

from rewardbot.feedback.annotators import Annotator, Conflict
from rewardbot.feedback.desk import Desk
from rewardbot.feedback.feedback import Kind, Query, Ranking, Rating, Skip, SuccessMark, UnsafeInterval
from rewardbot.feedback.ledger import Ledger
from rewardbot.feedback.messages import Request
from rewardbot.feedback.people import Dispute, People, Person
from rewardbot.gui import preference_keys, theme
from rewardbot.gui import preference_words as words
from rewardbot.gui.clips import ClipShelf
from rewardbot.gui.people_view import PeopleView
from rewardbot.gui.preference_session import LOOK_S, PreferenceSession
from rewardbot.gui.preference_widget import PreferenceWidget
from rewardbot.types import Segment
from tests.gui.bags import make_bags
from tests.ros.recorded import record

pytestmark = pytest.mark.gui
Key = Qt.Key


class Window:
    """The window, its desk, and a person's fingers."""

    def __init__(self, folder: Path, bags: list[Path], qtbot: Any, *, scale: float = 1.0) -> None:
        self.bot, self.bags, self.later, self.stops, self.desk_there = qtbot, {bag.name: bag for bag in bags}, 0.0, 0, True
        self.ledger = Ledger(folder / "ledger.db")
        self.desk = Desk(self.ledger, self.bags.get, name="test")
        self.widget = PreferenceWidget(scale=scale)
        self.seen: list[tuple[str, str]] = []
        self.widget.shown.connect(lambda *what: self.seen.append(what))
        self.calmed: list[bool] = []
        self.session = PreferenceSession("ann", self._send, stop=self._stop, calm=lambda: self.calmed.append(True),
                                         clock=lambda: time.monotonic() + self.later)
        self.shelf = ClipShelf(self.widget.clip_done.emit)
        qtbot.addWidget(self.widget)
        self.people = PeopleView(theme.DARK, round(13 * scale))
        self.people.chosen.connect(self.widget.look_at)
        self.widget.beside("people", self.people)
        self.widget.begin(self.session, self.shelf)
        self.widget.show()
        qtbot.waitExposed(self.widget)

    def _stop(self) -> None:
        self.stops += 1

    def _send(self, request: Request) -> None:
        if self.desk_there:
            self.widget.message.emit(self.desk.take(request))
            self.widget.message.emit(self.desk.questions())

    def ask(self, *kinds: Kind, bags: tuple[str, ...] = ("e0", "e1", "e2")) -> None:
        known = len(self.ledger.history().queries)
        for number, kind in enumerate(kinds, known):
            count = {"pair": 2, "ranking": 3}.get(kind, 1)
            options = tuple(Segment(bag, number % 3, number % 3 + 6) for bag in bags[:count])
            self.ledger.ask(Query(f"q{number}", kind, options, tuple(range(count))))
        self.desk.refresh()
        self.widget.message.emit(self.desk.questions())

    def see(self, query: str) -> None:
        """Waits until its clips are on the screen, and looks at them."""
        self.until(lambda: ("visible", query) in self.seen)
        self.later += 2 * LOOK_S

    def until(self, true: Callable[[], bool]) -> None:
        self.bot.waitUntil(true, timeout=30_000)

    def tap(self, *keys: Any, to: Any = None) -> None:
        for key in keys:
            QTest.keyClick(to or self.widget, key)

    def said(self) -> str:
        """Everything that stands in the window now."""
        return "\n".join(label.text() for label in self.widget.findChildren(QLabel) if not label.isHidden())

    def answers(self) -> list[Any]:
        return list(self.ledger.history().responses.values())


@pytest.fixture(scope="module")
def bags(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    return make_bags(tmp_path_factory.mktemp("bags"), 3)


@pytest.fixture
def window(bags: list[Path], tmp_path: Path, qtbot: Any) -> Iterator[Window]:
    found = Window(tmp_path, bags, qtbot)
    yield found
    found.shelf.close()
    found.ledger.close()


def test_each_kind_of_question_is_answered_by_keys(window: Window) -> None:
    window.ask("pair", "rating", "ranking", "mark", "interval", "pair")
    for query, keys in {"q0": [Key.Key_2], "q1": [Key.Key_6], "q2": [Key.Key_3, Key.Key_1, Key.Key_2, Key.Key_Return],
                        "q3": [Key.Key_N]}.items():
        window.see(query)
        window.tap(*keys)
    window.see("q4")
    window.tap(Key.Key_Home, Key.Key_B, Key.Key_End, Key.Key_B)
    assert window.widget.reason.isVisible() and window.widget.reason.hasFocus()
    QTest.keyClicks(window.widget.reason, "stands at 2 cm")
    window.tap(Key.Key_Return, to=window.widget.reason)
    window.see("q5")
    window.tap(Key.Key_S)
    pair, rating, ranking, mark, interval, skip = window.answers()
    assert isinstance(pair, Ranking) and pair.ranks == (1, 0)
    assert isinstance(rating, Rating) and rating.level == 6
    assert isinstance(ranking, Ranking) and ranking.ranks == (1, 2, 0)
    assert isinstance(mark, SuccessMark) and (mark.step, mark.success) == (6, False)
    assert isinstance(interval, UnsafeInterval) and interval.reason == "stands at 2 cm" and interval.segment.start == 1
    assert isinstance(skip, Skip)
    assert "No question now" in window.said() and "5 answered" in window.said() and "1 skipped" in window.said()


def test_who_answers_and_where_they_disagree_by_keys(window: Window) -> None:
    clips = [Segment("e0", 0, 6), Segment("e1", 0, 6), Segment("e2", 0, 6)]
    bags = [str(window.bags[clip.episode_id]) for clip in clips]
    bob = Annotator("bob", 12.0, 0.41, 0.25, 0.0, 0.3, 0.5)
    disputes = tuple(Dispute(Conflict((clips[0], clips[n]), (("ann", n),), (("bob", 9), ("bob", 10 + n))), (bags[0], bags[n]))
                     for n in (1, 2))
    window.people.show_people(People((Person("ann", 8), Person("bob", 12, 3, 4, bob)), 0.62, disputes, 2))
    window.ask("pair")
    window.see("q0")
    window.tap(Key.Key_P)
    assert window.people.isVisible() and window.people.list.hasFocus()
    for text in ("bob", "3 of 4", "0.4", "25%", "0.50", "\u2013", "0.62", "a reward was fitted",
                 "2 pairs of clips were answered both ways"):
        assert any(text in label.text() for label in window.people.findChildren(QLabel)), text
    window.tap(Key.Key_Down, Key.Key_Return, to=window.people.list)
    window.see("conflict-2-9")
    assert [window.widget.views[n].accessibleName() for n in (0, 1)] == ["left better: ann", "right better: bob (2 times)"]
    assert "ann and bob disagree about these" in window.said()
    assert [button.text() for button in window.widget._buttons] == ["Back to the questions (U)"]
    window.tap(Key.Key_1, to=window.people.list)
    window.tap(Key.Key_P)
    window.until(lambda: window.seen[-1] == ("visible", "q0"))
    assert not window.people.isVisible() and not window.answers()


def test_a_key_that_is_held_answers_one_question(window: Window) -> None:
    window.ask("pair", "pair", "pair")
    window.see("q0")

    def send(kind: QEvent.Type, *, repeated: bool = False) -> None:
        QApplication.sendEvent(window.widget, QKeyEvent(kind, Key.Key_1, Qt.KeyboardModifier.NoModifier, "1", repeated))

    send(QEvent.Type.KeyPress)
    window.see("q1")
    for _ in range(5):
        send(QEvent.Type.KeyRelease, repeated=True)
        send(QEvent.Type.KeyPress, repeated=True)
        window.bot.wait(10)
    assert len(window.answers()) == 1


def test_a_key_that_is_hammered_answers_nothing_unseen(window: Window) -> None:
    window.ask("pair", "pair", "pair")
    window.see("q0")
    window.tap(*[Key.Key_1] * 8)
    assert len(window.answers()) == 1
    window.until(lambda: any("Too quick" in text or "not there yet" in text for text in window.widget.toasts.texts()))


def test_undo_brings_the_question_back(window: Window) -> None:
    window.ask("pair", "pair")
    window.see("q0")
    window.tap(Key.Key_1)
    window.see("q1")
    QTest.keyClick(window.widget, Key.Key_Z, Qt.KeyboardModifier.ControlModifier)
    window.until(lambda: window.session.query is not None and window.session.query.id == "q0")
    assert not window.answers() and "Undone." in str(window.widget.toasts.texts())


def test_both_clips_show_the_same_time_whatever_happens(window: Window) -> None:
    window.ask("pair")
    window.see("q0")
    window.tap(Key.Key_Home, Key.Key_Space)
    window.until(lambda: window.session.playback.at > 0.15)
    window.tap(Key.Key_Space)
    at = window.session.playback.at
    QTest.keyClick(window.widget, Key.Key_Right, Qt.KeyboardModifier.ControlModifier)
    assert window.session.playback.at > at and not window.session.playback.playing
    assert window.widget.views[0]._frame == window.widget.views[1]._frame == window.session.playback.frame(0)
    pictures = [view.grab().toImage() for view in window.widget.views]
    assert pictures[0].size() == pictures[1].size()


def test_keys_mean_the_same_wherever_the_focus_is(window: Window) -> None:
    window.ask("pair", "pair")
    window.see("q0")
    button = next(button for button in window.widget.findChildren(QPushButton) if button.text().startswith("Why"))
    button.setFocus()
    window.tap(Key.Key_Space, Key.Key_1, to=button)
    assert len(window.answers()) == 1 and not window.session.why
    window.tap(Key.Key_Return, to=button)
    assert window.session.why


def test_tab_goes_through_everything_that_can_be_done(window: Window) -> None:
    window.ask("pair")
    window.see("q0")
    window.widget.activateWindow()
    reached = []
    for _ in range(12):
        window.widget.focusNextChild()
        reached.append(QApplication.focusWidget())
    always = [window.widget.findChild(QPushButton, name) for name in ("undo", "why", "people", "help", "stop")]
    path = [*window.widget.views, *window.widget._buttons, *always]
    assert reached[: len(path)] == path, "from above to below"


def test_stop_is_escape_everywhere_and_never_called_e_stop(window: Window) -> None:
    window.ask("pair")
    window.see("q0")
    window.tap(Key.Key_Escape)
    window.tap(Key.Key_B, Key.Key_B)
    window.tap(Key.Key_Escape, to=window.widget.reason)
    assert window.stops == 2
    window.widget.notice("A long text that is shown for a while. " * 5, "warning")
    stop = next(button for button in window.widget.findChildren(QPushButton) if button.text().startswith("Stop"))
    toasts = window.widget.toasts
    assert not QRect(toasts.mapTo(window.widget, QPoint()), toasts.size()).intersects(
        QRect(stop.mapTo(window.widget, QPoint()), stop.size())), "no toast hides the button"
    assert [button.text() for button in window.widget.findChildren(QPushButton) if "top" in button.text()] == ["Stop (Esc)"]
    assert "hardware e-stop:\n! unknown" in window.said()


def test_digits_give_a_reason_until_something_is_typed(window: Window) -> None:
    window.ask("pair")
    window.see("q0")
    window.tap(Key.Key_B, Key.Key_B)
    QTest.keyClicks(window.widget.reason, "at 12 cm")
    assert window.widget.reason.text() == "at 12 cm" and not window.answers()
    QTest.keyClick(window.widget.reason, Key.Key_B, Qt.KeyboardModifier.ControlModifier)
    assert not window.session.typing and not window.widget.reason.isVisible()
    window.tap(Key.Key_B, Key.Key_B)
    QTest.keyClicks(window.widget.reason, "1")
    (interval,) = window.answers()
    assert isinstance(interval, UnsafeInterval) and interval.reason == "collision"


def test_help_and_buttons_come_from_the_table_of_keys(window: Window) -> None:
    window.ask("rating")
    window.see("q0")
    window.tap(Key.Key_Question)
    assert window.widget.help.isVisible()
    for row in preference_keys.rows("rating", 1):
        assert row.description in window.said()
    assert {button.toolTip() for button in window.widget._buttons} == {row.description for row in preference_keys.answers("rating")}
    window.tap(Key.Key_Question)
    assert not window.widget.help.isVisible()


def test_a_damaged_clip_is_named_and_the_next_question_comes(window: Window, tmp_path: Path) -> None:
    (damaged, _, _) = make_bags(tmp_path / "more", 3, steps=9)
    next(damaged.glob("*.mcap")).write_bytes(b"nothing")
    window.bags["e0"] = damaged
    window.ask("pair")
    window.bags["e0"] = window.bags["e1"].parent / "e0"
    window.ask("pair", bags=("e1", "e2"))
    window.see("q1")
    assert str(damaged) in str(window.widget.toasts.texts())


def test_a_simulated_episode_is_seen_from_anywhere_and_others_say_why_not(window: Window, tmp_path: Path) -> None:
    window.bags |= {bag.name: bag for bag in record(tmp_path, 2)}
    window.ask("pair", bags=("policy-0", "policy-1"))
    window.ask("pair")
    window.see("q0")
    view = window.widget.views[1]
    window.tap(Key.Key_C)
    window.until(lambda: view._free is not None)
    before = np.array(view._free)
    QTest.mousePress(view, Qt.MouseButton.LeftButton, pos=view.rect().center())
    QTest.mouseMove(view, view.rect().center() + QPoint(150, 20))
    window.until(lambda: view._free is not None and not np.array_equal(view._free, before))
    window.tap(Key.Key_C)
    assert view._free is None
    window.tap(Key.Key_1)
    window.see("q1")
    window.tap(Key.Key_C)
    window.until(lambda: "No free camera: Episode" in str(window.widget.toasts.texts()))


def test_why_is_shown_on_request_only(window: Window) -> None:
    window.ask("pair")
    window.see("q0")
    assert "strategy" not in window.said()
    window.tap(Key.Key_W)
    assert "No reason was given." in window.said()


def test_a_closed_window_waits_for_the_answer_that_is_on_its_way(window: Window) -> None:
    window.ask("pair")
    window.see("q0")
    window.desk_there = False
    window.tap(Key.Key_1)
    window.until(lambda: ("feedback", "q0") in window.seen)
    assert not window.widget.close() and not window.answers()
    assert "The window closes when what you said is stored." in window.widget.toasts.texts()
    window.desk_there = True
    window.until(lambda: not window.widget.isVisible())
    assert len(window.answers()) == 1 and not words.unconfirmed(window.session)


def test_a_window_without_a_desk_closes_all_the_same_and_names_what_may_be_lost(
    window: Window, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("rewardbot.gui.preference_widget.CLOSING_S", 0.3)
    window.ask("pair")
    window.see("q0")
    window.desk_there = False
    window.tap(Key.Key_2)
    assert not window.widget.close()
    window.until(lambda: not window.widget.isVisible())
    assert words.unconfirmed(window.session).startswith("Perhaps not stored: right to q0. The desk has not answered.")


def test_a_ledger_that_cannot_be_written_is_told_and_nothing_is_lost(window: Window, monkeypatch: pytest.MonkeyPatch) -> None:
    window.ask("pair")
    window.see("q0")
    window.ledger._connection.execute("PRAGMA query_only = ON")
    window.tap(Key.Key_1)
    window.until(lambda: "Not stored yet: The ledger" in window.said())
    assert "is read-only" in window.said() and window.session.progress.answered == 0
    window.ledger._connection.execute("PRAGMA query_only = OFF")
    window.until(lambda: len(window.answers()) == 1)
    window.until(lambda: "1 answered" in window.said())


@pytest.mark.parametrize("size", [(1280, 720), (1000, 620), (1920, 1080)])
def test_nothing_is_cut_off(window: Window, size: tuple[int, int]) -> None:
    window.ask("ranking")
    window.widget.resize(*size)
    window.see("q0")
    assert (window.widget.width(), window.widget.height()) == size
    for beside in ("", "people"):
        window.widget._do(beside)
        QApplication.processEvents()
        for button in window.widget.findChildren(QPushButton):
            assert button.width() >= button.sizeHint().width(), (button.text(), beside)
            assert window.widget.rect().contains(QRect(button.mapTo(window.widget, QPoint()), button.size())), (button.text(), beside)


def test_larger_texts_make_room_for_themselves(bags: list[Path], tmp_path: Path, qtbot: Any) -> None:
    window = Window(tmp_path, bags, qtbot, scale=1.5)
    window.ask("pair")
    window.see("q0")
    window.tap(Key.Key_B, Key.Key_B)
    buttons = window.widget._buttons
    window.until(lambda: len({button.y() for button in buttons}) == 2)  # the reasons of an unsafe interval need two rows
    for button in buttons:
        assert button.width() >= button.fontMetrics().horizontalAdvance(button.text()), button.text()
        assert window.widget.rect().contains(button.geometry()), button.text()
    window.shelf.close()
    window.ledger.close()


def test_an_alarm_is_told_in_full_and_cleared_by_a_key(window: Window) -> None:
    window.ask("pair")
    window.see("q0")
    alarm = "The policy has found a way to please the reward and not you. " * 5
    window.widget.message.emit({"alarm": alarm})
    window.widget.refresh()
    assert f"Alarm: {alarm}" in window.said() and "Ctrl+A clears it" in window.said()
    banner = window.widget._banner
    window.until(lambda: banner.height() >= banner.heightForWidth(banner.width()))
    QTest.keyClick(window.widget, Key.Key_A, Qt.KeyboardModifier.ControlModifier)
    assert window.calmed == [True]
    window.widget.message.emit({"alarm": ""})
    window.widget.refresh()
    assert window.widget._banner.isHidden()


def test_an_order_that_is_dragged_is_shown_and_given(window: Window) -> None:
    window.ask("ranking")
    window.see("q0")
    model = window.widget.order.model()
    assert model is not None and model.moveRow(QModelIndex(), 2, QModelIndex(), 0), "as a drop of the last one before the first does"
    assert [window.widget.views[n].accessibleName() for n in range(3)] == [
        "clip 1 \u2713 number 2", "clip 2 \u2713 number 3", "clip 3 \u2713 number 1"]
    window.tap(Key.Key_Return)
    (ranking,) = window.answers()
    assert isinstance(ranking, Ranking) and ranking.ranks == (1, 2, 0)
