"""Which steps the robot has just gone through, as the graph tells: what a Stop is about. No Qt."""

from __future__ import annotations

from rewardbot.data import decode
from rewardbot.data.decode import EpisodeEvent
from rewardbot.types import Segment

BEFORE_STOP_S = 2.0
"""What the robot did in so much time before a Stop is unsafe: it was seen, and then somebody pressed a key [s]."""


class Running:
    """The episode that runs, and how far it is. Time is the robot's: stamps of its observations [ns].

    Args:
        control_hz: its steps a second.
    """

    def __init__(self, control_hz: float) -> None:
        self._control_hz = control_hz
        self._id = ""
        self._began = self._newest = 0
        self._ended: int | None = None

    def episode(self, event: EpisodeEvent) -> None:
        """An episode began or ended, or was given up."""
        if event.kind == "start":
            self._id, self._began, self._newest, self._ended = event.info.id, event.stamp_ns, event.stamp_ns, None
        elif event.info.id == self._id and event.kind == "end":
            self._ended = event.stamp_ns
        elif event.info.id == self._id and event.kind == "discard":
            self._id = ""

    def observed(self, stamp_ns: int) -> None:
        """An observation of that stamp has come."""
        self._newest = max(self._newest, stamp_ns)

    def last(self, seconds: float) -> Segment | None:
        """The steps of the last so many seconds; None where there are none of an episode."""
        if not self._id:
            return None
        newest = self._step(self._newest)
        stop = newest if self._ended is None else min(newest, self._step(self._ended))
        start = max(0, newest - round(seconds * self._control_hz))
        return Segment(self._id, start, stop) if start < stop else None

    def _step(self, stamp_ns: int) -> int:
        return round(decode.seconds(stamp_ns - self._began) * self._control_hz)
