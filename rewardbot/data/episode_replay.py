"""A replay of state vectors that knows its episodes, so that a clip, `Segment`, can be looked up as long as it is there."""

from __future__ import annotations

from typing import Any

import torch

from rewardbot.data.transitions import TransitionReplay, Transitions
from rewardbot.errors import DataError
from rewardbot.types import Segment


class EpisodeReplay(TransitionReplay):
    """`TransitionReplay` whose transitions belong to episodes: `begin` one, then `add` its steps in their order."""

    _spans: dict[str, tuple[int, int]] | None = None  # name -> first and last + 1 of all transitions that were ever added

    def begin(self, name: str) -> None:
        """What is added from now on belongs to the episode `name`.

        Raises:
            DataError: it was there before.
        """
        spans = self._spans = self._spans or {}
        if name in spans:
            raise DataError(f"Episode '{name}' is in the replay already.", next_step="Give each episode a name of its own.")
        if spans:
            last = next(reversed(spans))
            spans[last] = spans[last][0], self._added
        spans[name] = self._added, -1
        for gone in [other for other, (_, stop) in spans.items() if 0 <= stop <= self._oldest]:
            del spans[gone]

    def episodes(self) -> list[Segment]:
        """What is still there of each episode, the oldest first, the present one so far; none without a step."""
        found: list[Segment] = []
        for name, (first, stop) in (self._spans or {}).items():
            stop = self._added if stop < 0 else stop
            if max(first, self._oldest) < stop:
                found.append(Segment(name, max(0, self._oldest - first), stop - first))
        return found

    def transitions(self, segment: Segment) -> Transitions:
        """The steps of a clip, in their order, as a copy.

        Raises:
            DataError: they were never there, or are not any more.
        """
        first, stop = (self._spans or {}).get(segment.episode_id, (0, 0))
        stop = self._added if stop < 0 else stop
        if not max(first, self._oldest) <= first + segment.start < first + segment.stop <= stop:
            raise DataError(f"Steps {segment.start} to {segment.stop} of episode '{segment.episode_id}' are not in the replay.",
                            next_step="Give the replay a larger capacity, or store the clip while it is there.")
        rows = torch.arange(first + segment.start, first + segment.stop, device=self.rows.device) % len(self.rows)
        return Transitions(self.rows.index_select(0, rows), self.states, self.actions)

    def newest(self, n: int) -> Transitions:
        """The last `n` transitions, or all if there are fewer, as a copy, the oldest first."""
        rows = torch.arange(max(self._oldest, self._added - n), self._added, device=self.rows.device) % len(self.rows)
        return Transitions(self.rows.index_select(0, rows), self.states, self.actions)

    def state(self) -> dict[str, Any]:
        """All of it, as tensors and plain values."""
        spans = [[name, first, stop] for name, (first, stop) in (self._spans or {}).items()]
        return {"rows": self.rows[: len(self)], "added": self._added, "spans": spans, "random": self.generator.get_state()}

    def restore(self, state: dict[str, Any]) -> None:
        """Takes what `state` of a replay of the same sizes gave."""
        rows = state["rows"]
        self.rows[: len(rows)].copy_(rows)
        self._added = int(state["added"])
        self._size.fill_(len(self))
        self._spans = {str(name): (int(first), int(stop)) for name, first, stop in state["spans"]}
        self.generator.set_state(state["random"].cpu())

    @property
    def _oldest(self) -> int:
        return self._added - len(self)
