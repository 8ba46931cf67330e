"""Joins stamped messages into episodes: the same code live in the learner and offline from a bag."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections import deque
from typing import Any

import numpy as np
from numpy.typing import NDArray

from rewardbot.data import decode
from rewardbot.data.decode import EpisodeEvent
from rewardbot.errors import DataError
from rewardbot.robots.robot import RobotContract
from rewardbot.types import Episode

_NO_PIXELS = np.zeros(0, np.uint8)
_SETTLED_NS = 1_000_000_000
_CLOCK = "the clock went back, as that of a robot that was started again"


class EpisodeAssembler:
    """Takes the messages of `decode.episode_topics(contract)`, in any order across topics, and returns whole episodes.

    The ticks of an episode are the stamps of its applied actions and the stamp of its end. The observation of a tick
    is, for each topic, the newest message that is not later than the tick and at most half a control period older:
    equality in lockstep, the nearest past frame of a camera that runs freely. An episode with a hole, with a value that
    is not finite or with an image that does not fit the contract is rejected, never mended.

    Within a topic messages come in the order of their stamps, as DDS keeps it for one publisher. The start's stamp is
    that of the first observation (not before the end of the episode before), the end's that of the last one. Where stamps go
    back, the robot was started again with a clock of its own: what is unfinished is rejected and the next episode is whole.

    Args:
        contract: the robot's; topics of cameras that it does not name are ignored.
        keep_s: age from which a message outside an episode is forgotten [s].
        wait_s: how long an ended episode waits for a topic that has not reached its end [s], by the messages' stamps.
        max_bytes: most memory held, for all topics; an episode whose end never comes is rejected there.
        pixels: False: images are checked like all else, and not kept; `Episode.images` is empty then.

    Attributes:
        rejected: (episode id, reason) of each rejected episode, oldest first. The caller may clear it.
    """

    def __init__(
        self, contract: RobotContract, *, keep_s: float = 5.0, wait_s: float = 30.0, max_bytes: int = 2 << 30,
        pixels: bool = True,
    ) -> None:
        self.rejected: list[tuple[str, str]] = []
        self._contract = contract
        self._decoders, self._pixels = decode.decoders(contract), pixels
        self._tracks = {topic: _Track() for topic in self._decoders}
        self._sensors = [t for t in self._tracks if t not in (decode.REQUESTED_ACTION, decode.APPLIED_ACTION)]
        self._half_period = round(0.5 / contract.control_hz * decode.NS_PER_S)
        self._keep, self._wait, self._max_bytes = _ns(keep_s), _ns(wait_s), max_bytes
        self._newest = 0  # newest stamp of any topic
        self._bytes = 0
        self._last_event = -1  # stamp of the newest start or end
        # Topics are read one after the other. After the clock went back in one of them, others may still bring messages of the
        # clock before: those not earlier than what had been reached there.
        self._before: dict[str, int] = {}
        self._turned = ("", 0)  # the topic in which that was noticed, and where the clock before was then
        self._open: EpisodeEvent | None = None  # the start of the episode that has not ended
        self._ended: deque[tuple[EpisodeEvent, EpisodeEvent]] = deque()  # start and end of those that wait for messages
        self._closed: deque[str] = deque(maxlen=64)  # ids that were returned or rejected lately

    def add(self, topic: str, message: Any) -> Episode | None:
        """Takes one message; never raises for what it holds.

        Args:
            topic: relative topic name; topics that an episode does not need are ignored.
            message: the message, deserialised by rclpy or rosbags. Its image data are kept, not copied.

        Returns:
            The episode that this message completed: its end was announced and every topic has reached the end's stamp.
        """
        topic = decode.uncompressed(topic)
        if topic == decode.EPISODE:
            self._event(message)
        elif (track := self._tracks.get(topic)) is not None:
            stamp = decode.stamp_ns(message)
            if self._is_of_before(topic, stamp):
                return None
            if stamp < track.reached:
                # The start of an episode of the new clock may have come first.
                self._went_back(topic, self._open if self._open is not None and self._open.stamp_ns >= stamp else None)
            try:
                item = self._decoders[topic](message)
                if not self._pixels and item.dtype == np.uint8:
                    item = _NO_PIXELS
            except DataError as error:
                item = " ".join(str(error).split())  # the reason, should an episode need this message
            self._bytes += track.add(stamp, item)
            self._newest = max(self._newest, stamp)
            if self._open is not None and topic == decode.APPLIED_ACTION:
                self._thin(track, stamp)
            self._bytes -= track.drop_before(self._needed_from())
            if self._bytes > self._max_bytes:
                self._relieve()
        else:
            return None
        return self._complete()

    def flush(self) -> None:
        """Rejects what is unfinished, with the reason, and forgets all messages: at the end of a bag or of the run."""
        for start, end in self._ended:
            self._reject(start, self._late(start, end))
        self._ended.clear()
        self._reset("not ended")

    def _event(self, message: Any) -> None:
        try:
            event = decode.episode_event(message)
        except DataError as error:
            self.rejected.append(("(unknown)", " ".join(str(error).split())))
            return
        if event.kind not in ("start", "end"):
            return  # what people say of an episode later is not of its data
        if self._is_of_before(decode.EPISODE, event.stamp_ns):
            if event.info.id not in self._closed:
                self._reject(event, _CLOCK)
            return
        if event.kind == "start" and event != self._open:
            if event.stamp_ns < max(self._last_event, self._newest - self._keep):
                self._went_back(decode.EPISODE, None)
            if self._open is not None:
                self._reject(self._open, f"not ended when episode {event.info.id} started")
            self._open = event
            if event.info.robot != self._contract.name:
                self._reject(event, f"of robot '{event.info.robot}', the contract is '{self._contract.name}'")
                self._open = None
        elif event.kind == "end" and self._open is not None and self._open.info.id == event.info.id:
            self._ended.append((self._open, event))
            self._open = None
        elif event.kind == "end" and event.info.id not in self._closed:
            self._reject(event, "its start was not seen")
        self._last_event = event.stamp_ns

    def _is_of_before(self, topic: str, stamp: int) -> bool:
        """Whether a message is of the clock before it went back, which was noticed in another topic."""
        if topic == self._turned[0] and stamp >= self._turned[1]:
            self._before.clear()  # it did not go back: messages had been lost, or came in disorder
        reached = self._before.get(topic)
        if reached is None or (stamp >= reached > self._newest):
            return reached is not None
        del self._before[topic]  # the topic has gone back too, or the new clock has come so far that nothing tells them apart
        return False

    def _went_back(self, topic: str, kept: EpisodeEvent | None) -> None:
        """The clock of `topic` went back; `kept` is the start of an episode that may be of the new clock."""
        self._open = None if kept is not None else self._open
        before = {name: track.reached for name, track in self._tracks.items() if track.reached}
        before |= {decode.EPISODE: self._last_event} if self._last_event >= 0 else {}
        newest = self._newest
        self._reset(_CLOCK)
        self._before |= before
        self._turned = (topic, max(newest, self._before.pop(topic, 0)))
        self._open, self._last_event = kept, -1

    def _complete(self) -> Episode | None:
        while self._ended:
            start, end = self._ended[0]
            if late := self._late(start, end):
                if self._newest - end.stamp_ns <= self._wait:
                    return None
                reason = late
            else:
                built = self._build(start, end)
                if isinstance(built, Episode):
                    self._closed.append(self._ended.popleft()[1].info.id)
                    return built
                reason = built
            self._ended.popleft()
            self._reject(start, reason)
        return None

    def _late(self, start: EpisodeEvent, end: EpisodeEvent) -> str:
        """The topics that may still bring messages of this episode, as a reason; empty when there are none."""
        late = [topic for topic, track in self._tracks.items() if track.reached < end.stamp_ns and (
            topic in self._sensors or track.count(start.stamp_ns, end.stamp_ns) < end.steps)]
        return f"{', '.join(late)} did not reach its end" if late else ""

    def _build(self, start: EpisodeEvent, end: EpisodeEvent) -> Episode | str:
        """The episode, or why there is none."""
        applied = self._tracks[decode.APPLIED_ACTION]
        ticks = [*applied.stamps[applied.index(start.stamp_ns) : applied.index(end.stamp_ns)], end.stamp_ns]
        if end.steps < 1:
            return "it has no steps"
        if len(ticks) != end.steps + 1:
            return f"{len(ticks) - 1} applied actions of {end.steps} steps"
        columns: dict[str, list[NDArray[Any]]] = {}
        for topic, track in self._tracks.items():
            action = topic not in self._sensors
            columns[topic] = []
            for step, tick in enumerate(ticks[:-1] if action else ticks):
                item = track.latest(tick, 0 if action else self._half_period)
                if item is None or isinstance(item, str):
                    what = f"{topic} has no message" if item is None else f"{topic}: {item}"
                    return f"{what} (step {step} of {end.steps})"
                columns[topic].append(item)
        return Episode(
            info=end.info,
            stamps=np.array([decode.seconds(tick) for tick in ticks]),
            images={name: np.stack(columns[decode.camera_topic(name)]) for name in self._contract.cameras if self._pixels},
            proprio=np.hstack([np.stack(columns[decode.TOOL_POSE]), np.stack(columns[decode.JOINT_STATES])]),
            actions=np.stack(columns[decode.REQUESTED_ACTION]),
            applied=np.stack(columns[decode.APPLIED_ACTION]),
            terminated=end.terminated,
        )

    def _needed_from(self) -> int:
        """The stamp before which no message can be of use [ns]."""
        oldest = self._ended[0][0] if self._ended else self._open
        recent = self._newest - self._keep
        return recent if oldest is None else min(recent, oldest.stamp_ns - self._half_period)

    def _thin(self, applied: _Track, tick: int) -> None:
        """Forgets the frames between two ticks that neither needs: cameras may run faster.

        The end of an episode, which has no action, may lie between them: after a gap, or where the next one begins at once. It has
        been announced when `_SETTLED_NS` have passed.
        """
        position = applied.index(tick - _SETTLED_NS)
        if position < 2:
            return
        earlier, later = applied.stamps[position - 2 : position]
        if later - earlier <= 3 * self._half_period and not any(earlier < end.stamp_ns < later for _, end in self._ended):
            for topic in self._sensors:
                self._bytes -= self._tracks[topic].keep_last(earlier, later)

    def _relieve(self) -> None:
        """Too much memory: gives up the oldest episode, or forgets all when there is none."""
        reason = f"more than {self._max_bytes >> 20} MiB of messages"
        if self._ended:
            start, end = self._ended.popleft()
            self._reject(start, f"{reason}; {self._late(start, end)}")
            self._bytes -= sum(track.drop_before(self._needed_from()) for track in self._tracks.values())
        else:
            self._reset(f"{reason} without an end")

    def _reset(self, reason: str) -> None:
        for start in [*(start for start, _ in self._ended), *([self._open] if self._open else [])]:
            self._reject(start, reason)
        self._ended.clear()
        self._open, self._newest, self._bytes = None, 0, 0
        for track in self._tracks.values():
            track.clear()

    def _reject(self, event: EpisodeEvent, reason: str) -> None:
        self.rejected.append((event.info.id, reason))
        self._closed.append(event.info.id)


class _Track:
    """The messages of one topic by stamp: each an array, or the reason why the message cannot be used."""

    def __init__(self) -> None:
        self.stamps: list[int] = []  # sorted, unique [ns]
        self.items: list[NDArray[Any] | str] = []
        self.reached = 0  # newest stamp ever seen [ns]

    def clear(self) -> None:
        """As new."""
        self.stamps.clear()
        self.items.clear()
        self.reached = 0

    def add(self, stamp: int, item: NDArray[Any] | str) -> int:
        """Returns the bytes taken. A second message with the same stamp is a repetition and is ignored."""
        i = len(self.stamps) if stamp > self.reached else bisect_left(self.stamps, stamp)
        if i < len(self.stamps) and self.stamps[i] == stamp:
            return 0
        self.stamps.insert(i, stamp)
        self.items.insert(i, item)
        self.reached = max(self.reached, stamp)
        return _size(item)

    def index(self, stamp: int) -> int:
        """Position of the first message that is not before `stamp`."""
        return bisect_left(self.stamps, stamp)

    def count(self, start: int, stop: int) -> int:
        """Number of messages in [start, stop)."""
        return self.index(stop) - self.index(start)

    def latest(self, tick: int, age: int) -> NDArray[Any] | str | None:
        """The newest message that is not later than `tick` and at most `age` older."""
        i = bisect_right(self.stamps, tick) - 1
        return self.items[i] if i >= 0 and tick - self.stamps[i] <= age else None

    def drop_before(self, stamp: int) -> int:
        """Forgets what is older than `stamp`; returns the bytes freed."""
        return self._drop(0, self.index(stamp)) if self.stamps and self.stamps[0] < stamp else 0

    def keep_last(self, earlier: int, later: int) -> int:
        """Forgets all messages in (earlier, later] but the last; returns the bytes freed."""
        return self._drop(bisect_right(self.stamps, earlier), bisect_right(self.stamps, later) - 1)

    def _drop(self, start: int, stop: int) -> int:
        if stop <= start:
            return 0
        freed = sum(map(_size, self.items[start:stop]))
        del self.stamps[start:stop], self.items[start:stop]
        return freed


def _size(item: NDArray[Any] | str) -> int:
    return len(item) if isinstance(item, str) else item.nbytes


def _ns(duration: float) -> int:
    return round(duration * decode.NS_PER_S)
