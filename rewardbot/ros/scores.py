"""Counts true successes at the ends of episodes, for evaluation. No rclpy here.

The truth comes as a bare Bool per observation, over a topic of its own, so it is matched by the time of sending: the truth of
an observation is sent before the observation itself. An episode's end tells when the robot sent its last observation; where
it does not, the end's own time of sending counts, which in real time may be after the next observation.
"""

from __future__ import annotations

from bisect import bisect_left
from collections import deque
from dataclasses import dataclass

from rewardbot.data.decode import EpisodeEvent

OBSERVED = "observed_ns"
"""Key of an end's extra information: when the robot sent the joint state of the last observation [ns]."""

TOGETHER_NS = 1_000_000_000
"""An observation's truth and its joint state are sent within less than that [ns], and a robot takes longer to start again."""

KEPT = 2000
"""Truths that are remembered, the newest."""


@dataclass(frozen=True)
class Score:
    """One ended episode.

    Attributes:
        event: its end.
        success: true success at its last observation; None when no truth was seen (a real robot, or a lost message).
    """

    event: EpisodeEvent
    success: bool | None


class ScoreKeeper:
    """Matches truths with what was sent after them.

    Attributes:
        scores: of all ended episodes, oldest first.
    """

    def __init__(self) -> None:
        self.scores: list[Score] = []
        self._times: deque[int] = deque(maxlen=KEPT)
        self._truths: deque[bool | None] = deque(maxlen=KEPT)
        self._number: int | None = None

    def truth(self, sent_ns: int, value: bool, number: int | None) -> None:
        """Takes the true success of one observation, in the order of sending.

        Args:
            sent_ns: the time of sending [ns].
            value: the truth.
            number: counts what was sent. Where it leaves one out, a truth was lost, and what held since the one before is unknown.
                None where the middleware does not count.
        """
        if number is not None and self._number is not None and number > self._number + 1 and self._truths:
            self._truths[-1] = None
        self._number = number
        self._times.append(sent_ns)
        self._truths.append(value)

    def at(self, sent_ns: int) -> bool | None:
        """The truth that held for a message sent at `sent_ns`; None when there is none, or when it was lost."""
        index = bisect_left(self._times, sent_ns)
        return self._truths[index - 1] if index else None

    def of_observation(self, sent_ns: int) -> bool | None:
        """The truth of the observation whose joint state was sent at `sent_ns`; None when it was lost.

        An older one is of an observation before, perhaps of a robot that was started again since.
        """
        index = bisect_left(self._times, sent_ns)
        return self.at(sent_ns) if index and sent_ns - self._times[index - 1] <= TOGETHER_NS else None

    def ended(self, sent_ns: int, event: EpisodeEvent) -> None:
        """Takes the end of an episode, sent at `sent_ns`. All truths sent before it must have been given already."""
        observed = event.info.extra.get(OBSERVED)
        success = self.of_observation(observed) if isinstance(observed, int) else self.at(sent_ns)
        self.scores.append(Score(event, success))

    def count(self, run: int) -> int:
        """Number of ended episodes of one request."""
        return sum(score.event.info.extra.get("run") == run for score in self.scores)
