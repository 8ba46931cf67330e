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
    questions = Questions("17-a", (Question(QUERY, ("/bags/a", "/bags/b"), ((0.5, 1.0), ())),), (Closed("p", "answered", "bob"),))
    assert Questions.from_text(questions.to_text()) == questions
    for entry in (ANSWER, Skip(Given("ann", "q")), Undo(7), Amend(7, ANSWER), Withdraw("bob")):
        request = Request("r-1", "ann", entry)
        assert Request.from_text(request.to_text()) == request
    receipt = Receipt("r-1", False, query="q", annotator="ann", said="bob was first; \u00e4\n", retry=True)
    assert Receipt.from_text(receipt.to_text()) == receipt


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
