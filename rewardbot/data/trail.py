"""Where a thing was, and how surely that is known, along the episodes of a replay whose features are places."""

from __future__ import annotations

import torch

from rewardbot.data.replay import Replay


class Trail:
    """What a replay of places knows of its episodes, brought up to date when it has grown.

    Args:
        replay: whose features are places.
        sure: logarithm of the spread from which on a place does not count [UNIT_M].

    Attributes:
        ends: the last row of each row's episode.
        kept: features, with the place where the thing was last surely seen, as who acts knows it.
        places: the same without glimpses that the next picture takes back, as one knows it afterwards.
    """

    def __init__(self, replay: Replay, sure: float) -> None:
        self.replay, self._sure = replay, sure
        self.ends = torch.zeros(replay.capacity, dtype=torch.int64, device=replay.device)
        self.kept = torch.zeros(replay.capacity, 3, device=replay.device)
        self.places = torch.zeros(replay.capacity, 2, device=replay.device)
        self._known: set[tuple[str, int, int]] = set()

    def follow(self) -> None:
        """Takes what is new."""
        if len(self._known) != len(self.replay.spans) or self.replay.spans[-1] not in self._known:
            spans = set(self.replay.spans)
            for _, first, count in spans - self._known:
                self._take(first, count)
            self._known = spans

    def _take(self, first: int, count: int) -> None:
        found = self.replay.features[first : first + count]
        steps = torch.arange(count, device=found.device)
        known = torch.where(found[:, 2] <= self._sure, steps, torch.zeros_like(steps)).cummax(0).values
        places, rows = found[known, :2], slice(first, first + count)
        self.ends[rows] = first + count - 1
        self.kept[rows] = torch.cat([places, found[:, 2:]], dim=1)
        self.places[rows] = torch.cat([places[:1], places, places[-1:]]).unfold(0, 3, 1).median(-1).values
