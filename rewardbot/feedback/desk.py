"""The desk where questions lie until somebody answers them: any number of annotators at once, or a teacher that is a program.

The ledger is all that it remembers. What it was told is on the disk before it says so; what it is told twice it stores once.
"""

from __future__ import annotations

import sqlite3
import time
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from rewardbot.errors import DataError, RewardbotError
from rewardbot.feedback.feedback import Given, Query, Response, Skip
from rewardbot.feedback.ledger import Ledger
from rewardbot.feedback.messages import KEPT, Closed, Question, Questions, Receipt, Request, query_of
from rewardbot.feedback.records import Amend, Entry, History, LedgerError, Undo, Withdraw
from rewardbot.feedback.teachers.base import Teacher
from rewardbot.feedback.teachers.model import AUDIT, Model

AGAIN_S = 1.0
"""Pause after the ledger could not be written, before answers of the teacher are written again [s]."""

Rewards = tuple[tuple[float, ...], ...]
"""Of each step of each option, see `Question`."""


@dataclass(frozen=True)
class Counts:
    """How many questions were answered, skipped, and wait; audits of a model apart."""

    answered: int
    skipped: int
    waiting: int


class Desk:
    """See the module. No call waits for an annotator.

    Args:
        ledger: where everything goes.
        bag_of: the bag of an episode, None where there is none; a question without its clips is withdrawn.
        name: of this process, see `Questions`.
        teacher: a simulated teacher or a model, which is asked everything; without one, people are.
        stale_after: a question is withdrawn when the reward that asked is older than the present one by more than this.

    Attributes:
        version: of the present reward, 0 before there is one.
    """

    def __init__(
        self, ledger: Ledger, bag_of: Callable[[str], Path | None], *, name: str, teacher: Teacher | None = None,
        stale_after: int = 200,
    ) -> None:
        self.ledger, self.version = ledger, 0
        self._bag_of, self._teacher, self._stale_after = bag_of, teacher, stale_after
        self._stored: dict[tuple[str, Entry], int] = {}
        self._seen = 0
        self._rewards: dict[str, Rewards] = {}
        self._open: dict[str, Question] = {}
        self._closed: deque[Closed] = deque(maxlen=KEPT)
        self._handed: set[str] = set()  # to the teacher
        self._unwritten: list[Response] = []
        self._again_at = 0.0
        self._trouble = ""
        self._questions = Questions(name)
        self.refresh()

    @property
    def annotator(self) -> str:
        """Who is asked, for `Query.to`; empty for people."""
        return "" if self._teacher is None else self._teacher.name

    @property
    def trouble(self) -> str:
        """What a person should know about the teacher or the ledger; else empty."""
        return self._trouble or (self._teacher.trouble if isinstance(self._teacher, Model) else "")

    @property
    def counts(self) -> Counts:
        """See `Counts`."""
        given = [one for one in self.ledger.history().responses.values() if one.given.query and not one.given.query.endswith(AUDIT)]
        answered = {one.given.query for one in given if not isinstance(one, Skip)}
        skipped = {one.given.query for one in given} - answered
        return Counts(len(answered), len(skipped), sum(not id.endswith(AUDIT) for id in self._open))

    def ask(self, queries: Sequence[Query], rewards: Mapping[str, Rewards] | None = None) -> None:
        """Puts questions on the desk, for whoever is asked here.

        Args:
            queries: with clips whose bags are known.
            rewards: of each step, by the query's id, where they are known.

        Raises:
            LedgerError: they cannot be stored.
        """
        self.ledger.ask(*(replace(query, to=self.annotator) for query in queries))
        self._rewards |= rewards or {}
        self.refresh()

    def questions(self) -> Questions:
        """What waits now; the same object until something changes."""
        return self._questions

    def take(self, request: Request) -> Receipt:
        """Does what an annotator wants, once. What cannot be done is said in the receipt."""
        query = query_of(request.entry)
        try:
            record = self._record(request)
        except DataError as error:
            return Receipt(request.id, False, query=query, annotator=request.annotator, said=str(error),
                           retry=_is_storage(error))
        self.refresh()
        return Receipt(request.id, True, record, query, request.annotator)

    def poll(self) -> None:
        """Hands questions to the teacher, and writes down what it has answered. A ledger that cannot be written, or a teacher that
        gives up, is `trouble`: nothing that was answered is lost.
        """
        if self._teacher is not None:
            for id, question in self._open.items():
                if id not in self._handed and question.query.to == self._teacher.name:
                    self._handed.add(id)
                    self._hand(self._teacher, question.query)
            try:
                self._unwritten += self._teacher.poll()
            except RewardbotError as error:  # it gives up; what it said before is written down
                self._trouble = str(error)
            if time.monotonic() >= self._again_at:
                self._write_down(self._teacher)
        self.refresh()

    def refresh(self) -> None:
        """Brings `questions` up to date with the ledger, which others may write too, and with the bags."""
        history = self._catch_up()
        before = self._open
        self._open = {query.id: before.get(query.id) or found for query in history.waiting()
                      if (found := self._shown(query)) is not None}
        self._closed += [self._why(history, id) for id in before if id not in self._open]
        if self._open.keys() != before.keys():
            self._rewards = {id: rewards for id, rewards in self._rewards.items() if id in self._open}
            self._questions = Questions(self._questions.desk, tuple(self._open.values()), tuple(self._closed))

    def close(self) -> None:
        """Lets the teacher go; the ledger stays open."""
        if self._teacher is not None:
            self._teacher.close()

    # Parts ---------------------------------------------------------------------------------------------------------------

    def _record(self, request: Request) -> int:
        history, entry, annotator = self._catch_up(), request.entry, request.annotator
        if (known := self._stored.get((annotator, entry))) is not None and not (
                isinstance(entry, Withdraw) and any(one.given.annotator == entry.annotator for one in history.responses.values())):
            return known
        if isinstance(entry, Undo):
            return self.ledger.undo(entry.answer, annotator)
        if isinstance(entry, Withdraw):
            return self.ledger.withdraw(entry.annotator, annotator)
        response = entry.response if isinstance(entry, Amend) else entry
        if isinstance(response, Query) or response.given.annotator != annotator:
            raise LedgerError(f"{annotator or 'Nobody'} gives an answer of somebody else's.", next_step="Give it in one name.")
        if isinstance(entry, Amend):
            return self.ledger.amend(entry.answer, response)
        self._check_first(history, response)
        return self.ledger.answer(response)

    def _check_first(self, history: History, response: Response) -> None:
        query = history.queries.get(response.given.query)
        if query is None:
            return  # the ledger knows whether that is right
        if query.to not in ("", response.given.annotator):
            raise LedgerError(f"This question is for {query.to}.", next_step="Answer the next one.")
        for other in (one.given for one in history.responses.values() if not isinstance(one, Skip)):
            if other.query == query.id and other.annotator != response.given.annotator:
                raise LedgerError(f"{other.annotator} has answered this question already.", next_step="Answer the next one.")

    def _catch_up(self) -> History:
        for record in self.ledger.records(self._seen):
            self._seen = record.id
            if not isinstance(record.entry, Query):
                self._stored[record.annotator, record.entry] = record.id
        return self.ledger.history()

    def _shown(self, query: Query) -> Question | None:
        bags = [self._bag_of(segment.episode_id) for segment in query.options]
        if None in bags or (query.reward_version and query.reward_version < self.version - self._stale_after):
            return None
        return Question(query, tuple(map(str, bags)), self._rewards.get(query.id, ()))

    @staticmethod
    def _why(history: History, query: str) -> Closed:
        given = [one for one in history.responses.values() if one.given.query == query]
        if not given:
            return Closed(query, "withdrawn")
        return Closed(query, "skipped" if all(isinstance(one, Skip) for one in given) else "answered", given[-1].given.annotator)

    def _hand(self, teacher: Teacher, query: Query) -> None:
        try:
            teacher.ask(query)
        except RewardbotError as error:  # a clip that it cannot judge is no reason to leave out the others
            now = time.time()
            self._unwritten.append(Skip(Given(teacher.name, query.id, now, now)))
            self._trouble = str(error)

    def _write_down(self, teacher: Teacher) -> None:
        try:
            while self._unwritten:
                response = self._unwritten[0]
                try:
                    self.ledger.answer(response)
                    self._trouble = self._trouble if isinstance(response, Skip) else ""
                except LedgerError as error:
                    if _is_storage(error):
                        raise
                    # Somebody has answered in its name already.
                del self._unwritten[0]
            if isinstance(teacher, Model) and (audits := teacher.audits()):
                self.ledger.ask(*audits)
        except LedgerError as error:
            self._trouble, self._again_at = str(error), time.monotonic() + AGAIN_S


def _is_storage(error: DataError) -> bool:
    """Whether the disk or another process is what stands in the way, and not the ledger's rules."""
    return isinstance(error.__cause__, sqlite3.Error)
