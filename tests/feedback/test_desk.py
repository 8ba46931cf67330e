"""The desk: first answer wins, twice is once, nothing is lost, whoever comes, goes or is killed."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rewardbot.feedback.desk import Desk
from rewardbot.feedback.feedback import Given, Query, Ranking, Response, Skip, answer_pair
from rewardbot.feedback.ledger import Ledger
from rewardbot.feedback.messages import Receipt, Request
from rewardbot.feedback.records import THERE_S, Amend, Undo, Withdraw
from rewardbot.types import Segment

GONE: set[str] = set()
STRIPS = {"a0": (1.0, 2.0), "b0": (0.5, 0.25), "a1": (3.0,)}


def bag_of(episode: str) -> Path | None:
    return None if episode in GONE else Path("/bags") / episode


def query(number: int, to: str = "", version: int = 0) -> Query:
    clips = Segment(f"a{number}", 0, 5), Segment(f"b{number}", 0, 5)
    return Query(f"q{number}", "pair", clips, (1, 0), reward_version=version, to=to)


def answer(number: int, annotator: str, side: str = "left", answered: float = 1.0) -> Ranking | Skip:
    return answer_pair(query(number), side, Given(annotator, f"q{number}", 0.0, answered, 1.0))  # pyright: ignore[reportArgumentType]


@pytest.fixture
def ledger(tmp_path: Path) -> Iterator[Ledger]:
    GONE.clear()
    with Ledger(tmp_path / "feedback.db", wait_s=0.05) as found:
        yield found


def desk_with(ledger: Ledger, count: int = 3) -> Desk:
    ledger.ask(*(query(number) for number in range(count)))
    return Desk(ledger, bag_of, name="1-a", rewards_of=lambda segment: STRIPS.get(segment.episode_id, ()))


def open_ids(desk: Desk) -> list[str]:
    return [question.query.id for question in desk.questions().open]


def said(desk: Desk, annotator: str, entry: Response | Undo | Amend | Withdraw, id: str = "r") -> Receipt:
    return desk.take(Request(id, annotator, entry))


def test_questions_with_their_clips(ledger: Ledger) -> None:
    desk = desk_with(ledger)
    first = desk.questions().open[0]
    assert (first.query, first.bags, first.rewards) == (query(0), ("/bags/a0", "/bags/b0"), ((1.0, 2.0), (0.5, 0.25)))
    assert desk.questions().open[1].rewards == (), "one of its clips is not known"
    assert open_ids(desk) == ["q0", "q1", "q2"] and desk.questions() is desk.questions()


def test_an_answer_is_in_the_ledger_when_the_receipt_says_so(ledger: Ledger) -> None:
    desk = desk_with(ledger)
    receipt = said(desk, "ann", answer(1, "ann"), "r-7")
    assert receipt == Receipt("r-7", True, 4, "q1", "ann")
    with Ledger(ledger.path, read_only=True) as other:
        assert other.active() == {4: answer(1, "ann")}
    assert open_ids(desk) == ["q0", "q2"]
    assert [(one.query, one.why, one.by) for one in desk.questions().closed] == [("q1", "answered", "ann")]


def test_the_first_answer_wins_and_the_other_is_told(ledger: Ledger) -> None:
    desk = desk_with(ledger)
    assert said(desk, "ann", answer(0, "ann")).done
    receipt = said(desk, "bob", answer(0, "bob", "right"))
    assert not receipt.done and "ann has answered this question already" in receipt.said and not receipt.retry
    assert said(desk, "ann", Undo(4)).done and open_ids(desk) == ["q0", "q1", "q2"], "undone, it waits again"
    assert said(desk, "bob", answer(0, "bob", "right")).done


def test_an_answer_counts_more_than_a_skip(ledger: Ledger) -> None:
    desk = desk_with(ledger)
    assert said(desk, "ann", answer(0, "ann", "skip")).done and open_ids(desk) == ["q1", "q2"]
    assert said(desk, "bob", answer(0, "bob")).done
    assert desk.questions().closed[-1].why == "skipped", "it was closed before"


def test_a_question_for_somebody_is_taken_from_nobody_else(ledger: Ledger) -> None:
    desk = Desk(ledger, bag_of, name="1-a")
    ledger.ask(query(0, to="ann"))
    assert "This question is for ann" in said(desk, "bob", answer(0, "bob")).said
    assert said(desk, "ann", answer(0, "ann")).done


@pytest.mark.parametrize(("annotator", "entry", "words"), [
    ("bob", answer(0, "ann"), "somebody else's"), ("", answer(0, ""), "Nobody"), ("ann", answer(9, "ann"), "no query"),
    ("ann", Undo(99), "no answer 99"), ("ann", Withdraw("zoe"), "zoe"), ("ann", Amend(1, answer(0, "ann")), "no answer 1")])
def test_what_cannot_be_done_is_said(ledger: Ledger, annotator: str, entry: Response | Undo | Amend | Withdraw, words: str) -> None:
    desk = desk_with(ledger)
    receipt = said(desk, annotator, entry)
    assert not receipt.done and words in receipt.said and not receipt.retry
    assert ledger.history().last == 3


ENTRIES = [answer(0, "ann"), answer(0, "ann", "right", 2.0), answer(1, "bob"), Undo(4), Undo(5), Withdraw("ann"),
           Amend(4, answer(0, "ann", "equal", 3.0)), answer(2, "ann", "skip")]


@settings(max_examples=10, deadline=None)
@given(st.lists(st.sampled_from(range(len(ENTRIES))), max_size=8))
def test_each_request_twice_in_a_row_and_with_a_desk_killed_between_is_the_same_as_once(
    tmp_path_factory: pytest.TempPathFactory, numbers: list[int]
) -> None:
    def play(times: int) -> list[object]:
        with Ledger(tmp_path_factory.mktemp("ledger") / "feedback.db") as ledger:
            desk = desk_with(ledger)
            for number in numbers:
                entry = ENTRIES[number]
                by = entry.given.annotator if isinstance(entry, Response) else "ann"
                receipts = [said(desk, by, entry)]
                for _ in range(times - 1):
                    desk = Desk(ledger, bag_of, name="2-b")
                    receipts.append(said(desk, by, entry))
                if receipts[0].done:
                    assert len(set(receipts)) == 1
            return [(record.kind, record.annotator, record.entry) for record in ledger.records()]

    assert play(1) == play(2)


def test_a_question_whose_clip_is_gone_is_withdrawn_and_an_answer_on_its_way_counts(ledger: Ledger) -> None:
    desk = desk_with(ledger)
    GONE.add("b1")
    desk.refresh()
    assert open_ids(desk) == ["q0", "q2"] and desk.questions().closed[-1].why == "withdrawn"
    assert said(desk, "ann", answer(1, "ann")).done
    GONE.clear()
    desk.refresh()
    assert open_ids(desk) == ["q0", "q2"], "it was answered"


def test_questions_of_old_rewards_are_withdrawn(ledger: Ledger) -> None:
    desk = Desk(ledger, bag_of, name="1-a", stale_after=10)
    ledger.ask(query(0, version=12), query(1))
    desk.version = 22
    desk.refresh()
    assert open_ids(desk) == ["q0", "q1"]
    desk.version = 23
    desk.refresh()
    assert open_ids(desk) == ["q1"], "one that no reward has asked never gets old"


def test_a_ledger_that_is_locked_is_said_and_the_same_request_does_it_later(ledger: Ledger) -> None:
    desk = desk_with(ledger)
    other = sqlite3.connect(ledger.path, isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    receipt = said(desk, "ann", answer(0, "ann"))
    assert not receipt.done and receipt.retry and "locked" in receipt.said
    other.execute("ROLLBACK")
    other.close()
    assert said(desk, "ann", answer(0, "ann")).done


def test_what_others_write_into_the_ledger_is_seen(ledger: Ledger) -> None:
    desk = desk_with(ledger)
    with Ledger(ledger.path) as other:
        other.answer(answer(0, "ann"))
        other.ask(query(7))
    desk.refresh()
    assert open_ids(desk) == ["q1", "q2", "q7"]


def test_who_has_answered_lately_is_told_and_forgotten_again(ledger: Ledger) -> None:
    ledger.ask(query(0), query(1))
    now = [0.0]
    desk = Desk(ledger, bag_of, name="1-a", clock=lambda: ledger.records()[0].time + now[0])
    assert desk.questions().people == ()
    assert said(desk, "bob", answer(0, "bob")).done and desk.questions().people == ("bob",)
    same = desk.questions()
    desk.refresh()
    assert desk.questions() is same
    now[0] = THERE_S + 60.0
    desk.refresh()
    assert desk.questions().people == () and open_ids(desk) == ["q1"]
