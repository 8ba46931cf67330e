"""A model as labeller: answers that stand both ways round, sides that are favoured, failures, and what a person is asked about."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

import pytest

from rewardbot.errors import DataError
from rewardbot.feedback.feedback import Given, Query, Ranking, Response, Side, Skip, answer_pair
from rewardbot.feedback.ledger import Ledger
from rewardbot.feedback.teachers.model import LabellerRefused, LabellerUnavailable, Model, ModelConfig, agreement
from rewardbot.feedback.teachers.recorded import Recorded
from rewardbot.types import Segment

QUICK = ModelConfig(audit=0.0, pause_s=0.01, longest_pause_s=0.02)
PATIENCE_S = 10.0


def pair(number: int, order: tuple[int, int] = (0, 1)) -> Query:
    return Query(f"q{number}", "pair", (Segment("a", number, number + 1), Segment("b", number, number + 3)), order)


def longer(left: Segment, right: Segment) -> Side:
    return "left" if left.stop - left.start > right.stop - right.start else "right"


def until(done: Callable[[], object]) -> None:
    deadline = time.monotonic() + PATIENCE_S
    while not done():
        assert time.monotonic() < deadline, "it never came"
        time.sleep(0.002)


def answers(teacher: Model | Recorded, count: int) -> list[Response]:
    found: list[Response] = []
    until(lambda: found.extend(teacher.poll()) or len(found) >= count)
    return found


def model(label: Callable[[Segment, Segment], Side], config: ModelConfig = QUICK) -> closing[Model]:
    return closing(Model(label, config=config))


def test_what_stands_both_ways_round_is_an_answer() -> None:
    shown: list[tuple[str, str]] = []

    def label(left: Segment, right: Segment) -> Side:
        shown.append((left.episode_id, right.episode_id))
        return longer(left, right)

    with model(label) as teacher:
        teacher.ask(pair(0, (0, 1)))
        teacher.ask(pair(1, (1, 0)))
        found = answers(teacher, 2)
        assert [answer.ranks for answer in found if isinstance(answer, Ranking)] == [(1, 0), (1, 0)]
        assert shown == [("a", "b"), ("b", "a"), ("b", "a"), ("a", "b")], "first as it is shown, then swapped"
        assert found[0].given.annotator == "model" and found[0].given.query == "q0" and not teacher.trouble


@pytest.mark.parametrize(("says", "kind"), [
    (("equal", "equal"), Ranking), (("skip", "skip"), Skip), (("left", "equal"), Skip), (("left", "skip"), Skip),
    (("skip", "right"), Skip),
])
def test_what_differs_is_skipped(says: tuple[Side, Side], kind: type) -> None:
    said = iter(says)
    with model(lambda left, right: next(said)) as teacher:
        teacher.ask(pair(0))
        (answer,) = answers(teacher, 1)
        assert type(answer) is kind
        assert not isinstance(answer, Ranking) or answer.ranks == (0, 0)


@pytest.mark.parametrize("side", ["left", "right"])
def test_a_labeller_that_always_chooses_one_side_says_nothing_and_is_found_out(side: Side) -> None:
    with model(lambda left, right: side) as teacher:
        for number in range(10):
            assert not teacher.trouble
            teacher.ask(pair(number))
            (answer,) = answers(teacher, 1)
            assert isinstance(answer, Skip)
        assert f"chose the {side} clip of 10 of 10 pairs both ways round" in (said := teacher.trouble)
        assert teacher.news() == said and teacher.news() == ""
        teacher.ask(pair(10))
        answers(teacher, 1)
        assert "11 of 11 pairs" in teacher.trouble and teacher.news() == "", "which is nothing new"


def test_a_labeller_that_leans_to_a_side_only_where_it_is_unsure_is_not_called_biased() -> None:
    """Every third pair is beyond it, and then it says left."""
    with model(lambda left, right: "left" if left.start % 3 == 0 else longer(left, right)) as teacher:
        for number in range(30):
            teacher.ask(pair(number))
        found = answers(teacher, 30)
        assert sum(isinstance(answer, Skip) for answer in found) == 10 and not teacher.trouble


def test_a_labeller_that_fails_is_asked_again_later_and_others_are_not_kept_waiting() -> None:
    failing = threading.Event()
    failing.set()

    def label(left: Segment, right: Segment) -> Side:
        if left.start == 0 and failing.is_set():
            raise LabellerUnavailable("The server is on fire.")
        return longer(left, right)

    with model(label) as teacher:
        teacher.ask(pair(0))
        until(lambda: "on fire" in teacher.trouble and "asked again" in teacher.trouble)
        teacher.ask(pair(1))
        assert [answer.given.query for answer in answers(teacher, 1)] == ["q1"]
        failing.clear()
        assert [answer.given.query for answer in answers(teacher, 1)] == ["q0"]
        until(lambda: not teacher.trouble)


def test_a_mistake_in_a_callable_is_named() -> None:
    with model(lambda left, right: {}["side"]) as teacher:
        teacher.ask(pair(0))
        until(lambda: "KeyError: 'side'" in teacher.trouble)
        assert teacher.poll() == []


def test_a_labeller_that_refuses_ends_with_a_clear_error() -> None:
    with model(lambda left, right: "both") as teacher:  # type: ignore[arg-type,return-value]
        teacher.ask(pair(0))
        with pytest.raises(LabellerRefused, match=r"says 'both'(.|\n)*left, right, equal, skip") as caught:
            answers(teacher, 1)
        assert teacher.refused is caught.value


def test_neither_asking_nor_polling_nor_closing_waits_for_it() -> None:
    released = threading.Event()

    def label(left: Segment, right: Segment) -> Side:
        released.wait(PATIENCE_S)
        return "left"

    with model(label) as teacher:
        started = time.monotonic()
        for number in range(100):
            teacher.ask(pair(number))
        assert teacher.poll() == []
    assert time.monotonic() - started < PATIENCE_S / 2
    released.set()


def test_only_pairs_can_be_swapped() -> None:
    with model(longer) as teacher, pytest.raises(DataError, match="asked for a rating"):
        teacher.ask(Query("r", "rating", (Segment("a", 0, 1),), (0,)))


@pytest.fixture
def ledger(tmp_path: Path) -> Iterator[Ledger]:
    with Ledger(tmp_path / "l.db") as found:
        yield found


def test_a_person_is_asked_about_a_sample_and_the_agreement_is_counted(ledger: Ledger) -> None:
    with model(longer, ModelConfig(audit=0.2)) as labeller:
        teacher = Recorded(labeller, ledger)
        for number in range(200):
            teacher.ask(pair(number))
        answers(teacher, 200)
        audits = labeller.audits()
        assert labeller.audits() == [] and 200 * 0.2 - 23 <= len(audits) <= 200 * 0.2 + 23  # four standard deviations
    ledger.ask(*audits)
    assert ledger.waiting("anna") == audits, "they are for anybody, and the model's are not"
    for number, query in enumerate(audits[:10]):
        said: Side = "right" if number < 7 else "left" if number < 9 else "skip"
        ledger.answer(answer_pair(query, said, Given("anna", query.id)))
    history = ledger.history()
    assert agreement(history.queries, history.responses) == (7, 9)
