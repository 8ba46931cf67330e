"""Queries and answers as data: what cannot be is refused, sides map through what was shown where, JSON there and back."""

from __future__ import annotations

import json
from typing import Any, get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rewardbot.errors import DataError
from rewardbot.feedback import feedback
from rewardbot.feedback.feedback import Given, Query, Ranking, Rating, Skip, SuccessMark, UnsafeInterval
from rewardbot.types import Segment

A, B, C = Segment("e0", 0, 10), Segment("e1", 5, 12), Segment("e2", 0, 3)
BY = Given("anna", "q", 100.0, 103.5, 3.5)
SIDES: tuple[feedback.Side, ...] = ("left", "right", "equal", "skip")

texts = st.text(st.characters(exclude_categories=("C", "Z")), min_size=1, max_size=12)
times = st.floats(0.0, 4e9)
segments = st.builds(lambda name, start, length: Segment(name, start, start + length), texts, st.integers(0, 99), st.integers(1, 50))
givens = st.builds(Given, texts, texts, times, times, times)


@st.composite
def rankings(draw: st.DrawFn) -> Ranking:
    clips = draw(st.lists(segments, min_size=2, max_size=5, unique=True))
    levels = draw(st.lists(st.integers(0, 4), min_size=len(clips), max_size=len(clips)))
    return Ranking(tuple(clips), feedback.dense(levels), draw(givens))


@st.composite
def queries(draw: st.DrawFn) -> Query:
    kind: feedback.Kind = draw(st.sampled_from(get_args(feedback.Kind)))
    least, most = {"pair": (2, 2), "ranking": (2, 5)}.get(kind, (1, 1))
    clips = draw(st.lists(segments, min_size=least, max_size=most, unique=True))
    order = draw(st.permutations(range(len(clips))))
    return Query(draw(texts), kind, tuple(clips), tuple(order), draw(times), draw(st.integers(0, 9)), draw(texts), draw(texts),
                 tuple(draw(st.lists(st.floats(0.0, 1.0), max_size=3))))


documents = (queries() | rankings() | st.builds(Rating, segments, st.integers(1, 7), givens) | st.builds(Skip, givens)
             | st.builds(SuccessMark, texts, st.integers(0, 99), st.booleans(), givens)
             | st.builds(UnsafeInterval, segments, texts, givens))


@given(documents)
def test_json_there_and_back(value: Any) -> None:
    assert feedback.from_json(json.loads(json.dumps(feedback.to_json(value)))) == value


def pair(*order: int) -> Query:
    return Query("q", "pair", (A, B), order)


@pytest.mark.parametrize(("order", "side", "ranks"), [
    ((0, 1), "left", (0, 1)), ((0, 1), "right", (1, 0)), ((1, 0), "left", (1, 0)), ((1, 0), "right", (0, 1)),
    ((1, 0), "equal", (0, 0)),
])
def test_a_side_means_the_clip_that_was_shown_there(order: tuple[int, ...], side: feedback.Side, ranks: tuple[int, ...]) -> None:
    assert feedback.answer_pair(pair(*order), side, BY) == Ranking((A, B), ranks, BY)


@given(st.sampled_from(SIDES), st.permutations([0, 1]))
def test_the_side_can_be_told_from_the_answer(side: feedback.Side, order: list[int]) -> None:
    assert feedback.side_of(pair(*order), feedback.answer_pair(pair(*order), side, BY)) == side


def test_ranks_by_place_become_ranks_by_clip() -> None:
    query = Query("q", "ranking", (A, B, C), (2, 0, 1))
    # Shown C, A, B; C is worst, A best, B between.
    assert feedback.answer_ranking(query, (9, 1, 4), BY) == Ranking((A, B, C), (0, 1, 2), BY)
    with pytest.raises(DataError, match="2 ranks were given for 3 clips"):
        feedback.answer_ranking(query, (0, 1), BY)


@pytest.mark.parametrize(("make", "said"), [
    (lambda: Query("q", "pair", (A,), (0,)), "has 1 clips(.|\n)*two"),
    (lambda: Query("q", "rating", (A, B), (0, 1)), "has 2 clips(.|\n)*one"),
    (lambda: Query("q", "pair", (A, A), (0, 1)), "compared with itself"),
    (lambda: Query("q", "pair", (A, B), (0, 0)), r"\[0, 0\](.|\n)*0 to 1 once"),
    (lambda: Query("q", "pare", (A, B), (0, 1)), "Did you mean 'pair'"),  # type: ignore[arg-type]
    (lambda: Query("", "pair", (A, B), (0, 1)), "id is ''"),
    (lambda: Query("q", "pair", (A, B), (0, 1), predicted=(float("nan"), 1.0)), "from 0 to 1"),
    (lambda: Query("q", "pair", (A, Segment("e", 3, 3)), (0, 1)), "steps 3 to 3"),
    (lambda: Ranking((A,), (0,)), "two or more"),
    (lambda: Ranking((A, B), (1, 2)), "without gaps"),
    (lambda: Ranking((A, B), (0, 1, 2)), "One for each clip"),
    (lambda: Rating(A, 0), r"1 \(worst\) to 7 \(best\)"),
    (lambda: Rating(A, 8), r"1 \(worst\) to 7 \(best\)"),
    (lambda: SuccessMark("e", -1, True), "step -1"),
    (lambda: UnsafeInterval(A, "  "), "has no reason"),
    (lambda: UnsafeInterval(A, "x" * 4001), "has 4001 characters"),
    (lambda: UnsafeInterval(A, "\x1b[2Jboo"), "cannot be shown"),
    (lambda: UnsafeInterval(A, "\ud800"), "cannot be shown"),
    (lambda: Given("anna\n"), "printable"),
    (lambda: Given(seconds=float("inf")), "'seconds' is inf"),
    (lambda: Given(answered=-1.0), "'answered' is -1.0"),
])
def test_what_cannot_be_is_refused(make: Any, said: str) -> None:
    with pytest.raises(DataError, match=said):
        make()


RATING = feedback.to_json(Rating(A, 4, BY))


@pytest.mark.parametrize(("document", "said"), [
    (None, "This is no feedback"),
    ([], "This is no feedback"),
    ({"version": 1}, "This is no feedback"),
    ({**RATING, "type": "ratin"}, "Did you mean 'rating'"),
    ({**RATING, "version": 2}, "version 2(.|\n)*reads version 1(.|\n)*newer"),
    ({**RATING, "version": True}, "version True"),
    ({key: value for key, value in RATING.items() if key != "version"}, "version None"),
    ({**RATING, "stars": 3}, "'stars'"),
    ({**RATING, "level": "4"}, "rating.level is '4'(.|\n)*whole number"),
    ({**RATING, "level": 9}, "A rating is 9"),
    ({key: value for key, value in RATING.items() if key != "level"}, "missing(.|\n)*level"),
    ({**RATING, "segment": {"episode_id": "e", "start": 0, "stop": 1, "end": 2}}, "'end'"),
    ({**RATING, "given": {**RATING["given"], "asked": float("nan")}}, "'asked' is nan"),
])
def test_json_that_is_not_ours_is_refused(document: Any, said: str) -> None:
    with pytest.raises(DataError, match=said):
        feedback.from_json(document)


@pytest.mark.parametrize(("query", "response"), [
    (Query("q", "pair", (A, B), (0, 1)), Ranking((B, A), (0, 1))),
    (Query("q", "pair", (A, B), (0, 1)), Rating(A, 3)),
    (Query("q", "rating", (A,), (0,)), Rating(B, 3)),
    (Query("q", "mark", (B,), (0,)), SuccessMark("e1", 13, True)),
    (Query("q", "interval", (B,), (0,)), UnsafeInterval(Segment("e1", 4, 6), "too fast")),
])
def test_an_answer_to_something_else_is_refused(query: Query, response: feedback.Response) -> None:
    with pytest.raises(DataError, match="'q'"):
        feedback.check_answers(query, response)


@pytest.mark.parametrize(("query", "response"), [
    (Query("q", "pair", (A, B), (1, 0)), Ranking((A, B), (0, 0))),
    (Query("q", "ranking", (A, B, C), (1, 0, 2)), Skip()),
    (Query("q", "mark", (B,), (0,)), SuccessMark("e1", 12, True)),
    (Query("q", "interval", (B,), (0,)), UnsafeInterval(Segment("e1", 6, 12), "too fast")),
])
def test_an_answer_to_what_was_asked_is_taken(query: Query, response: feedback.Response) -> None:
    feedback.check_answers(query, response)
