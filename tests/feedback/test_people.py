"""What windows show of annotators: counts, estimates, agreement and conflicts of a small ledger."""

from __future__ import annotations

from pathlib import Path

import pytest

from rewardbot.feedback.annotators import Annotators, judgements
from rewardbot.feedback.feedback import Given, Query, Ranking, Skip
from rewardbot.feedback.messages import people_from_text, people_to_text
from rewardbot.feedback.people import LISTED, People, people
from rewardbot.feedback.records import History, Record
from rewardbot.types import Segment

CLIPS = [Segment(f"e{number}", 0, 10) for number in range(LISTED + 2)]


def said(*answers: tuple[str, int, int]) -> History:
    """Of each who, which clip is better, and than which."""
    history = History()
    for name, better, worse in answers:
        history.add(Record(history.last + 1, 0.0, name, Ranking((CLIPS[better], CLIPS[worse]), (0, 1), Given(name))))
    return history


def test_counts_agreement_and_conflicts_there_and_back() -> None:
    """Two units with both ways round, one agreed on: alpha is 1 - (4 / 8) / (32 / 56)."""
    history = said(("bob", 0, 1), ("ann", 0, 1), ("ann", 1, 2), ("bob", 2, 1), ("bob", 2, 1))
    found = people(history, Annotators(judgements(history)), {"e1": Path("/bags/e1"), "e2": None}.get)
    assert [(one.name, one.answers, one.same, one.again) for one in found.people] == [("ann", 2, 0, 0), ("bob", 3, 1, 1)]
    assert all(one.estimate is not None and one.estimate.name == one.name for one in found.people)
    assert found.agreement == pytest.approx(1.0 - (4 / 8) / (32 / 56))
    (dispute,) = found.disputes
    assert found.disputed == 1 and dispute.conflict.clips == (CLIPS[1], CLIPS[2]) and dispute.bags == ("/bags/e1", "")
    assert (dispute.conflict.for_first, dispute.conflict.for_second) == ((("ann", 3),), (("bob", 4), ("bob", 5)))
    assert people_from_text(people_to_text(found)) == found


def test_nobody_and_one_alone() -> None:
    assert people(History(), Annotators(()), lambda episode: None) == People()
    history = said(("ann", 0, 1))
    history.add(Record(2, 0.0, "", Query("q", "pair", (CLIPS[0], CLIPS[1]), (0, 1))))
    history.add(Record(3, 0.0, "bob", Skip(Given("bob", "q"))))
    (ann,) = people(history, Annotators(()), lambda episode: None).people
    assert (ann.name, ann.answers, ann.estimate) == ("ann", 1, None), "who only skips has said nothing"


def test_only_the_first_conflicts_are_told_of() -> None:
    history = said(*(answer for number in range(LISTED + 1)
                     for answer in (("ann", number, number + 1), ("bob", number + 1, number))))
    found = people(history, Annotators(()), lambda episode: None)
    assert (len(found.disputes), found.disputed) == (LISTED, LISTED + 1)
