"""Parts of a long comparison that are done, kept in its run folder: one that was ended, or killed, goes on where it was."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from rewardbot.training.bench import Cell
from rewardbot.training.files import storing, write_atomic
from rewardbot.training.run import revision

COMMIT = "commit"


class Kept:
    """One file per part, named after what it is of and, by a digest, all that decides what comes of it but the code.

    A part that an earlier revision of the code made says so in its column `commit`. Who wants it anew deletes its file.

    Args:
        folder: where the files are; made with the first.
    """

    def __init__(self, folder: Path) -> None:
        self._folder, self._commit = folder, revision()

    def has(self, name: str, settings: object) -> bool:
        """Whether a part is done."""
        return self._read(self._file(name, settings)) is not None

    def part(self, name: str, settings: object, make: Callable[[], Mapping[str, Any]]) -> dict[str, Any]:
        """What came of a part, now or then.

        Args:
            name: of the part, for people; letters, digits, '-' and '_'.
            settings: whatever decides what comes of it, with a `repr` that says all.
            make: does it.

        Raises:
            StorageError: it cannot be kept.
        """
        file = self._file(name, settings)
        if (known := self._read(file)) is not None:
            return known
        found = dict(make())
        with storing(self._folder):
            self._folder.mkdir(parents=True, exist_ok=True)
        write_atomic(file, json.dumps({**found, COMMIT: self._commit}, indent=2) + "\n")
        return found

    def rows(self, name: str, settings: object, make: Callable[[], Sequence[Mapping[str, Cell]]]) -> list[dict[str, Cell]]:
        """As `part`, where a part has several lines."""
        of = self.part(name, settings, lambda: {str(number): dict(row) for number, row in enumerate(make())})
        made_by = {COMMIT: of.pop(COMMIT)} if COMMIT in of else {}
        return [{**row, **made_by} for row in of.values()]

    def _read(self, file: Path) -> dict[str, Any] | None:
        try:
            known = json.loads(file.read_text())
        except (OSError, ValueError):
            return None
        if not isinstance(known, dict) or COMMIT not in known:
            return None
        if known[COMMIT] == self._commit:
            del known[COMMIT]
        return known

    def _file(self, name: str, settings: object) -> Path:
        return self._folder / f"{name}-{hashlib.sha256(repr(settings).encode()).hexdigest()[:12]}.json"
