"""Announces episodes, and takes a person's word about the one that runs and the one that ended last. No rclpy here."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace

import numpy as np
from diagnostic_msgs.msg import DiagnosticArray

from rewardbot.data.takeovers import TAKEOVERS, spans
from rewardbot.ros import convert
from rewardbot.ros.requests import Request
from rewardbot.ros.scores import OBSERVED
from rewardbot.types import EpisodeInfo

Answer = tuple[bool, str]
"""Whether it was done, and what happened or why it makes no sense."""

SOON = 10
"""Steps of an exploring episode that nobody has touched within which a person's word is still on the one before."""

VERDICTS = {True: "a success", False: "a failure", None: "neither a success nor a failure"}


@dataclass
class Running:
    """The episode in progress.

    Attributes:
        request: what asked for it.
        info: what is known about it.
        earliest: stamp from which its first observation is [ns].
        started: stamp of its first observation, -1 before it [ns].
        answered: stamp of the newest observation that was answered [ns].
        steps: number of actions before the newest observation.
        taken_over: steps in which the operator acted instead of the policy.
    """

    request: Request
    info: EpisodeInfo
    earliest: int
    started: int = -1
    answered: int = -1
    steps: int = 0
    taken_over: set[int] = field(default_factory=set)

    @property
    def of_a_person(self) -> bool:
        """Whether it begins and ends when a person says so, and only then."""
        return self.request.mode == "teleoperate"

    @property
    def watched(self) -> bool:
        """Whether a person may end it."""
        return self.request.mode in ("teleoperate", "explore")


class Teller:
    """See the module.

    Args:
        publish: gets the events.
        sent: stamp of an observation -> when the robot sent it [ns].
        ended: told of each episode that has ended.
        keep: puts a word on an episode that has ended where nothing can take it back, None: it is given up. Returns what went
            wrong, empty if nothing did.

    Attributes:
        running: the episode in progress.
        said: the last thing that a person should know.
    """

    def __init__(self, publish: Callable[[DiagnosticArray], None], sent: Callable[[int], int],
                 ended: Callable[[Running], None], keep: Callable[[str, bool | None], str]) -> None:
        self._publish, self._sent, self._on_end, self._keep = publish, sent, ended, keep
        self.running: Running | None = None
        self.said = ""
        self._ended: tuple[EpisodeInfo, int] | None = None  # one that a person watched, and the stamp of its end

    def start(self, stamp: int) -> None:
        """The first observation of the running episode has come."""
        assert self.running is not None
        self.running.started = stamp
        self._publish(convert.episode_event(self.running.info, stamp))

    def end(self, stamp: int, *, success: bool | None) -> None:
        """The running episode is over at the observation of `stamp` [ns], with the operator's verdict."""
        assert self.running is not None
        episode, self.running = self.running, None
        extra = {**episode.info.extra, OBSERVED: self._sent(stamp)}
        if episode.taken_over:
            mask = np.zeros(episode.steps, np.bool_)
            mask[[step for step in episode.taken_over if step < episode.steps]] = True
            extra |= {TAKEOVERS: spans(mask)} if mask.any() else {}
        episode.info = replace(episode.info, success=success, extra=extra)
        self._publish(convert.episode_event(episode.info, stamp, steps=episode.steps))
        if episode.watched:
            self._ended = episode.info, stamp
        self._on_end(episode)

    # A person's word -----------------------------------------------------------------------------------------------------

    def stop(self, verdict: bool | None) -> Answer:
        """Ends the running episode, with a verdict unless that is None. When none runs, or one has just begun by itself: changes
        that of the last one.
        """
        episode = self.running if verdict is None else self._meant()
        if episode is None:
            return self._judge(verdict) if verdict is not None else (False, "no episode runs")
        if not episode.watched:
            return False, f"episode {episode.info.id} is conducted in mode {episode.request.mode}"
        if episode.steps < 1:
            return False, f"episode {episode.info.id} has no step yet"
        self.end(episode.answered, success=verdict)
        return True, (f"episode {episode.info.id} ended after {episode.steps} steps, "
                         + (VERDICTS[verdict] if verdict is not None else "without a verdict"))

    def discard(self) -> Answer:
        """Gives up the running episode; the last one that ended when none runs, or when one has just begun by itself."""
        if (episode := self._meant()) is not None:
            if not episode.watched:
                return False, f"episode {episode.info.id} is conducted in mode {episode.request.mode}"
            self.running = None
            info, stamp = episode.info, episode.answered
            if episode.of_a_person:
                self._ended = None  # this was the last one: said once more, it must not cost the one before
        elif self._ended is not None:
            info, stamp = self._ended
            if problem := self._keep(info.id, None):
                return False, problem
            self._ended = None
        else:
            return False, "there is no episode to discard"
        if stamp >= 0:  # otherwise nobody has heard of it
            self._publish(convert.episode_event(info, stamp, kind="discard"))
        return True, f"episode {info.id} is discarded"

    def _meant(self) -> Running | None:
        """The running episode, unless a person's word is on the one before."""
        episode = self.running
        begun = episode is not None and episode.request.mode == "explore" and episode.steps < SOON and not episode.taken_over
        return None if begun and self._ended is not None else episode

    def _judge(self, verdict: bool) -> Answer:
        if self._ended is None:
            return False, "no episode runs, and there is none to change the verdict of"
        info, stamp = self._ended
        if problem := self._keep(info.id, verdict):
            return False, problem
        self._ended = replace(info, success=verdict), stamp
        self._publish(convert.episode_event(self._ended[0], stamp, kind="verdict"))
        return True, f"episode {info.id} is {VERDICTS[verdict]} now; it was {VERDICTS[info.success]}"
