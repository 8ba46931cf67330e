"""Joins the messages of one observation by their equal stamp. For acting live; episodes are joined by `data.assembler`."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from rewardbot.data import decode


class StampJoiner:
    """Collects stamped messages of several topics and tells when all of one stamp are there.

    Args:
        topics: the topics that make a whole, by any name.
        keep: how many stamps may be incomplete at a time; the oldest is forgotten.
    """

    def __init__(self, topics: Iterable[str], *, keep: int = 4) -> None:
        self.topics = frozenset(topics)
        self._keep = keep
        self._parts: dict[int, dict[str, Any]] = {}  # by stamp, in the order in which the stamps were first seen

    def add(self, topic: str, message: Any) -> tuple[int, dict[str, Any]] | None:
        """Takes a message; returns its stamp [ns] and all messages by topic when it was the last one missing.

        The messages are handed out once. A repetition of the whole observation is handed out again.
        """
        stamp = decode.stamp_ns(message)
        parts = self._parts.setdefault(stamp, {})
        parts[topic] = message
        if len(parts) == len(self.topics):
            # What came before it cannot be answered any more, even if its stamp is later: a robot that was started again
            # begins with a clock of its own.
            while stamp in self._parts:
                del self._parts[next(iter(self._parts))]
            return stamp, parts
        while len(self._parts) > self._keep:
            del self._parts[next(iter(self._parts))]
        return None

    def missing(self) -> str:
        """The topics that the newest whole still lacks, for people; all of them when nothing has come."""
        newest = next(reversed(self._parts.values()), {})
        return ", ".join(sorted(self.topics - newest.keys()))
