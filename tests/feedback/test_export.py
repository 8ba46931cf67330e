"""A ledger as JSON Lines, from which all of it can be read again, and as CSV, in which no text is a formula."""

from __future__ import annotations

import csv
import io
import json
from pathlib import Path

import pytest

from rewardbot.errors import DataError
from rewardbot.feedback.export import COLUMNS, comma_separated, from_words, in_words, json_lines
from rewardbot.feedback.feedback import (
    Given,
    Kind,
    Query,
    Ranking,
    Rating,
    Skip,
    SuccessMark,
    UnsafeInterval,
    answer_pair,
)
from rewardbot.feedback.ledger import Ledger
from rewardbot.feedback.records import History, Record, parse
from rewardbot.types import Segment

A, B, C = Segment("a", 0, 10), Segment("b", 5, 12), Segment("c", 2, 9)
PAIR = Query("p", "pair", (A, B), (1, 0), 1.0, 7, "disagreement", "for a reason", (0.25, 0.75))


def by(annotator: str, query: str = "") -> Given:
    return Given(annotator, query, 10.0, 12.5, 2.5)


def records(folder: Path) -> list[Record]:
    times = iter(range(100))
    with Ledger(folder / "l.db", clock=lambda: float(next(times))) as ledger:
        ledger.ask(PAIR, Query("r", "ranking", (A, B, C), (2, 1, 0)), Query("s", "rating", (C,), (0,)))
        first = ledger.answer(answer_pair(PAIR, "left", by("anna", "p")))
        ledger.answer(Ranking((A, B, C), (1, 0, 1), by("anna", "r")))
        undone = ledger.answer(Rating(C, 2, by("anna", "s")))
        ledger.answer(Skip(by("=1+1", "s")))
        ledger.answer(SuccessMark("c", 4, False, by("anna")))
        ledger.answer(UnsafeInterval(C, 'too "fast",\nlook', by("anna")))
        ledger.amend(first, answer_pair(PAIR, "equal", by("anna", "p")))
        ledger.undo(undone, "anna")
        return ledger.records()


def test_json_lines_hold_every_record_as_it_is(tmp_path: Path) -> None:
    found = records(tmp_path)
    rows = [json.loads(line) for line in json_lines(found).splitlines()]
    read = [Record(row["id"], row["time"], row["annotator"], parse(row["kind"], json.dumps(row["document"]))) for row in rows]
    assert read == found


def test_a_line_of_csv_per_answer(tmp_path: Path) -> None:
    rows = list(csv.DictReader(io.StringIO(comma_separated(records(tmp_path)))))
    assert tuple(rows[0]) == COLUMNS
    assert rows[0] == {
        "answer": "4", "counts": "yes", "query": "p", "kind": "pair", "strategy": "disagreement", "reward_version": "7",
        "annotator": "anna", "asked": "10.0", "answered": "12.5", "seconds": "2.5", "said": "equal", "clips": "a:0-10 b:5-12",
        "order": "1 0", "predicted": "0.25 0.75"}
    assert [(row["said"], row["counts"], row["clips"]) for row in rows[1:]] == [
        ("1 0 1", "yes", "a:0-10 b:5-12 c:2-9"), ("2", "no", "c:2-9"), ("skip", "yes", "c:2-9"), ("failure at 4", "yes", "c:4-5"),
        ('unsafe 2-9: too "fast",\nlook', "yes", "c:2-9")]
    assert rows[3]["annotator"] == "'=1+1", "a spreadsheet must not calculate it"


def test_words_are_read_back(tmp_path: Path) -> None:
    history = History(records(tmp_path))
    for response in history.responses.values():
        query = history.queries.get(response.given.query)
        assert from_words(in_words(response, query), response, query) == response
    skipped = next(one for one in history.responses.values() if isinstance(one, Skip))
    assert from_words("7", skipped, history.queries["s"]) == Rating(C, 7, skipped.given)


@pytest.mark.parametrize(("kind", "said", "valid"), [
    ("pair", "lefft", "left, right, equal or skip"), ("pair", "0 1", "left, right"), ("ranking", "left", "rank of each clip"),
    ("ranking", "0 1", "One for each clip"), ("rating", "8", "1 .worst. to 7 .best."), ("rating", "good", "1 .worst. to 7 .best."),
    ("mark", "success", "success at STEP"), ("interval", "unsafe 3-1: why", "0 <= start < stop"),
    ("interval", "too fast", "START-STOP")])
def test_words_that_are_no_answer(kind: Kind, said: str, valid: str) -> None:
    clips = {"pair": (A, B), "ranking": (A, B, C)}.get(kind, (A,))
    query = Query("q", kind, clips, tuple(range(len(clips))))
    with pytest.raises(DataError, match=valid):
        from_words(said, Skip(by("anna", "q")), query)


def test_an_empty_ledger(tmp_path: Path) -> None:
    with Ledger(tmp_path / "l.db") as ledger:
        assert json_lines(ledger.records()) == ""
        assert comma_separated(ledger.records()).splitlines() == [",".join(COLUMNS)]
