"""Answers that take more than one key: an order that is typed or dragged, and an unsafe interval with its reason. No Qt."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from rewardbot.types import Segment

REASONS = ("collision", "too fast", "too close to a person", "could drop or break something")
"""What a digit says instead of typing it."""

STOPPED = "the operator pressed Stop"
"""The reason that a Stop gives by itself."""


class Order:
    """Places in an order of preference, best first.

    Args:
        count: how many places there are.

    Attributes:
        groups: places that share a rank, the best first.
        tying: the next place shares the rank of the last one.
    """

    def __init__(self, count: int) -> None:
        self._count = count
        self.groups: list[list[int]] = []
        self.tying = False

    @property
    def picked(self) -> list[int]:
        """Places in the order in which they stand."""
        return [place for group in self.groups for place in group]

    @property
    def complete(self) -> bool:
        """Whether every place has a rank."""
        return len(self.picked) == self._count

    def pick(self, place: int) -> bool:
        """The next best; returns False for a place that there is not, or that has a rank already."""
        if place >= self._count or place in self.picked:
            return False
        if self.tying:
            self.groups[-1].append(place)
        else:
            self.groups.append([place])
        self.tying = False
        return True

    def tie(self) -> bool:
        """The next place will share the rank of the last one; once more: it will not. False when there is no last one."""
        self.tying = bool(self.groups) and not self.complete and not self.tying
        return bool(self.groups)

    def back(self) -> bool:
        """Takes the last place out again; returns False when there is none."""
        if self.tying or not self.groups:
            was, self.tying = self.tying, False
            return was
        self.groups[-1].pop()
        if not self.groups[-1]:
            self.groups.pop()
        return True

    def put(self, places: Sequence[int]) -> None:
        """The order as it was dragged, without ties."""
        self.groups, self.tying = [[place] for place in places], False

    def ranks(self) -> tuple[int, ...]:
        """Rank of each place, left to right; only of a complete order."""
        rank = {place: number for number, group in enumerate(self.groups) for place in group}
        return tuple(rank[place] for place in range(self._count))


@dataclass(frozen=True)
class Interval:
    """An unsafe interval that is being marked.

    Attributes:
        place: of the clip, from the left.
        begin, end: frames that were marked; `end` is None until it is, and may lie before `begin`.
        reason: what was typed so far.
    """

    place: int
    begin: int
    end: int | None = None
    reason: str = ""

    def span(self, frame: int) -> tuple[int, int]:
        """First and last frame, where `frame` is the one that is shown and stands for an end that is not marked."""
        other = frame if self.end is None else self.end
        return min(self.begin, other), max(self.begin, other)

    def segment(self, clip: Segment) -> Segment:
        """Its steps. A frame is the observation before the step of its number; the last frame has none and stands for the last."""
        first, last = self.span(self.begin)
        start = min(clip.start + first, clip.stop - 1)
        return Segment(clip.episode_id, start, min(max(clip.start + last, start + 1), clip.stop))
