"""What was said and is on its way to the disk: requests to a desk, sent again and again until it has answered. No Qt."""

from __future__ import annotations

import time
import uuid
from collections.abc import Callable
from dataclasses import dataclass, replace

from rewardbot.feedback.feedback import Response
from rewardbot.feedback.messages import Question, Receipt, Request
from rewardbot.feedback.records import Undo

RETRY_S, LATE_S = 1.0, 1.0
"""When a request is sent again, and when the person is told that it is late [s]."""


@dataclass(frozen=True)
class Stored:
    """An answer on the disk: number of its record, what was asked, and what was said."""

    record: int
    question: Question | None
    response: Response


@dataclass(frozen=True)
class Sent:
    """A request on its way.

    Attributes:
        since, again: when it was sent first, and is sent once more.
        question: what it answers; None of an unsafe interval that nobody asked for.
        undone: what it takes back.
    """

    request: Request
    since: float
    again: float
    question: Question | None = None
    undone: Stored | None = None


class Outbox:
    """See the module.

    Args:
        annotator: who says all that.
        send: puts a request to the desk; returns at once.
        clock: tells the time, one that nobody sets [s].

    Attributes:
        trouble: why the last request could not be stored, until one is.
    """

    def __init__(self, annotator: str, send: Callable[[Request], None], clock: Callable[[], float] = time.monotonic) -> None:
        self._annotator, self._send, self._clock = annotator, send, clock
        self._sent: dict[str, Sent] = {}
        self.trouble = ""

    def post(self, entry: Response | Undo, *, question: Question | None = None, undone: Stored | None = None) -> None:
        """Sends an answer to `question`, or takes `undone` back."""
        now = self._clock()
        request = Request(uuid.uuid4().hex, self._annotator, entry)
        self._sent[request.id] = Sent(request, now, now + RETRY_S, question, undone)
        self._send(request)

    def take(self, receipt: Receipt) -> Sent | None:
        """What the desk has done or refused; None of another window's request, and of one that is to be sent again."""
        sent = self._sent.get(receipt.request)
        if sent is None:
            return None
        if not receipt.done and receipt.retry:
            self._sent[receipt.request] = replace(sent, again=self._clock() + RETRY_S)
            self.trouble = receipt.said
            return None
        del self._sent[receipt.request]
        self.trouble = "" if receipt.done else self.trouble
        return sent

    def beat(self) -> None:
        """Sends again what nobody has answered for too long."""
        now = self._clock()
        for id, sent in list(self._sent.items()):
            if now >= sent.again:
                self._sent[id] = replace(sent, again=now + RETRY_S)
                self._send(sent.request)

    @property
    def empty(self) -> bool:
        """Whether nothing is on its way."""
        return not self._sent

    @property
    def holds(self) -> bool:
        """Whether the next question has to wait: an answer to this one, or what takes one back, is on its way."""
        return any(sent.question is not None or sent.undone is not None for sent in self._sent.values())

    @property
    def answer(self) -> Response | None:
        """The answer to a question that is on its way."""
        entry = next((sent.request.entry for sent in self._sent.values() if sent.question is not None), None)
        return entry if isinstance(entry, Response) else None

    @property
    def sent(self) -> list[Sent]:
        """What is on its way."""
        return list(self._sent.values())

    @property
    def late(self) -> float:
        """For how long the oldest request has been on its way, if that is too long [s]; else 0."""
        waited = max((self._clock() - sent.since for sent in self._sent.values()), default=0.0)
        return waited if waited > LATE_S else 0.0
