"""Where a thing was, and how surely that is known, along the episodes of a replay whose features are places."""

from __future__ import annotations

import torch
from torch import Tensor

from rewardbot.data.replay import Replay
from rewardbot.nets.motion import LOW_M, NEAR_M, Moment
from rewardbot.nets.places import UNIT_M


class Trail:
    """What a replay of places knows of its episodes, brought up to date when it has grown.

    Args:
        replay: whose features are places.
        sure: logarithm of the spread from which on a place does not count [UNIT_M].

    Attributes:
        begins: whether an episode begins with a row.
        places: where the thing was last surely seen, without glimpses that the next picture takes back.
    """

    def __init__(self, replay: Replay, sure: float) -> None:
        self.replay, self._sure = replay, sure
        self.begins = torch.zeros(replay.capacity, dtype=torch.bool, device=replay.device)
        self.places = torch.zeros(replay.capacity, 2, device=replay.device)
        self._known: set[tuple[str, int, int]] = set()
        self._near = torch.zeros(0, dtype=torch.int64, device=replay.device)

    def follow(self) -> None:
        """Takes what is new."""
        if len(self._known) != len(self.replay.spans) or self.replay.spans[-1] not in self._known:
            spans = set(self.replay.spans)
            for _, first, count in spans - self._known:
                self._take(first, count)
            self._known = spans
            self._near = self._rows_near()

    def transitions(self, members: int, count: int) -> tuple[Moment, Tensor, Moment]:
        """For each member so many steps of the replay, half of them with the hand near the thing, if it ever was: before, action
        (members, count, A), and after.
        """
        self.follow()
        replay, half = self.replay, members * (count // 2) if len(self._near) else 0
        near = self._near[torch.randint(max(1, len(self._near)), (half,), generator=replay.generator, device=replay.device)]
        rows = torch.cat([replay.draw(members * count - half).reshape(members, -1), near.reshape(members, -1)], dim=1)
        return self._moment(rows), replay.actions[rows], self._moment(rows + 1)

    def _moment(self, rows: Tensor) -> Moment:
        proprio, before = self.replay.proprio, (rows - 1).clamp(min=0)
        hand, places, moving = proprio[rows, :3] / UNIT_M, self.places[rows], (~self.begins[rows]).float()[..., None]
        return Moment(hand, proprio[rows, 3:4], places, moving * (hand - proprio[before, :3] / UNIT_M),
                      moving * self.replay.actions[before], moving * (places - self.places[before]),
                      self._sure_at(rows).float()[..., None])

    def _sure_at(self, rows: Tensor) -> Tensor:
        return self.replay.features[rows, 2] <= self._sure

    def _rows_near(self) -> Tensor:
        rows = self.replay.transitions
        hand = self.replay.proprio[rows, :3]
        if not len(rows):
            return rows
        near = (self.places[rows] * UNIT_M - hand[:, :2]).norm(dim=1) < NEAR_M
        return rows[near & (hand[:, 2] < hand[:, 2].min() + LOW_M) & self._sure_at(rows)]

    def _take(self, first: int, count: int) -> None:
        found = self.replay.features[first : first + count]
        steps = torch.arange(count, device=found.device)
        known = torch.where(found[:, 2] <= self._sure, steps, torch.zeros_like(steps)).cummax(0).values
        places, rows = found[known, :2], slice(first, first + count)
        self.begins[rows] = steps == 0
        self.places[rows] = torch.cat([places[:1], places, places[-1:]]).unfold(0, 3, 1).median(-1).values
