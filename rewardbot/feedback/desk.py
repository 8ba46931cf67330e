"""The desk where questions lie until somebody answers them: any number of annotators at once, each asked or not.

The ledger is all that it remembers. What it was told is on the disk before it says so; what it is told twice it stores once.
"""

from __future__ import annotations

import sqlite3
import time
from collections import deque
from collections.abc import Callable
from pathlib import Path

from rewardbot.errors import DataError
from rewardbot.feedback.feedback import Query, Response, Skip
from rewardbot.feedback.ledger import Ledger
from rewardbot.feedback.messages import KEPT, Closed, Question, Questions, Receipt, Request, query_of
from rewardbot.feedback.records import Amend, Entry, History, LedgerError, Undo, Withdraw
from rewardbot.types import Segment

BagOf = Callable[[str], Path | None]
"""The bag of an episode, None where there is none."""

RewardsOf = Callable[[Segment], tuple[float, ...]]
"""The reward of each step of a clip, empty where it is not known."""


class Desk:
    """See the module. No call waits for an annotator.

    Args:
        ledger: where everything goes, and where questions come from.
        bag_of: tells where clips are; a question without its clips is withdrawn.
        name: of this process, see `Questions`.
        rewards_of: asked once about each clip of a question, for who wants to know why it is asked.
        stale_after: a question is withdrawn when the reward that asked is older than the present one by more than this.
        clock: tells the time, that of the ledger [s since 1970].

    Attributes:
        version: of the present reward, 0 before there is one.
    """

    def __init__(
        self, ledger: Ledger, bag_of: BagOf, *, name: str, rewards_of: RewardsOf = lambda segment: (), stale_after: int = 200,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self.ledger, self.version, self._clock = ledger, 0, clock
        self._bag_of, self._rewards_of, self._stale_after = bag_of, rewards_of, stale_after
        self._stored: dict[tuple[str, Entry], int] = {}
        self._seen = 0
        self._open: dict[str, Question] = {}
        self._closed: deque[Closed] = deque(maxlen=KEPT)
        self._questions = Questions(name)
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

    def refresh(self) -> None:
        """Brings `questions` up to date with the ledger, which others may write too, and with the bags."""
        history = self._catch_up()
        before = self._open
        self._open = {query.id: found for query in history.waiting() if (found := self._shown(query)) is not None}
        self._closed += [self._why(history, id) for id in before if id not in self._open]
        people = history.there(self._clock())
        if self._open.keys() != before.keys() or people != self._questions.people:
            self._questions = Questions(self._questions.desk, tuple(self._open.values()), tuple(self._closed), people)

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
        if None in bags or 0 < query.reward_version < self.version - self._stale_after:
            return None
        if (known := self._open.get(query.id)) is not None:
            return known
        rewards = tuple(self._rewards_of(segment) for segment in query.options)
        return Question(query, tuple(map(str, bags)), rewards if all(rewards) else ())

    @staticmethod
    def _why(history: History, query: str) -> Closed:
        given = [one for one in history.responses.values() if one.given.query == query]
        if not given:
            return Closed(query, "withdrawn")
        return Closed(query, "skipped" if all(isinstance(one, Skip) for one in given) else "answered", given[-1].given.annotator)


def _is_storage(error: DataError) -> bool:
    """Whether the disk or another process is what stands in the way, and not the ledger's rules."""
    return isinstance(error.__cause__, sqlite3.Error)
