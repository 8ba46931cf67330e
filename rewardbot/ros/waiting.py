"""Names whom a node waits for, so that nobody has to guess why nothing happens."""

from __future__ import annotations

import time
from collections.abc import Collection

from rclpy.logging import get_logger

NAMED_AFTER_S = 5.0
"""Time after which what is waited for is named."""

HELD_UP_S = 1.0
"""A process that did not run for longer than that was held up itself, which is no silence of others [s]."""


class Waiting:
    """What a node waits for, each since when. No more than a clock: who is absent its node must tell.

    Args:
        node: its name, for the log.
    """

    def __init__(self, node: str) -> None:
        self._log = get_logger(node)
        self._waited: dict[str, float] = {}
        self._looked_at, self._said_at = time.monotonic(), 0.0

    def look(self, absent: Collection[str]) -> str:
        """To be called in each round.

        Args:
            absent: who is missing, or has said nothing since the last call.

        Returns:
            Those of them that have been for `NAMED_AFTER_S`, for people; empty if there is none. They are logged again and again.
        """
        now = time.monotonic()
        passed, self._looked_at = min(now - self._looked_at, HELD_UP_S), now
        self._waited = {name: self._waited.get(name, 0.0) + passed for name in absent}
        named = ", ".join(name for name, waited in self._waited.items() if waited >= NAMED_AFTER_S)
        if named and now - self._said_at >= NAMED_AFTER_S:
            self._said_at = now
            self._log.info(f"waiting for {named}")
        return named
