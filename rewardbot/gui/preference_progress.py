"""How far an operator has come and how well they do: counts, pace, agreement with the model and with themselves. No Qt."""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass, field

from rewardbot.feedback.feedback import Query, Ranking, Response, Skip
from rewardbot.types import Segment

LAST = 50
"""Answers over which agreement with the model is counted."""

PACE_S = 300.0
"""Time over which the pace is counted [s]."""


@dataclass
class Progress:
    """Of one sitting. `now` is everywhere the time of a clock that nobody sets [s].

    Attributes:
        answered, skipped: answers that are on the disk and were not undone.
        repeats, consistent: questions that were asked a second time, and those of them that were answered alike.
    """

    answered: int = 0
    skipped: int = 0
    repeats: int = 0
    consistent: int = 0
    _times: deque[float] = field(default_factory=lambda: deque(maxlen=500))
    _agreed: deque[tuple[str, bool]] = field(default_factory=lambda: deque(maxlen=LAST))
    _said: dict[frozenset[Segment], dict[str, Mapping[Segment, int]]] = field(default_factory=dict)

    def add(self, query: Query, response: Response, now: float) -> None:
        """An answer to `query` is on the disk."""
        self._times.append(now)
        if isinstance(response, Skip):
            self.skipped += 1
            return
        self.answered += 1
        if not isinstance(response, Ranking):
            return
        if (agreed := agrees(query, response)) is not None:
            self._agreed.append((query.id, agreed))
        said = self._said.setdefault(frozenset(query.options), {})
        ranks = dict(zip(response.segments, response.ranks, strict=True))
        if said:
            self.repeats += 1
            self.consistent += ranks == next(iter(said.values()))
        said[query.id] = ranks

    def remove(self, query: Query, response: Response) -> None:
        """The answer was undone."""
        if isinstance(response, Skip):
            self.skipped -= 1
            return
        self.answered -= 1
        self._agreed = deque((one for one in self._agreed if one[0] != query.id), maxlen=LAST)
        said = self._said.get(frozenset(query.options), {})
        if (ranks := said.pop(query.id, None)) is not None and said:
            self.repeats -= 1
            self.consistent -= ranks == next(iter(said.values()))

    def per_minute(self, now: float) -> float | None:
        """Answers and skips a minute, lately; None before there are two."""
        recent = [time for time in self._times if now - time <= PACE_S]
        return 60.0 * (len(recent) - 1) / (recent[-1] - recent[0]) if len(recent) > 1 and recent[-1] > recent[0] else None

    def agreement(self) -> tuple[float, int] | None:
        """Share of the last `LAST` answers that the model had expected, and of how many; None of none."""
        return (sum(agreed for _, agreed in self._agreed) / len(self._agreed), len(self._agreed)) if self._agreed else None


def agrees(query: Query, response: Ranking) -> bool | None:
    """Whether the likeliest answer to a pair was given; None where nothing was expected, or of a tie where none could be."""
    if query.kind != "pair" or not query.predicted:
        return None
    given = 2 if response.ranks == (0, 0) else response.ranks.index(0)
    if given >= len(query.predicted):
        return None
    return given == max(range(len(query.predicted)), key=query.predicted.__getitem__)


def uncertainty(query: Query) -> float:
    """How unsure the model is of the answer: entropy as a share of the largest there could be, 0 to 1."""
    shares = [share for share in query.predicted if share > 0.0]
    return sum(-share * math.log(share) for share in shares) / math.log(len(query.predicted)) if len(shares) > 1 else 0.0


def expected(query: Query) -> list[tuple[str, float]]:
    """What the model expected of a pair, by the side on which it is shown: (left, share), (right, share), perhaps (equal, share)."""
    if query.kind != "pair" or len(query.predicted) < 2:
        return []
    left, right = (query.predicted[option] for option in query.order)
    return [("left", left), ("right", right), *([("equal", query.predicted[2])] if len(query.predicted) > 2 else [])]
