"""Which serialised message belongs into which episode's bag. No rclpy here: the recorder node only feeds it."""

from __future__ import annotations

import logging
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from rewardbot.data import cdr as serialised
from rewardbot.data import decode
from rewardbot.data.decode import EpisodeEvent
from rewardbot.data.episodes import BagWriter, read_episode, reject
from rewardbot.errors import DataError
from rewardbot.robots.robot import RobotContract

_log = logging.getLogger(__name__)
EARLIEST_S = 1.0
"""How far a message may come before the start of the episode that it belongs to [s]."""

_ACTIONS = (decode.REQUESTED_ACTION, decode.APPLIED_ACTION)


@dataclass
class _Open:
    """An episode that is being written."""

    writer: BagWriter
    start: EpisodeEvent
    from_ns: int
    end: EpisodeEvent | None = None
    ended_at: float = 0.0
    actions: dict[str, int] = field(default_factory=lambda: dict.fromkeys(_ACTIONS, 0))
    reached: dict[str, int] = field(default_factory=dict)

    def takes(self, stamp: int) -> bool:
        return self.from_ns <= stamp and (self.end is None or stamp <= self.end.stamp_ns)


@dataclass(frozen=True)
class _Early:
    """A message that may belong to an episode whose start has not come: time of arrival [s], stamp [ns], content."""

    arrived: float
    stamp: int
    cdr: bytes


class EpisodeRecorder:
    """Writes each wanted episode as it comes, closes its bag when every topic has reached its end, and reads it back.

    Events and data arrive over topics of their own, so each may be ahead of the other: several episodes may be open at once,
    and a message may come before the start that it belongs to.

    Args:
        contract: the robot's.
        folder: gives the folder for an episode, or None for one that is not recorded.
        namespace: of the graph.
        wait_s: how long an ended episode waits for the rest of its messages, in wall time [s].
        early: how many messages of a topic are kept for a start that has not come yet.

    Attributes:
        saved: number of bags written and found whole.
        rejected: number of episodes that were not whole; a bag of one is kept as `<id>.rejected`.
        abandoned: number of episodes that whoever conducted them broke off; nothing is kept of them.
        last_rejection: why, for the last one.
    """

    def __init__(
        self, contract: RobotContract, folder: Callable[[EpisodeEvent], Path | None], *, namespace: str = "rewardbot",
        wait_s: float = 10.0, early: int = 32,
    ) -> None:
        self.saved = self.rejected = self.abandoned = 0
        self.last_rejection = ""
        self._contract, self._folder, self._namespace, self._wait = contract, folder, namespace, wait_s
        self._types = decode.episode_topics(contract)
        # A camera that runs freely gives the first observation a frame from just before it.
        self._half_period = round(0.5 / contract.control_hz * decode.NS_PER_S)
        self._sensors = [topic for topic in self._types if topic not in (*_ACTIONS, decode.EPISODE)]
        self._recent: dict[str, deque[_Early]] = {topic: deque(maxlen=early) for topic in self._types}
        self._open: list[_Open] = []

    def event(self, event: EpisodeEvent, cdr: bytes) -> None:
        """Takes a start or end; `cdr` is its message as it came.

        Raises:
            DataError: the bag cannot be written (disk full, no permission).
        """
        if event.kind == "start":
            self._start(event, cdr)
            return
        for episode in self._open:
            if episode.start.info.id == event.info.id and episode.end is None:
                episode.end, episode.ended_at = event, time.monotonic()
                episode.writer.write(decode.EPISODE, self._types[decode.EPISODE], event.stamp_ns, cdr)
        self.finish()

    def add(self, topic: str, cdr: bytes) -> None:
        """Takes one serialised message of a topic of `decode.episode_topics`.

        Raises:
            DataError: the bag cannot be written.
        """
        stamp = serialised.stamp_ns(cdr)
        recent = self._recent[topic]
        if recent and stamp < recent[-1].stamp - self._half_period:
            self._clock_jumped(topic, stamp)
        recent.append(_Early(time.monotonic(), stamp, cdr))
        for episode in self._open:
            self._write(episode, topic, stamp, cdr)
        self.finish()

    def finish(self) -> None:
        """Closes what is complete and gives up what has waited for too long; to be called now and then."""
        for episode in list(self._open):
            if episode.end is None:
                continue
            missing = self._missing(episode)
            if not missing:
                self._close(episode)
            elif time.monotonic() - episode.ended_at > self._wait:
                self._reject(episode, f"{missing} did not reach its end")

    @property
    def open(self) -> int:
        """Number of episodes that are being written."""
        return len(self._open)

    def _clock_jumped(self, topic: str, stamp: int) -> None:
        """The robot was started anew, and its clock with it. What waits for this topic in the old time waits in vain."""
        self._recent[topic].clear()
        for episode in list(self._open):
            reached = episode.reached.get(topic, -1)
            if reached > stamp and (episode.end is None or reached < episode.end.stamp_ns):
                self._reject(episode, "the robot's clock jumped back")

    def close(self) -> None:
        """Gives up what is unfinished."""
        for episode in list(self._open):
            self._reject(episode, "the recorder was stopped")

    def _start(self, event: EpisodeEvent, cdr: bytes) -> None:
        for episode in [known for known in self._open if known.end is None]:
            self._open.remove(episode)
            episode.writer.discard()
            self.abandoned += 1
            _log.info("Episode %s was not ended when episode %s started.", episode.start.info.id, event.info.id)
        if (folder := self._folder(event)) is None:
            return
        writer = BagWriter(folder, self._contract, event.info, namespace=self._namespace)
        episode = _Open(writer, event, event.stamp_ns - self._half_period)
        self._open.append(episode)
        episode.writer.write(decode.EPISODE, self._types[decode.EPISODE], event.stamp_ns, cdr)
        now = time.monotonic()
        for topic, messages in self._recent.items():
            for early in messages:
                # What came long ago and yet is later is of the time before the robot was started anew.
                if early.stamp < event.stamp_ns or now - early.arrived < EARLIEST_S:
                    self._write(episode, topic, early.stamp, early.cdr)

    def _write(self, episode: _Open, topic: str, stamp: int, cdr: bytes) -> None:
        reached = episode.reached.get(topic, -1)
        if stamp <= reached:
            return  # the simulator repeats an observation that nobody answered
        episode.reached[topic] = stamp
        if episode.takes(stamp):
            episode.writer.write(topic, self._types[topic], stamp, cdr)
            if topic in episode.actions:
                episode.actions[topic] += 1

    def _missing(self, episode: _Open) -> str:
        assert episode.end is not None
        late = [topic for topic in self._sensors if episode.reached.get(topic, -1) < episode.end.stamp_ns]
        late += [topic for topic, count in episode.actions.items() if count < episode.end.steps]
        return ", ".join(late)

    def _close(self, episode: _Open) -> None:
        assert episode.end is not None
        self._open.remove(episode)
        path = episode.writer.close(episode.end.info)
        try:
            read_episode(path, self._contract, episode.end.info.task)
        except DataError as error:
            reject(path)
            self._count_rejection(episode, " ".join(str(error).split()))
            return
        self.saved += 1

    def _reject(self, episode: _Open, reason: str) -> None:
        self._open.remove(episode)
        episode.writer.discard()
        self._count_rejection(episode, reason)

    def _count_rejection(self, episode: _Open, reason: str) -> None:
        self.rejected += 1
        self.last_rejection = f"{episode.start.info.id}: {reason}"
        _log.warning("Episode %s is not kept: %s.", episode.start.info.id, reason)
