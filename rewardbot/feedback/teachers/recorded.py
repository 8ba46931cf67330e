"""Teachers whose questions and answers are in a ledger: a person, who answers there, and any other teacher, whose answers go there.

Both ask again after a restart whatever still waits for their answer. What a reward learns from is `Ledger.active`, where undone
answers are gone; `poll` tells that there are new ones.
"""

from __future__ import annotations

from dataclasses import replace
from typing import get_args

from rewardbot.feedback.feedback import Kind, Query, Response
from rewardbot.feedback.ledger import Ledger
from rewardbot.feedback.teachers.base import Teacher, check_kind


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
        """See `Teacher`; a question is on the disk when this returns."""
        self._ledger.ask(replace(query, to=self._name))

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

    Args:
        teacher: a simulated one or a model.
        ledger: where its answers go.
    """

    def __init__(self, teacher: Teacher, ledger: Ledger) -> None:
        self._teacher, self._ledger = teacher, ledger
        for query in ledger.waiting():
            if query.to == teacher.name:
                teacher.ask(query)

    @property
    def name(self) -> str:
        """See `Teacher`."""
        return self._teacher.name

    @property
    def kinds(self) -> tuple[Kind, ...]:
        """See `Teacher`."""
        return self._teacher.kinds

    def ask(self, query: Query) -> None:
        """See `Teacher`."""
        check_kind(self, query)
        query = replace(query, to=self.name)
        self._ledger.ask(query)
        self._teacher.ask(query)

    def poll(self) -> list[Response]:
        """See `Teacher`."""
        found = self._teacher.poll()
        for response in found:
            self._ledger.answer(response)
        return found

    def close(self) -> None:
        """See `Teacher`; the ledger stays open."""
        self._teacher.close()
