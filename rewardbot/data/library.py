"""The episodes in some folders of bags, by their ids, while a recorder adds more: what is asked about and learned from."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path

from rewardbot.config import user_path
from rewardbot.data.bags import STATES, Bag, is_bag, summarise
from rewardbot.data.episodes import RECORDED, read_episode
from rewardbot.errors import DataError
from rewardbot.robots.robot import RobotContract
from rewardbot.types import Episode, Source

_log = logging.getLogger(__name__)


class Library:
    """Whole episodes of one task and one robot. What an evaluation conducted is not among them.

    Args:
        places: bags, folders of bags, or run folders, which need not be there yet.
        task: of the episodes; that of the first one if not given.
        contract: their robot's; that of the first one if not given.
        warn: told of bags that cannot be used, each once.
    """

    def __init__(
        self, places: Sequence[Path], task: str = "", contract: RobotContract | None = None, *,
        warn: Callable[[str], object] = _log.warning,
    ) -> None:
        self._places, self._warn = [user_path(place) for place in places], warn
        self.task, self.contract = task, contract
        self._bags: dict[str, Bag] = {}
        self._known: set[Path] = set()

    def __len__(self) -> int:
        return len(self._bags)

    def __contains__(self, id: str) -> bool:
        return id in self._bags

    @property
    def ids(self) -> list[str]:
        """Of the episodes, the oldest first: in the order in which their bags were finished, as far as one `refresh` found them."""
        return list(self._bags)

    def refresh(self) -> int:
        """Looks for new episodes, and forgets those whose bags are gone; returns how many are new."""
        for id in [id for id, bag in self._bags.items() if not bag.path.is_dir()]:
            self._known.discard(self._bags.pop(id).path)
        before = len(self._bags)
        found: list[tuple[float, Path]] = []
        for folder in (folder for place in self._places for folder in (place, *(place / name for name in RECORDED))):
            for path in [folder] if is_bag(folder) else folder.iterdir() if folder.is_dir() else []:
                if path not in self._known and path.suffix not in STATES and is_bag(path):
                    with suppress(OSError):  # renamed just now
                        found.append((path.stat().st_mtime, path))
        for _, path in sorted(found):
            self._known.add(path)
            self._take(summarise(path))
        return len(self._bags) - before

    def path(self, id: str) -> Path | None:
        """The bag of an episode, absolute; None if there is none, or none any more."""
        bag = self._bags.get(id)
        return bag.path.resolve() if bag is not None and bag.path.is_dir() else None

    def steps(self, id: str) -> int:
        """How many an episode has.

        Raises:
            DataError: there is none of that id, or none any more.
        """
        return self._bag(id).steps or 0

    def source(self, id: str) -> Source:
        """Who acted in an episode.

        Raises:
            DataError: there is none of that id, or none any more.
        """
        header = self._bag(id).header
        assert header is not None
        return header.info.source

    def read(self, id: str, *, pixels: bool = True) -> Episode:
        """The episode; without its images if these are not wanted.

        Raises:
            DataError: there is none of that id, or it is damaged.
        """
        return read_episode(self._bag(id).path, self.contract, self.task, pixels=pixels)

    def forget(self, id: str, reason: str) -> None:
        """Leaves out an episode that turned out to be of no use; says so once."""
        if self._bags.pop(id, None) is not None:
            self._warn(f"Episode {id} is left out: {reason}")

    def _bag(self, id: str) -> Bag:
        if (bag := self._bags.get(id)) is None:
            raise DataError(f"There is no bag of episode '{id}' in {', '.join(map(str, self._places))}.",
                            next_step="Name the folder where it is, too, or leave it out.")
        return bag

    def _take(self, bag: Bag) -> None:
        if bag.header is None:
            self._warn(f"{bag.path} is left out: {bag.damage}")
            return
        info = bag.header.info
        self.task, self.contract = self.task or info.task, self.contract or bag.header.contract
        if info.task != self.task or info.robot != self.contract.name:
            self._warn(f"{bag.path} is left out: it is of task '{info.task}' and robot '{info.robot}', not '{self.task}' and "
                       f"'{self.contract.name}'.")
        elif info.source != "evaluation" and bag.steps:
            self._bags[info.id] = bag
