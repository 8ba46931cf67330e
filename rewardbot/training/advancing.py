"""The way of every learner from state vectors: it advances until its steps are over, reports every so often, and stores what it goes
on from between two advances, so that nothing half-done is ever stored. A kill costs the work since the last time.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, Protocol

from rewardbot.training.kept_state import load, save

SAVE_EVERY_S = 20.0


class Learning(Protocol):
    """What learns.

    Attributes:
        steps: how far it is.
    """

    @property
    def steps(self) -> int: ...

    def advance(self) -> None:
        """A little more, such as an episode."""
        ...

    def state(self) -> dict[str, Any]:
        """All that it goes on from, as tensors and plain values."""
        ...

    def restore(self, state: dict[str, Any]) -> None:
        """Goes on from that."""
        ...


def advance_to(
    learning: Learning, steps: int, report: Callable[[], object] = lambda: None, *, every: int, checkpoint: Path | None = None
) -> None:
    """Advances until there were `steps`, from where `checkpoint` left it.

    Args:
        report: called every so often, and at the end.
        every: steps between two reports.
        checkpoint: file; None: nothing is stored.

    Raises:
        DataError: a checkpoint that cannot be used.
        StorageError: one that cannot be stored.
    """
    if checkpoint is not None:
        load(checkpoint, learning.restore)
    saved_at = time.monotonic()
    while learning.steps < steps:
        due = (learning.steps // every + 1) * every
        learning.advance()
        over = learning.steps >= steps
        if learning.steps >= due or over:
            report()
        if checkpoint is not None and (over or time.monotonic() - saved_at > SAVE_EVERY_S):
            save(checkpoint, learning.state())
            saved_at = time.monotonic()
