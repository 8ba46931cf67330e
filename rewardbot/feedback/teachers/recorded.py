"""Teachers whose questions and answers are in a ledger: a person, who answers there, and any other teacher, whose answers go there.

Both ask again after a restart whatever still waits for their answer. What a reward learns from is `Ledger.active`, where undone
answers are gone; `poll` tells that there are new ones.
"""

from __future__ import annotations

import logging
import time
from collections import deque
from collections.abc import Callable
from dataclasses import replace
from typing import get_args

from rewardbot.errors import DataError
from rewardbot.feedback.feedback import Given, Kind, Query, Response, Skip
from rewardbot.feedback.ledger import Ledger
from rewardbot.feedback.teachers.base import Teacher, check_kind

_log = logging.getLogger(__name__)


class Human:
    """A person who answers elsewhere, in a window of another process: the ledger lies between.

    Args:
        ledger: where to ask.
        name: of the annotator who is to answer, empty for anybody who comes.
    """

    def __init__(self, ledger: Ledger, name: str = "") -> None:
        self._ledger, self._name = ledger, name
        self._seen = ledger.history().last

    @property
    def name(self) -> str:
        """See `Teacher`."""
        return self._name

    @property
    def kinds(self) -> tuple[Kind, ...]:
        """See `Teacher`."""
        return get_args(Kind)

    def ask(self, query: Query) -> None:
        """See `Teacher`; a question is on the disk when this returns. Of those that anybody may answer some are for one person."""
        self._ledger.ask(replace(query, to=self._name or query.to))

    def poll(self) -> list[Response]:
        """See `Teacher`. Answers of before this object was made are not among them, those to questions of before are."""
        found: list[Response] = []
        for record in self._ledger.records(self._seen):
            self._seen = record.id
            if isinstance(record.entry, Response):
                query = self._ledger.history().queries.get(record.entry.given.query)
                found += [record.entry] if query is not None and query.to == self._name else []
        return found

    def close(self) -> None:
        """See `Teacher`; the ledger stays open."""


class Recorded:
    """Another teacher, each of whose answers is on the disk before anybody learns from it.

    Whatever breaks, no question is forgotten and no answer lost: what the teacher was not asked, because it raised something, it is
    asked at the next call; what could not be stored is stored then. A question that it cannot be asked at all (DataError) is skipped
    in its name, and an answer that fits no question is dropped.

    Args:
        teacher: a simulated one or a model.
        ledger: where its answers go.
        clock: tells the time of such a skip [s since 1970].
    """

    def __init__(self, teacher: Teacher, ledger: Ledger, *, clock: Callable[[], float] = time.time) -> None:
        self._teacher, self._ledger, self._clock = teacher, ledger, clock
        self._unasked = deque(query for query in ledger.waiting() if query.to == teacher.name)
        self._unstored: deque[Response] = deque()
        self._stored: list[Response] = []

    @property
    def name(self) -> str:
        """See `Teacher`."""
        return self._teacher.name

    @property
    def kinds(self) -> tuple[Kind, ...]:
        """See `Teacher`."""
        return self._teacher.kinds

    def ask(self, query: Query) -> None:
        """See `Teacher`.

        Raises:
            LedgerError: it could not be stored, and was not asked.
        """
        check_kind(self, query)
        query = replace(query, to=self.name)
        self._ledger.ask(query)
        self._unasked.append(query)
        self._pass_on()

    def poll(self) -> list[Response]:
        """See `Teacher`.

        Raises:
            LedgerError: an answer could not be stored yet.
        """
        self._pass_on()
        self._unstored.extend(self._teacher.poll())
        self._store()
        found, self._stored = self._stored, []
        return found

    def close(self) -> None:
        """See `Teacher`; the ledger stays open."""
        self._teacher.close()

    def _pass_on(self) -> None:
        while self._unasked:
            query = self._unasked[0]
            try:
                self._teacher.ask(query)
            except DataError as error:
                _log.warning("%s skips question '%s': %s", self.name, query.id, error)
                now = self._clock()
                self._unstored.append(Skip(Given(self.name, query.id, now, now)))
            self._unasked.popleft()

    def _store(self) -> None:
        while self._unstored:
            response, history = self._unstored[0], self._ledger.history()
            try:
                history.check(self.name, response)
            except DataError as error:
                _log.warning("An answer of %s is dropped: %s", self.name, error)
            else:
                self._ledger.answer(response)
                self._stored.append(response)
            self._unstored.popleft()
