"""Visited episodes on disk, one file each, written when the learner takes it: `visited/<lineage>/<number>-<id>.safetensors`.

A file holds the episode's numbers (see `replay.NUMBERS`; images it does not) and what is known about it. A kill loses none of
them; a power cut at most those since the last generation, whose writer hands them to the disk.
"""

from __future__ import annotations

import json
import os
import re
import shutil
from collections.abc import Mapping
from pathlib import Path

import safetensors
from safetensors.torch import load, save
from torch import Tensor

from rewardbot.config import from_mapping, to_mapping
from rewardbot.data.replay import NUMBERS
from rewardbot.errors import ConfigError, DataError
from rewardbot.training.files import storing
from rewardbot.types import EpisodeInfo

_NAME = re.compile(r"(\d{8,})-(.+)\.safetensors")


class Journal:
    """The visited episodes of one lineage.

    Args:
        folder: of the lineage.

    Attributes:
        stored: id -> number of each episode on disk, in the order they were taken.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        names = [_NAME.fullmatch(path.name) for path in (folder.iterdir() if folder.is_dir() else ())]
        self.stored = dict(sorted(((match[2], int(match[1])) for match in names if match), key=lambda item: item[1]))
        self._unsynced: list[Path] = []

    @property
    def last(self) -> int:
        """The highest number, 0 without episodes."""
        return next(reversed(self.stored.values()), 0)

    def write(self, info: EpisodeInfo, numbers: Mapping[str, Tensor]) -> None:
        """Stores an episode with the next number.

        Raises:
            StorageError: it cannot be written.
        """
        number = self.last + 1
        path = self._path(info.id, number)
        data = save(dict(numbers), metadata={"info": json.dumps(to_mapping(info))})
        temporary = self.folder / f".{number}"
        with storing(path):
            try:
                self.folder.mkdir(parents=True, exist_ok=True)
                temporary.write_bytes(data)
                temporary.rename(path)
            finally:
                temporary.unlink(missing_ok=True)
        self.stored[info.id] = number
        self._unsynced.append(path)

    def read(self, name: str) -> tuple[EpisodeInfo, dict[str, Tensor]]:
        """An episode by its id.

        Raises:
            DataError: not there, or damaged.
        """
        path = self._path(name, self.stored.get(name, 0))
        try:
            data = path.read_bytes()
            numbers = load(data)
            length = int.from_bytes(data[:8], "little")
            info = from_mapping(EpisodeInfo, json.loads(json.loads(data[8 : 8 + length])["__metadata__"]["info"]))
        except (OSError, ValueError, KeyError, TypeError, ConfigError, safetensors.SafetensorError) as error:
            raise DataError(f"The visited episode {path} cannot be read: {' '.join(str(error).split())[:200]}") from None
        if set(numbers) != set(NUMBERS) or len({len(tensor) for tensor in numbers.values()}) != 1:
            raise DataError(f"The visited episode {path} is damaged: it holds {', '.join(sorted(numbers))}.")
        return info, numbers

    def take_unsynced(self) -> list[Path]:
        """What has been written since the last call and may not be on the disk yet."""
        paths, self._unsynced = self._unsynced, []
        return paths

    def remove(self, name: str) -> None:
        """Deletes an episode that no generation needs any more."""
        self._path(name, self.stored.pop(name)).unlink(missing_ok=True)

    def _path(self, name: str, number: int) -> Path:
        return self.folder / f"{number:08d}-{name}.safetensors"


def sync(paths: list[Path]) -> None:
    """Hands files to the disk; one that is gone is none that matters."""
    for path in paths:
        try:
            descriptor = os.open(path, os.O_RDONLY)
        except OSError:
            continue
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)


def remove_other_lineages(folder: Path) -> None:
    """Makes the folder of a lineage, and deletes all others beside it."""
    with storing(folder):
        folder.mkdir(parents=True, exist_ok=True)
    for other in folder.parent.iterdir():
        if other != folder:
            shutil.rmtree(other, ignore_errors=True)
