"""Which question is asked a second time, of whom, and when."""

from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from rewardbot.feedback.annotators import agreement, judgements
from rewardbot.feedback.feedback import Given, Kind, Query, Ranking, Rating, Response, SuccessMark, answer_pair
from rewardbot.feedback.records import THERE_S, History, Record
from rewardbot.feedback.repeats import AGAIN, ALSO, repeat, second
from rewardbot.types import Segment


def answered(history: History, count: int, annotator: str) -> History:
    """So many more pairs that were answered with left."""
    for number in range(len(history.queries), len(history.queries) + count):
        query = Query(f"q{number}", "pair", (Segment(f"a{number}", 0, 5), Segment(f"b{number}", 0, 5)), (1, 0))
        for entry in (query, answer_pair(query, "left", Given(annotator, query.id))):
            history.add(Record(history.last + 1, 0.0, annotator if isinstance(entry, Ranking) else "", entry))
    return history


def test_it_is_an_older_pair_with_its_sides_swapped_now_and_then() -> None:
    assert repeat(History(), 10, "ann", 0, 1.0) is None
    assert repeat(answered(History(), 9, "ann"), 10, "ann", 0, 1.0) is None
    assert repeat(answered(History(), 99, "ann"), 0, "ann", 0, 1.0) is None, "never"
    history = answered(History(), 10, "ann")
    query = repeat(history, 10, "ann", 0, 7.0)
    assert query is not None and query.id.startswith(AGAIN) and query.asked == 7.0
    asked = history.queries[query.id.removeprefix(AGAIN)]
    assert (query.options, query.order, query.to) == (asked.options, (0, 1), "ann") and int(asked.id[1:]) < 5
    history.add(Record(history.last + 1, 0.0, "", query))
    assert repeat(history, 10, "ann", 0, 1.0) is None, "one for ten answers"


def test_it_is_one_that_the_same_person_answered() -> None:
    history = answered(answered(History(), 10, "ann"), 9, "bob")
    assert repeat(history, 10, "bob", 0, 1.0) is None, "bob has not answered enough"
    assert (query := repeat(history, 10, "ann", 0, 1.0)) is not None and query.to == "ann"
    query = repeat(answered(history, 1, "bob"), 10, "bob", 0, 1.0)
    assert query is not None and query.to == "bob" and 10 <= int(query.id.removeprefix(f"{AGAIN}q")) < 15


def put(history: History, entry: Query | Response, at: float = 0.0) -> None:
    name = "" if isinstance(entry, Query) else entry.given.annotator
    history.add(Record(history.last + 1, at, name, entry))


def test_somebody_else_is_asked_about_a_share_of_their_answers() -> None:
    history = answered(answered(History(), 20, "ann"), 9, "bob")
    assert second(history, 0.1, ("ann", "bob"), 0, 1.0)[0].to == "ann", "a tenth of 20, and bob has given 9"
    assert second(history, 0.1, ("bob",), 0, 1.0) == [] == second(history, 0.0, ("ann", "bob"), 0, 1.0)
    answered(history, 1, "bob")
    (query,) = second(history, 0.1, ("bob",), 0, 7.0)
    asked = history.queries[query.id.removeprefix(ALSO)]
    assert query.to == "bob" and query.asked == 7.0 and query.options == asked.options and int(asked.id[1:]) < 20, "ann's"
    put(history, query)
    assert second(history, 0.5, ("bob",), 0, 1.0) == [], "one at a time"
    put(history, answer_pair(query, "right", Given("bob", query.id)))
    assert second(history, 0.1, ("bob",), 0, 1.0) == [], "one for ten answers"
    (other,) = second(history, 0.2, ("bob",), 0, 1.0)
    assert other.id != query.id


def test_nobody_is_asked_what_they_know_and_nothing_is_asked_of_three() -> None:
    history = answered(History(), 1, "ann")
    same = Query("mine", "pair", history.queries["q0"].options, (0, 1))
    put(history, same)
    put(history, answer_pair(same, "left", Given("bob", "mine")))
    assert second(history, 1.0, ("ann", "bob"), 0, 1.0) == [], "both have seen these clips"
    history = answered(History(), 1, "ann")
    for name in ("bob", "cyn"):
        answered(history, 1, name)
    found = second(history, 1.0, ("ann", "bob", "cyn"), 0, 1.0)
    assert len({query.id for query in found}) == len(found) == 3, "each question goes to one other person"


def test_ratings_and_orders_are_compared_and_marks_are_not() -> None:
    history = answered(History(), 1, "bob")
    clips = tuple(Segment("c", n, n + 3) for n in range(3))
    kinds: dict[str, tuple[Kind, Response]] = {
        "r": ("rating", Rating(clips[0], 3, Given("ann", "r"))), "o": ("ranking", Ranking(clips, (0, 1, 2), Given("ann", "o"))),
        "m": ("mark", SuccessMark("c", 2, True, Given("ann", "m")))}
    for id, (kind, response) in kinds.items():
        options = clips if kind == "ranking" else clips[:1]
        put(history, Query(id, kind, options, tuple(range(len(options)))))
        put(history, response)
    asked = {query.id for seed in range(20) for query in second(history, 1.0, ("bob",), seed, 1.0)}
    assert asked == {"also-r", "also-o"}


def test_who_is_there_has_put_something_on_record_lately() -> None:
    history = answered(History(), 1, "ann")
    query = Query("x", "pair", (Segment("a", 0, 5), Segment("b", 0, 5)), (0, 1))
    put(history, query)
    put(history, answer_pair(query, "left", Given("bob", "x")), at=THERE_S)
    assert history.there(THERE_S) == ("ann", "bob") and history.there(THERE_S + 1.0) == ("bob",) == history.there(2 * THERE_S)


@settings(max_examples=30, deadline=None)
@given(st.lists(st.sampled_from(("ann", "bob")), min_size=30, max_size=80), st.sampled_from((0.1, 0.3, 0.5)))
def test_two_who_answer_by_turns_are_asked_the_same_for_the_share(turns: list[str], share: float) -> None:
    """Whoever answers when: at most that share of each one's answers is to what the other has answered; both like the same clips."""
    history, waiting = History(), dict[str, list[Query]]({"ann": [], "bob": []})
    for number, name in enumerate(turns):
        if not waiting[name]:
            waiting[name].append(Query(f"q{number}", "pair", (Segment("a", number, number + 5), Segment("b", 0, 5)), (0, 1)))
            put(history, waiting[name][0])
        query = waiting[name].pop()
        ranks = (0, 1) if query.options[0].start % 3 else (1, 0)
        put(history, Ranking(query.options, ranks, Given(name, query.id)))
        for also in second(history, share, ("ann", "bob"), 0, 1.0):
            put(history, also)
            waiting[also.to].append(also)
    for name in waiting:
        given_by = [one.given.query for one in history.active().values() if one.given.annotator == name]
        assert sum(id.startswith(ALSO) for id in given_by) <= share * len(given_by)
    both = any(one.given.query.startswith(ALSO) for one in history.active().values())
    alpha = agreement(judgements(history))
    assert alpha == 1.0 if both else np.isnan(alpha)
