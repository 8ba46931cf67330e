"""The replay: episodes in preallocated arrays, their images as features of a frozen encoder. No learned reward is stored.

Rows are observations. An episode of T actions takes T + 1 consecutive rows; row i with i + 1 in the same episode is a
transition. The oldest episodes are overwritten when the arrays are full.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from rewardbot.errors import DataError
from rewardbot.types import Episode

NUMBERS = ("features", "proprio", "actions", "continues")
"""Names of the arrays that a checkpoint keeps."""


@dataclass(frozen=True)
class Batch:
    """N transitions, float32 on the learner's device.

    Attributes:
        features, next_features: encoder features (N, F).
        proprio, next_proprio: (N, P), see `types.PROPRIO_NAMES`.
        actions: applied actions (N, A).
        continues: 1 - terminated (N,). A timeout continues; this is the only place that says so.
        rows: where the transitions are in the replay, int64 (N,).
    """

    features: Tensor
    next_features: Tensor
    proprio: Tensor
    next_proprio: Tensor
    actions: Tensor
    continues: Tensor
    rows: Tensor

    def __len__(self) -> int:
        return len(self.rows)


def concatenate(batches: Sequence[Batch]) -> Batch:
    """One batch of all; `rows` then no longer name one replay's rows."""
    return Batch(*(torch.cat([getattr(batch, name) for batch in batches]) for name in Batch.__dataclass_fields__))


class Replay:
    """Episodes in, uniformly sampled transitions out.

    Args:
        capacity: number of observations it holds.
        features: length F of the feature cache.
        proprio: length P of the proprioception.
        actions: length A of an action.
        device: where the numbers live.
        seed: seed of the sampling.
    """

    def __init__(
        self, capacity: int, *, features: int, proprio: int, actions: int, device: torch.device | str = "cpu",
        seed: int = 0,
    ) -> None:
        self.capacity, self.device = capacity, torch.device(device)
        self.features = torch.zeros(capacity, features, device=self.device)
        self.proprio = torch.zeros(capacity, proprio, device=self.device)
        self.actions = torch.zeros(capacity, actions, device=self.device)
        self.continues = torch.ones(capacity, device=self.device)
        self.spans: deque[tuple[str, int, int]] = deque()
        """(episode id, first row, number of rows), oldest first."""
        self._cursor = 0
        self._transitions = torch.zeros(capacity, dtype=torch.int64, device=self.device)  # the first `_count` of them
        self._count = 0
        self._device_count = torch.zeros((), dtype=torch.int64, device=self.device)
        self.generator = torch.Generator(device=self.device).manual_seed(seed)

    def __len__(self) -> int:
        """Number of transitions."""
        return self._count

    def add(self, episode: Episode, features: Tensor) -> range:
        """Stores an episode with its features, float32 (T + 1, F); returns its rows.

        Raises:
            DataError: see `numbers_of`.
        """
        return self.put(episode.info.id, self.numbers_of(episode, features))

    def numbers_of(self, episode: Episode, features: Tensor) -> dict[str, Tensor]:
        """What `put` stores of an episode with its features, float32 (T + 1, F).

        Raises:
            DataError: an episode without a step, longer than the replay, of other sizes, or with NaN in its numbers.
        """
        steps, rows = len(episode), len(episode) + 1
        self._check(episode, features, rows)
        actions = torch.zeros(rows, episode.applied.shape[1])
        actions[:steps] = torch.as_tensor(episode.applied)
        continues = torch.ones(rows)
        continues[steps - 1] = 1.0 - float(episode.terminated)
        return {"features": features, "proprio": torch.as_tensor(episode.proprio), "actions": actions, "continues": continues}

    def put(self, name: str, numbers: Mapping[str, Tensor]) -> range:
        """Stores the episode `name` of which only the numbers are left, as `numbers` gave them; returns its rows."""
        rows = len(numbers["features"])
        if self._cursor + rows > self.capacity:
            self._cursor = 0
        start, stop = self._cursor, self._cursor + rows
        while self.spans and any(first < stop and start < first + count for _, first, count in self.spans):
            self.spans.popleft()
        self.write(start, numbers)
        self.spans.append((name, start, rows))
        self._cursor = stop
        self._index()
        return range(start, stop)

    def remove(self, names: Collection[str]) -> None:
        """Forgets the episodes of these names; there may be none."""
        self.spans = deque(span for span in self.spans if span[0] not in names)
        self._index()

    def numbers(self, first: int, count: int) -> dict[str, Tensor]:
        """A copy of all numbers in `count` rows from `first` on, array name -> (count, ...), in main memory."""
        return {name: getattr(self, name)[first : first + count].to("cpu", copy=True) for name in NUMBERS}

    def write(self, first: int, numbers: Mapping[str, Tensor]) -> None:
        """Puts what `numbers` gave into the rows from `first` on; see `set_spans`."""
        for name in NUMBERS:
            getattr(self, name)[first : first + len(numbers[name])] = numbers[name].to(self.device)

    def set_spans(self, spans: Sequence[tuple[str, int, int]]) -> None:
        """Declares which rows hold which episodes, oldest first, after the arrays were restored from a checkpoint."""
        self.spans = deque(spans)
        self._cursor = spans[-1][1] + spans[-1][2] if spans else 0
        self._index()

    def _index(self) -> None:
        rows = [torch.arange(first, first + count - 1) for _, first, count in self.spans]
        self._count = sum(len(some) for some in rows)
        self._transitions[: self._count] = torch.cat([torch.zeros(0, dtype=torch.int64), *rows]).to(self.device)
        self._device_count.fill_(self._count)

    @property
    def transitions(self) -> Tensor:
        """Rows of all transitions, int64 (N,)."""
        return self._transitions[: self._count]

    def sample(self, n: int) -> Batch:
        """`n` transitions, uniformly with replacement.

        Raises:
            DataError: the replay is empty.
        """
        if not len(self):
            raise DataError("The replay is empty.", next_step="Add an episode before sampling.")
        return self.at(self.draw(n))

    def at(self, rows: Tensor) -> Batch:
        """The transitions that start at `rows`, int64 (N,)."""
        after = rows + 1
        return Batch(
            features=self.features[rows],
            next_features=self.features[after],
            proprio=self.proprio[rows],
            next_proprio=self.proprio[after],
            actions=self.actions[rows],
            continues=self.continues[rows],
            rows=rows,
        )

    def sample_features(self, n: int) -> Tensor:
        """Features of `n` observations that followed an action, uniformly with replacement, (n, F)."""
        return self.features[self.draw(n) + 1]

    def draw(self, n: int) -> Tensor:
        """Rows of `n` transitions, uniformly with replacement."""
        if self.device.type == "cpu":
            return self._transitions[torch.randint(self._count, (n,), generator=self.generator)]
        # A captured graph needs the present number on the device; that 62 bits are no multiple of it does not show.
        drawn = torch.randint(1 << 62, (n,), generator=self.generator, device=self.device)
        return self._transitions[drawn % self._device_count]

    def _check(self, episode: Episode, features: Tensor, rows: int) -> None:
        name = f"Episode {episode.info.id}"
        if not 1 < rows <= self.capacity:
            raise DataError(f"{name} has {rows - 1} steps.", valid=f"1 to {self.capacity - 1} fit the replay.")
        if tuple(features.shape) != (rows, self.features.shape[1]):
            raise DataError(f"{name}: features of shape {tuple(features.shape)}.",
                            valid=f"({rows}, {self.features.shape[1]}) would fit.")
        if episode.applied.shape[1] != self.actions.shape[1] or episode.proprio.shape != (rows, self.proprio.shape[1]):
            raise DataError(f"{name} is of another robot: actions {episode.applied.shape}, proprioception "
                            f"{episode.proprio.shape}.")
        if not (np.isfinite(episode.applied).all() and np.isfinite(episode.proprio).all()
                and bool(torch.isfinite(features).all())):
            raise DataError(f"{name} holds NaN or infinite numbers.", next_step="Delete it: nothing can be learned from it.")
