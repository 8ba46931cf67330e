"""Single observations to draw from: some from the beginning, others that come while learning."""

from __future__ import annotations

import torch
from torch import Tensor

ROOM = 4096
"""Rows that may come later; then the oldest of them are overwritten."""


class Pool:
    """Rows of numbers, drawn uniformly. It grows in place, where a captured graph finds it.

    Args:
        fixed: the rows from the beginning, which stay, float32 (N, F) on the learner's device.
        room: how many may come later.
    """

    def __init__(self, fixed: Tensor, room: int = ROOM) -> None:
        self.fixed, self._room = fixed, room
        self._rows = torch.cat([fixed, fixed.new_zeros(room, fixed.shape[1])])
        self._come = 0
        self._device_count = torch.tensor(len(fixed), device=fixed.device)

    def __len__(self) -> int:
        """Number of rows."""
        return len(self.fixed) + min(self._come, self._room)

    @property
    def added(self) -> Tensor:
        """A copy of the rows that came later, oldest first, (M, F)."""
        later = self._rows[len(self.fixed) : len(self)]
        return later.roll(-(self._come % self._room), 0) if self._come > self._room else later.clone()

    def add(self, rows: Tensor) -> None:
        """Takes rows (M, F)."""
        places = len(self.fixed) + torch.arange(self._come, self._come + len(rows), device=rows.device) % self._room
        self._rows[places[-self._room :]] = rows[-self._room :]
        self._come += len(rows)
        self._device_count.fill_(len(self))

    def remove(self, rows: Tensor) -> None:
        """Forgets those that came later and are equal to one of `rows` (M, F)."""
        later = self.added
        stays = (later[:, None] != rows).any(-1).all(-1)
        if not stays.all():
            self._come = 0
            self.add(later[stays])

    def sample(self, n: int, generator: torch.Generator | None = None) -> Tensor:
        """`n` rows, uniformly with replacement, (n, F)."""
        if self._rows.device.type == "cpu":
            return self._rows[torch.randint(len(self), (n,), generator=generator)]
        drawn = torch.randint(1 << 62, (n,), generator=generator, device=self._rows.device)  # see Replay
        return self._rows[drawn % self._device_count]


def evened(many: Tensor, few: Tensor) -> Tensor:
    """Rows of both, (N, F) and (M, F); those of `few`, which somebody chose, so often that they are drawn about as often."""
    return torch.cat([many, few.repeat(max(1, len(many) // len(few)), 1)]) if len(few) else many
