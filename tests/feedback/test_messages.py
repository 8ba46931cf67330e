"""Messages between desk and windows: there and back, and nothing but a DataError for what is none."""

from __future__ import annotations

import contextlib
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rewardbot.errors import DataError
from rewardbot.feedback.feedback import Given, Query, Ranking, Skip
from rewardbot.feedback.messages import Closed, Question, Questions, Receipt, Request, query_of
from rewardbot.feedback.records import Amend, Undo, Withdraw
from rewardbot.types import Segment

CLIPS = (Segment("a", 0, 10), Segment("b", 5, 15))
QUERY = Query("q", "pair", CLIPS, (1, 0), 1.5, 3, "disagreement", "the members differ", (0.25, 0.75), "ann")
ANSWER = Ranking(CLIPS, (0, 1), Given("ann", "q", 1.5, 4.0, 2.5))


def test_there_and_back() -> None:
    questions = Questions("17-a", (Question(QUERY, ("/bags/a", "/bags/b"), ((0.5, 1.0), ())),), (Closed("p", "answered", "bob"),),
                          ("ann", "bob"))
    assert Questions.from_text(questions.to_text()) == questions
    for entry in (ANSWER, Skip(Given("ann", "q")), Undo(7), Amend(7, ANSWER), Withdraw("bob")):
        request = Request("r-1", "ann", entry)
        assert Request.from_text(request.to_text()) == request
    receipt = Receipt("r-1", False, query="q", annotator="ann", said="bob was first; \u00e4\n", retry=True)
    assert Receipt.from_text(receipt.to_text()) == receipt


def shown(ids: list[str], annotator: str, *people: str, to: str = "") -> list[str]:
    """In which order somebody is asked these questions, the first of which is perhaps only for one person."""
    open = tuple(Question(Query(id, "pair", CLIPS, (0, 1), to="" if number else to), ("", "")) for number, id in enumerate(ids))
    return [one.query.id for one in Questions("desk", open, (), people).of(annotator)]


@given(st.lists(st.text("abcdefgh0123456789", min_size=1, max_size=6), min_size=1, max_size=30, unique=True))
def test_two_are_dealt_different_questions_and_then_help_each_other(ids: list[str]) -> None:
    assert shown(ids, "ann", "ann") == ids == shown(ids, "bob"), "who is alone is asked the oldest first"
    first, second = shown(ids, "ann", "ann", "bob"), shown(ids, "bob", "ann", "bob")
    assert any(first[share:] + first[:share] == second for share in range(len(ids) + 1)), "one's own share, then the other's"
    assert second == shown(ids, "bob", "ann"), "who comes now takes a share, too"


def test_shares_are_about_alike_and_what_is_for_one_person_goes_to_that_one() -> None:
    ids = [f"q{number}" for number in range(1, 31)]
    order = shown(ids, "ann", "ann", "bob")
    assert 10 <= next(share for share in range(1, 31) if order[share:] + order[:share] == shown(ids, "bob", "ann", "bob")) <= 20
    assert shown(ids, "ann", "ann", "bob", to="bob") == [id for id in order if id != "q1"]
    assert shown(ids, "bob", "ann", "bob", to="bob")[0] == "q1"


def test_which_query_an_entry_is_about() -> None:
    assert [query_of(entry) for entry in (ANSWER, Amend(7, ANSWER), Undo(7), Withdraw("bob"))] == ["q", "q", "", ""]


@pytest.mark.parametrize("cls", [Questions, Request, Receipt])
@pytest.mark.parametrize("text", ["", "[]", "{}", "null", '{"version": 1}', '{"version": 2, "desk": "", "open": [], "closed": []}',
                                  '{"version": 1, "desk": "", "open": [3], "closed": []}', "[" * 100_000,
                                  '{"version": 1, "id": 3, "annotator": "", "kind": "undo", "document": {}}'])
def test_other_text_is_refused(cls: type[Questions] | type[Request] | type[Receipt], text: str) -> None:
    with pytest.raises(DataError):
        cls.from_text(text)


def test_a_query_is_no_request() -> None:
    text = Request("r", "ann", QUERY).to_text()
    with pytest.raises(DataError, match="ask no queries"):
        Request.from_text(text)


KEYS = ["id", "annotator", "kind", "document", "desk", "open", "closed", "query", "bags", "rewards", "done"]


@given(st.dictionaries(st.sampled_from(KEYS), st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(KEYS), inner))))
def test_any_json_is_read_or_refused(values: dict[str, object]) -> None:
    for cls in (Questions, Request, Receipt):
        with contextlib.suppress(DataError):
            cls.from_text(json.dumps({"version": 1, **values}))
