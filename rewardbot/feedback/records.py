"""What a ledger holds, record by record, and what counts after them. Plain Python, no storage."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Literal

from rewardbot.errors import DataError, RewardbotError, unknown_name
from rewardbot.feedback.feedback import (
    VERSION,
    Feedback,
    Query,
    Response,
    Skip,
    check_answers,
    from_json,
    to_json,
)

RecordKind = Literal["query", "answer", "undo", "amend", "withdraw"]


THERE_S = 300.0
"""How long ago somebody may have put something on record to be taken for there [s]."""


class LedgerError(DataError):
    """A ledger that cannot be used, or a record that cannot follow those that are there. What was stored is still there."""


@dataclass(frozen=True)
class Undo:
    """The answer with this record's id counts no more, whatever it was amended to."""

    answer: int


@dataclass(frozen=True)
class Amend:
    """The answer with this record's id says `response` from now on, and keeps its place among the others."""

    answer: int
    response: Response


@dataclass(frozen=True)
class Withdraw:
    """Whatever `annotator` answered so far counts no more."""

    annotator: str


Entry = Query | Response | Undo | Amend | Withdraw


@dataclass(frozen=True)
class Record:
    """A line of the ledger.

    Attributes:
        id: counts up in the order of writing, and is what orders records; the clock may be set back.
        time: when it was written [s since 1970].
        annotator: who did it; empty for a query.
    """

    id: int
    time: float
    annotator: str
    entry: Entry

    @property
    def kind(self) -> RecordKind:
        """What kind of record it is."""
        return kind_of(self.entry)


def kind_of(entry: Entry) -> RecordKind:
    """The kind of record that holds `entry`."""
    kinds: dict[type[Any], RecordKind] = {Query: "query", Undo: "undo", Amend: "amend", Withdraw: "withdraw"}
    return kinds.get(type(entry), "answer")


def dump(entry: Entry) -> str:
    """JSON of an entry, the same text for the same entry."""
    if isinstance(entry, Undo):
        document: dict[str, Any] = {"version": VERSION, "answer": entry.answer}
    elif isinstance(entry, Amend):
        document = {"version": VERSION, "answer": entry.answer, "response": to_json(entry.response)}
    elif isinstance(entry, Withdraw):
        document = {"version": VERSION, "annotator": entry.annotator}
    else:
        document = to_json(entry)
    return json.dumps(document, allow_nan=False, default=lambda number: number.item())  # of numpy


def parse(kind: str, text: str) -> Entry:
    """The inverse of `dump`.

    Raises:
        DataError: not what `dump` writes for this kind.
    """
    try:
        document = json.loads(text)
        if kind in ("query", "answer"):
            entry = from_json(document)
        elif document.pop("version") != VERSION:
            raise ValueError("another version")
        elif kind == "undo":
            entry = Undo(**document)
        elif kind == "amend":
            entry = Amend(document.pop("answer"), _response(document.pop("response")), **document)
        else:
            entry = Withdraw(**document)
        if kind_of(entry) != kind:
            raise ValueError(f"a {kind_of(entry)}")
    except RewardbotError:
        raise
    except (ValueError, TypeError, KeyError, AttributeError) as error:
        raise DataError(f"This is no record of kind '{kind}': {error}.") from None
    return entry


class History:
    """What counts after some records.

    Attributes:
        queries: all queries by id, in the order in which they were asked.
        responses: what counts, skips too, by the id of the answer's record and in the order of these ids.
        heard: when each annotator put something on record last [s since 1970].
        last: id of the last record, 0 before the first.
    """

    def __init__(self, records: Iterable[Record] = ()) -> None:
        self.queries: dict[str, Query] = {}
        self.responses: dict[int, Response] = {}
        self.heard: dict[str, float] = {}
        self.last = 0
        self._answers: dict[tuple[str, str], int] = {}
        for record in records:
            self.add(record)

    def active(self) -> dict[int, Feedback]:
        """What a reward learns from: `responses` without the skipped queries."""
        return {id: response for id, response in self.responses.items() if not isinstance(response, Skip)}

    def answered(self) -> int:
        """How many answers to questions count; a budget is of these, not of what nobody asked for."""
        return sum(bool(response.given.query) for response in self.active().values())

    def waiting(self, annotator: str | None = None) -> list[Query]:
        """Queries that nobody has answered or skipped, the oldest first: all, or those that `annotator` may answer."""
        answered = {query for query, _ in self._answers}
        return [query for id, query in self.queries.items()
                if id not in answered and (annotator is None or query.to in ("", annotator))]

    def there(self, now: float) -> tuple[str, ...]:
        """Annotators who are at their windows, as far as what they do tells, by name; `now` is the time [s since 1970]."""
        return tuple(sorted(name for name, heard in self.heard.items() if now - heard <= THERE_S))

    def check(self, annotator: str, entry: Entry) -> None:
        """Checks that `annotator` may add `entry` now.

        Raises:
            LedgerError: it repeats a query or an answer, is about what is not there, or nobody says it.
            DataError: an answer to something else than was asked.
        """
        if isinstance(entry, Query):
            if entry.id in self.queries:
                raise LedgerError(f"Query '{entry.id}' is in the ledger already.", next_step="Give each query an id of its own.")
            return
        if not annotator:
            raise LedgerError("Nobody is named who says so.", valid="The name of an annotator.")
        if isinstance(entry, Undo):
            self.counting(entry.answer)
        elif isinstance(entry, Amend):
            before, after = self.counting(entry.answer).given, entry.response.given
            if (after.annotator, after.query) != (before.annotator, before.query):
                raise LedgerError(f"Answer {entry.answer} is {before.annotator}'s to query '{before.query}', its amendment is "
                                  f"{after.annotator}'s to query '{after.query}'.", next_step="Undo it, and give a new answer.")
            self._check_response(entry.response)
        elif isinstance(entry, Withdraw):
            people = {response.given.annotator for response in self.responses.values()}
            if entry.annotator not in people:
                error = unknown_name("answer that counts by an annotator", entry.annotator, people)
                raise LedgerError(error.what, valid=error.valid, next_step=error.next_step)
        else:
            given = entry.given
            if annotator != given.annotator:
                raise LedgerError(f"{annotator} gives an answer of {given.annotator}'s.", next_step="Give it in one name.")
            if (id := self._answers.get((given.query, annotator))) is not None:
                raise LedgerError(f"{annotator} has answered query '{given.query}' already, with answer {id}.",
                                  next_step="Amend that answer, or undo it first.")
            self._check_response(entry)

    def add(self, record: Record) -> None:
        """Adds the next record.

        Raises:
            LedgerError, DataError: see `check`; the history is as it was.
        """
        entry = record.entry
        self.check(record.annotator, entry)
        if isinstance(entry, Query):
            self.queries[entry.id] = entry
        elif isinstance(entry, Undo):
            self._drop(entry.answer)
        elif isinstance(entry, Amend):
            self.responses[entry.answer] = entry.response
        elif isinstance(entry, Withdraw):
            for id in [id for id, response in self.responses.items() if response.given.annotator == entry.annotator]:
                self._drop(id)
        else:
            self.responses[record.id] = entry
            if entry.given.query:
                self._answers[entry.given.query, entry.given.annotator] = record.id
        self.last = record.id
        if record.annotator:
            self.heard[record.annotator] = record.time

    def _drop(self, id: int) -> None:
        given = self.responses.pop(id).given
        self._answers.pop((given.query, given.annotator), None)

    def counting(self, id: int) -> Response:
        """The answer with this id.

        Raises:
            LedgerError: none that counts has it.
        """
        if id not in self.responses:
            raise LedgerError(f"There is no answer {id} that counts.", next_step="rewardbot ledger show lists those that do.")
        return self.responses[id]

    def _check_response(self, response: Response) -> None:
        name = response.given.query
        if name:
            if name not in self.queries:
                raise LedgerError(f"There is no query '{name}' in the ledger.", next_step="Put the query there first.")
            check_answers(self.queries[name], response)
        elif isinstance(response, Skip):
            raise LedgerError("Nothing is skipped.", valid="The id of a query.")


def _response(document: Any) -> Response:
    response = from_json(document)
    if isinstance(response, Query):
        raise ValueError("a query")
    return response
