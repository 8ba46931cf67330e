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
        self._parts: dict[int, dict[str, Any]] = {}

    def add(self, topic: str, message: Any) -> tuple[int, dict[str, Any]] | None:
        """Takes a message; returns its stamp [ns] and all messages by topic when it was the last one missing.

        The messages are handed out once. A repetition of the whole observation is handed out again.
        """
        stamp = decode.stamp_ns(message)
        parts = self._parts.setdefault(stamp, {})
        parts[topic] = message
        if len(parts) == len(self.topics):
            # Messages of earlier stamps cannot be answered any more.
            self._parts = {other: kept for other, kept in self._parts.items() if other > stamp}
            return stamp, parts
        while len(self._parts) > self._keep:
            del self._parts[min(self._parts)]
        return None
