"""What of the episodes that a job wants is recorded, as the folder of the recorder tells."""

from __future__ import annotations

import contextlib
import time
from pathlib import Path

from rewardbot.data.episodes import list_episodes, read_header
from rewardbot.errors import DataError, RewardbotError
from rewardbot.types import EpisodeInfo

LOOK_EVERY_S = 0.2

MOST_REFUSED = 6
"""Episodes in a row that could not be recorded after which recording gives up."""


class Bags:
    """The recorded episodes of a folder, without reading any twice. A bag that is there is whole and stays as it is.

    Args:
        folder: which need not exist yet.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._known: dict[str, EpisodeInfo] = {}
        self._looked_at = -1.0

    def successes(self) -> int:
        """Number of successful demonstrations."""
        return sum(info.success is True for info in self._look().values())

    def count(self) -> int:
        """Number of episodes."""
        return len(self._look())

    def seeds(self) -> list[int | None]:
        """Start seeds of all episodes, also of those that were rejected after they had been recorded.

        Looks anew: what has come just now must not be asked for again.
        """
        self._looked_at = -1.0
        seeds = [info.seed for info in self._look().values()]
        for path in self._folder.glob("*.rejected"):
            with contextlib.suppress(DataError):
                seeds.append(read_header(path).info.seed)
        return seeds

    def dealt_with(self, name: str) -> bool:
        """Whether the recorder has kept or rejected an episode, as far as its folder tells."""
        return name in self._look() or (self._folder / f"{name}.rejected").exists()

    def _look(self) -> dict[str, EpisodeInfo]:
        if time.monotonic() - self._looked_at > LOOK_EVERY_S and self._folder.is_dir():
            for path in list_episodes(self._folder):
                if path.name not in self._known:
                    self._known[path.name] = read_header(path).info
            self._looked_at = time.monotonic()
        return self._known


class Refusals:
    """Notices that one episode after another is refused by the recorder, as on a disk that is nearly full."""

    def __init__(self) -> None:
        self._kept, self._before = -1, 0.0

    def look(self, kept: int, refused: float, reason: str) -> None:
        """To be called whenever these may have changed.

        Args:
            kept: bags that are there.
            refused: episodes that the present recorder could not record.
            reason: of the last one.

        Raises:
            RewardbotError: the last `MOST_REFUSED` were all refused.
        """
        if kept != self._kept or refused < self._before:  # a recorder that was started again counts from 0
            self._kept, self._before = kept, refused
        if refused - self._before >= MOST_REFUSED:
            raise RewardbotError(f"None of the last {MOST_REFUSED} episodes could be recorded. {reason.rstrip('.')}.", next_step=(
                "Mend that: free some space or take a --run-dir on another disk; on a machine that is too busy end other programs."))
