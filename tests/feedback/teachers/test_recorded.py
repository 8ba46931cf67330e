"""Questions and answers through a ledger: a person in another process, restarts in mid-question, several teachers."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from rewardbot.errors import DataError
from rewardbot.feedback.feedback import Given, Query, answer_pair
from rewardbot.feedback.ledger import Ledger
from rewardbot.feedback.teachers.recorded import Human, Recorded
from rewardbot.feedback.teachers.simulated import Simulated
from rewardbot.types import Segment


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "l.db"


@pytest.fixture
def ledger(path: Path) -> Iterator[Ledger]:
    with Ledger(path) as found:
        yield found


def pair(number: int) -> Query:
    return Query(f"q{number}", "pair", (Segment("a", number, number + 1), Segment("b", number, number + 2)), (1, 0))


def simulated() -> Simulated:
    return Simulated(lambda clip: np.ones(clip.stop - clip.start))


def press(path: Path, annotator: str, side: str = "left") -> None:
    """What a window does, with a ledger of its own: the oldest question that this annotator may answer."""
    with Ledger(path) as window:
        query = window.waiting(annotator)[0]
        window.answer(answer_pair(query, side, Given(annotator, query.id)))  # type: ignore[arg-type]


def test_a_person_answers_from_another_process(ledger: Ledger, path: Path) -> None:
    human = Human(ledger)
    human.ask(pair(0))
    human.ask(pair(1))
    assert human.poll() == []
    press(path, "anna")
    press(path, "ben", "skip")
    assert [(answer.given.query, answer.given.annotator) for answer in human.poll()] == [("q0", "anna"), ("q1", "ben")]
    assert human.poll() == [] and list(ledger.active()) == [3]


def test_questions_to_one_are_not_shown_to_others(ledger: Ledger, path: Path) -> None:
    anna, anybody = Human(ledger, "anna"), Human(ledger)
    anna.ask(pair(0))
    anybody.ask(pair(1))
    assert [query.id for query in ledger.waiting("ben")] == ["q1"]
    assert [query.id for query in ledger.waiting("anna")] == ["q0", "q1"]
    press(path, "ben")
    press(path, "anna")
    assert [answer.given.query for answer in anna.poll()] == ["q0"] and [answer.given.query for answer in anybody.poll()] == ["q1"]


def test_a_learner_that_restarts_in_mid_question_hears_the_answer(ledger: Ledger, path: Path) -> None:
    first = Human(ledger)
    first.ask(pair(0))
    first.ask(pair(1))
    press(path, "anna")
    with Ledger(path) as again:
        restarted = Human(again)
        assert list(again.active()) == [3], "what was answered before is in the ledger"
        press(path, "anna", "right")
        assert [answer.given.query for answer in restarted.poll()] == ["q1"]


def test_another_teachers_answers_are_on_the_disk_before_they_are_learned_from(ledger: Ledger, path: Path) -> None:
    teacher = Recorded(simulated(), ledger)
    teacher.ask(pair(0))
    assert ledger.waiting("anna") == [], "nobody else is asked"
    (answer,) = teacher.poll()
    with Ledger(path, read_only=True) as reader:
        assert reader.active() == {2: answer}
    assert answer.given.annotator == teacher.name == "simulated"
    assert teacher.poll() == []


def test_what_was_asked_and_not_answered_is_asked_again_after_a_restart(ledger: Ledger) -> None:
    first = Recorded(simulated(), ledger)
    first.ask(pair(0))
    Human(ledger).ask(pair(1))
    second = Recorded(simulated(), ledger)
    assert [answer.given.query for answer in second.poll()] == ["q0"]
    assert [query.id for query in ledger.waiting()] == ["q1"]
    assert Recorded(simulated(), ledger).poll() == []


def test_a_question_that_nobody_there_answers_is_not_recorded(ledger: Ledger) -> None:
    teacher = Recorded(simulated(), ledger)
    with pytest.raises(DataError, match=r"'simulated' is asked for a mark(.|\n)*pair, ranking, rating"):
        teacher.ask(Query("m", "mark", (Segment("a", 0, 5),), (0,)))
    assert ledger.records() == []
