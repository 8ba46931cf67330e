"""What a desk, which asks questions, and the windows that answer them tell each other. Plain data and JSON; no ROS here.

Over ROS each message is JSON in a std_msgs/String, under the graph's namespace, with a quality of service of `ros/qos.py`:

    preferences/questions   desk -> windows   `Questions`   LATCHED   all that wait now, when that changes; also for who comes late
    preferences/requests    window -> desk    `Request`     EVENTS    an answer, an undo, an amendment, a withdrawal
    preferences/receipts    desk -> windows   `Receipt`     EVENTS    what came of a request; all windows hear it
    preferences/people      desk -> windows   `People`      LATCHED   who answers, how far they agree, and where they do not
    metrics                 desk -> windows   `STATUS`      EVENTS    diagnostic_msgs/DiagnosticArray of the node `preference_node`
    preferences/pause       service std_srvs/SetBool: no new questions; those that wait are answered as before
    preferences/clear_alarm service std_srvs/Trigger: somebody has looked at what the policy does, and learning may go on

A receipt that says `done` is sent when the request is on the disk, never before. A window sends a request again, the very same, until
a receipt with its id comes; a desk that was killed in between stores nothing twice. The first answer to a question counts, later
ones of others are refused; a question that is asked of one annotator, `Query.to`, is taken from nobody else. A question that was
withdrawn while a window showed it is `closed`; an answer to it that is on its way counts all the same.
"""

from __future__ import annotations

import json
import zlib
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal, TypeVar

from rewardbot.config import from_mapping, to_mapping
from rewardbot.errors import ConfigError, DataError
from rewardbot.feedback.feedback import Query
from rewardbot.feedback.people import People
from rewardbot.feedback.records import Amend, Entry, Undo, Withdraw, dump, kind_of, parse

QUESTIONS, REQUESTS, RECEIPTS, PEOPLE = (
    "preferences/questions", "preferences/requests", "preferences/receipts", "preferences/people")
PAUSE, CLEAR = "preferences/pause", "preferences/clear_alarm"

VERSION = 1
"""Of these messages."""

State = Literal["asking", "collecting", "paused", "finished", "enough", "alarm"]
"""Questions wait or will soon; there are no episodes to ask about yet; somebody paused; the budget is spent; more answers would
change little; the reward is frozen because it may be exploited."""

STATUS = ("state", "words", "teacher", "trouble", "answered", "skipped", "waiting", "budget", "reward_version", "reward_answers",
          "meter", "alarm", "ledger", "bags")
"""What a desk tells: its `State` and that in words for an operator; who is asked, `human` or the name of a simulated teacher or
model, and what is the matter with that one; how many questions of the run were answered, skipped, wait, and may be asked for;
version of the newest reward and how many answers it was fitted to; the bound of the enough-feedback meter and the alarm's words,
empty without; where answers and bags are."""

KEPT = 50
"""Closed questions that a desk still tells of."""

M = TypeVar("M")


@dataclass(frozen=True)
class Question:
    """A query, and where its clips are.

    Attributes:
        query: what is asked.
        bags: absolute path of the bag of each option, in the order of `query.options`.
        rewards: reward of each step of each option by the reward that asked, or empty; for who wants to know why this is asked.
    """

    query: Query
    bags: tuple[str, ...]
    rewards: tuple[tuple[float, ...], ...] = ()


@dataclass(frozen=True)
class Closed:
    """A question that waits no more: its query's id, why, and which annotator answered or skipped it."""

    query: str
    why: Literal["answered", "skipped", "withdrawn"]
    by: str = ""


@dataclass(frozen=True)
class Questions:
    """What waits for answers, the oldest first, and what was closed last, the newest last.

    Attributes:
        desk: another one in each process of a desk.
        people: annotators who are there, by name; the questions are dealt out to them.
    """

    desk: str
    open: tuple[Question, ...] = ()
    closed: tuple[Closed, ...] = ()
    people: tuple[str, ...] = ()

    def of(self, annotator: str) -> tuple[Question, ...]:
        """What that annotator may answer: first what is dealt to them, so that two seldom look at the same, then the rest."""
        people = sorted({*self.people, annotator})
        found = [one for one in self.open if one.query.to in ("", annotator)]
        return tuple(sorted(found, key=lambda one: annotator != (one.query.to or people[_number(one.query.id) % len(people)])))

    def to_text(self) -> str:
        """JSON."""
        return _write(to_mapping(self))

    @classmethod
    def from_text(cls, text: str) -> Questions:
        """The inverse of `to_text`.

        Raises:
            DataError: text of something else.
        """
        return _read("questions", text, lambda values: from_mapping(cls, values))


@dataclass(frozen=True)
class Request:
    """What an annotator wants on record.

    Attributes:
        id: unique name, such as a UUID.
        annotator: who asks; of an answer or an amendment the same as in its `given`.
        entry: an answer, a skip, `Undo`, `Amend` or `Withdraw`.
    """

    id: str
    annotator: str
    entry: Entry

    def to_text(self) -> str:
        """JSON."""
        return _write({"id": self.id, "annotator": self.annotator, "kind": kind_of(self.entry), "document": dump(self.entry)})

    @classmethod
    def from_text(cls, text: str) -> Request:
        """The inverse of `to_text`.

        Raises:
            DataError: text of something else.
        """

        def build(values: dict[str, Any]) -> Request:
            id, annotator, kind, document = (str(values[key]) for key in ("id", "annotator", "kind", "document"))
            if kind == "query":
                raise ValueError("annotators ask no queries")
            return cls(id, annotator, parse(kind, document))

        return _read("request", text, build)


@dataclass(frozen=True)
class Receipt:
    """What came of a request.

    Attributes:
        request: its id.
        done: it is in the ledger, on the disk.
        record: id of its record there; of an answer this is what `Undo` and `Amend` name. 0 if it is not done.
        query: id of the query that an answer is to, else empty.
        annotator: who asked.
        said: why it was refused and what to do, in words for people.
        retry: it could not be stored now, by a full disk or a locked ledger; the same request may be sent again.
    """

    request: str
    done: bool
    record: int = 0
    query: str = ""
    annotator: str = ""
    said: str = ""
    retry: bool = False

    def to_text(self) -> str:
        """JSON."""
        return _write(to_mapping(self))

    @classmethod
    def from_text(cls, text: str) -> Receipt:
        """The inverse of `to_text`.

        Raises:
            DataError: text of something else.
        """
        return _read("receipt", text, lambda values: from_mapping(cls, values))


def people_to_text(people: People) -> str:
    """JSON."""
    return _write(to_mapping(people))


def people_from_text(text: str) -> People:
    """The inverse of `people_to_text`.

    Raises:
        DataError: text of something else.
    """
    return _read("people", text, lambda values: from_mapping(People, values))


def query_of(entry: Entry) -> str:
    """Id of the query that an answer or an amendment is to; empty for others."""
    response = entry.response if isinstance(entry, Amend) else entry
    return "" if isinstance(response, (Query, Undo, Withdraw)) else response.given.query


def _number(id: str) -> int:
    """The same for the same id in every process."""
    return zlib.crc32(id.encode())


def _write(values: dict[str, Any]) -> str:
    return json.dumps({"version": VERSION, **values}, allow_nan=False)


def _read(what: str, text: str, build: Callable[[dict[str, Any]], M]) -> M:
    try:
        values = json.loads(text)
        if values.pop("version") != VERSION:
            raise ValueError(f"not version {VERSION}")
        return build(values)
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError, ConfigError) as error:
        why = error.what if isinstance(error, ConfigError) else f"{type(error).__name__}: {error}"
        raise DataError(f"This is no {what} message of rewardbot's: {text[:80]!r} ({why}).") from None
