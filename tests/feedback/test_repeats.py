"""Which question is asked a second time, and when."""

from __future__ import annotations

from rewardbot.feedback.feedback import Given, Query, Ranking, answer_pair
from rewardbot.feedback.records import History, Record
from rewardbot.feedback.repeats import AGAIN, repeat
from rewardbot.types import Segment


def answered(history: History, count: int, annotator: str) -> History:
    """So many more pairs that were answered with left."""
    for number in range(len(history.queries), len(history.queries) + count):
        query = Query(f"q{number}", "pair", (Segment(f"a{number}", 0, 5), Segment(f"b{number}", 0, 5)), (1, 0))
        for entry in (query, answer_pair(query, "left", Given(annotator, query.id))):
            history.add(Record(history.last + 1, 0.0, annotator if isinstance(entry, Ranking) else "", entry))
    return history


def test_it_is_an_older_pair_with_its_sides_swapped_now_and_then() -> None:
    assert repeat(History(), 10, 0, 1.0) is None
    assert repeat(answered(History(), 9, "ann"), 10, 0, 1.0) is None and repeat(answered(History(), 99, "ann"), 0, 0, 1.0) is None
    history = answered(History(), 10, "ann")
    query = repeat(history, 10, 0, 7.0)
    assert query is not None and query.id.startswith(AGAIN) and query.asked == 7.0
    asked = history.queries[query.id.removeprefix(AGAIN)]
    assert (query.options, query.order) == (asked.options, (0, 1)) and int(asked.id[1:]) < 5
    history.add(Record(history.last + 1, 0.0, "", query))
    assert repeat(history, 10, 0, 1.0) is None, "one for ten answers"


def test_it_is_one_of_whoever_answered_last() -> None:
    history = answered(answered(History(), 10, "ann"), 9, "bob")
    assert repeat(history, 10, 0, 1.0) is None, "bob has not answered enough"
    query = repeat(answered(history, 1, "bob"), 10, 0, 1.0)
    assert query is not None and 10 <= int(query.id.removeprefix(f"{AGAIN}q")) < 15
