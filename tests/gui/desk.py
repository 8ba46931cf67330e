"""A desk whose ledger is in memory, and which may be slow, gone, or unable to store."""

from __future__ import annotations

from rewardbot.errors import DataError
from rewardbot.feedback.feedback import Kind, Query, Response
from rewardbot.feedback.messages import Closed, Question, Questions, Receipt, Request, query_of
from rewardbot.feedback.records import History, LedgerError, Record
from rewardbot.types import Segment


def question(id: str, kind: Kind = "pair", *, clips: int | None = None, order: tuple[int, ...] | None = None, to: str = "",
             predicted: tuple[float, ...] = (), same_clips_as: str = "", rewards: bool = False) -> Question:
    """A question about clips of 10 steps."""
    count = clips or {"pair": 2, "ranking": 3}.get(kind, 1)
    options = tuple(Segment(f"{same_clips_as or id}-{n}", 5, 15) for n in range(count))
    query = Query(id, kind, options, order or tuple(range(count)), predicted=predicted, to=to, strategy="disagreement",
                  reason="The reward is unsure.", reward_version=3)
    strips = tuple(tuple(n / 10 for n in range(10)) for _ in options) if rewards else ()
    return Question(query, tuple(f"/bags/{segment.episode_id}" for segment in options), strips)


class FakeDesk:
    """Keeps requests until `work`; `hold` keeps them longer, `trouble` lets it store nothing."""

    def __init__(self, *questions: Question) -> None:
        self.history, self.asked = History(), {one.query.id: one for one in questions}
        self.requests: list[Request] = []
        self.receipts: dict[str, Receipt] = {}
        self.withdrawn: set[str] = set()
        self.trouble, self.gone = "", False
        for one in questions:
            self.history.add(Record(self.history.last + 1, 0.0, "", one.query))

    def send(self, request: Request) -> None:
        if not self.gone:
            self.requests.append(request)

    def questions(self) -> Questions:
        waiting = {query.id for query in self.history.waiting()} - self.withdrawn
        closed = tuple(Closed(id, "withdrawn" if id in self.withdrawn else "answered") for id in self.asked if id not in waiting)
        return Questions("desk", tuple(one for id, one in self.asked.items() if id in waiting), closed)

    def work(self) -> list[Receipt]:
        """Stores what there is; the same request a second time is the same receipt."""
        told = []
        for request in self.requests:
            if self.trouble:
                told.append(Receipt(request.id, False, said=self.trouble, retry=True))
                continue
            if request.id not in self.receipts:
                self.receipts[request.id] = self._store(request)
            told.append(self.receipts[request.id])
        self.requests.clear()
        return told

    def _store(self, request: Request) -> Receipt:
        query = query_of(request.entry)
        try:
            if query in self.withdrawn:
                raise LedgerError("It was withdrawn.")
            record = Record(self.history.last + 1, 0.0, request.annotator, request.entry)
            self.history.add(record)
        except DataError as error:
            return Receipt(request.id, False, query=query, said=str(error))
        return Receipt(request.id, True, record.id, query, request.annotator)

    def stored(self) -> list[Response]:
        return list(self.history.responses.values())
