"""Which serialised message belongs into which episode's bag. No rclpy here: the recorder node only feeds it."""

from __future__ import annotations

import logging
import shutil
import time
from array import array
from collections import Counter, defaultdict, deque
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor, wait
from dataclasses import dataclass, field
from pathlib import Path

from rewardbot.data import cdr as serialised
from rewardbot.data import decode, quality
from rewardbot.data.compression import Compressor
from rewardbot.data.decode import EpisodeEvent
from rewardbot.data.episodes import BagWriter, DiskFull
from rewardbot.errors import DataError
from rewardbot.robots.robot import RobotContract
from rewardbot.ros.keeping import Kept, change, keep

_log = logging.getLogger(__name__)
EARLIEST_S = 1.0
"""How far messages may be ahead of the start of the episode that they belong to, by their stamps [s]."""

LOOK_S = 1.0
"""Time between two looks at what is being recorded, and how late a message may be before it counts as missing [s]."""

_ACTIONS = (decode.REQUESTED_ACTION, decode.APPLIED_ACTION)
GB = 1e9


@dataclass
class _Message:
    """Stamp [ns] and the clock that it is of, see `EpisodeRecorder._clock_of`; content; what comes of an image to be compressed."""

    stamp: int
    clock: int
    cdr: bytes
    packed: Future[bytes] | None = None


@dataclass
class _Open:
    """An episode that is being written.

    Attributes:
        clock: what its stamps are of, see `EpisodeRecorder._clock_of`.
        from_ns: first stamp that is kept [ns].
        actions: how many actions of each kind the episode itself has so far.
        reached: newest stamp of each topic [ns].
        stamps: stamps of each topic as they came [ns].
        told: what is wrong so far: (topic, kind) -> text.
        packing: images that are being compressed, with their topic.
        later: what was said of it after its end.
    """

    writer: BagWriter
    start: EpisodeEvent
    clock: int
    from_ns: int
    end: EpisodeEvent | None = None
    ended_at: float = 0.0
    actions: Counter[str] = field(default_factory=Counter)
    reached: dict[str, int] = field(default_factory=dict)
    stamps: dict[str, array[int]] = field(default_factory=lambda: defaultdict(lambda: array("q")))
    told: dict[tuple[str, str], str] = field(default_factory=dict)
    packing: deque[tuple[str, _Message, Future[bytes]]] = field(default_factory=deque)
    later: list[EpisodeEvent] = field(default_factory=list)

    def takes(self, topic: str, stamp: int, before: int) -> bool:
        """Whether a message belongs into the bag; `before`: stamp of the one before. A sensor's first one that is not before the
        end does, too: only then is it known that nothing of the episode is missing."""
        if stamp < self.from_ns or self.end is None:
            return stamp >= self.from_ns
        return stamp <= self.end.stamp_ns if topic in _ACTIONS else before < self.end.stamp_ns


class EpisodeRecorder:
    """Writes each wanted episode as it comes, closes its bag when every topic has reached its end, and reads it back.

    Events and data arrive over topics of their own, so each may be ahead of the other: several episodes may be open at once,
    and a message may come before the start that it belongs to. Bags are finished, read back and changed in a thread of
    their own, one after the other, so that the next episode is not kept waiting.

    An episode that is not whole, or whose recording was broken off, is kept as `<id>.rejected`, with the reason in it. A full
    disk costs the episode that is being written and nothing else; if it has ended, `repair` makes a bag of it later.

    Args:
        contract: the robot's.
        folder: gives the folder of an episode.
        wanted: whether to record it.
        namespace: of the graph.
        wait_s: how long an ended episode waits for the rest of its messages, in wall time [s].
        early: how many messages of a topic are kept at least for a start that has not come yet.
        pre_roll_s: time before the start that is in the bag, too, by the messages' stamps [s].
        compressor: for camera images; None: they are written as they came. An image that the compressor is too busy for, or
            that does not fit the contract, is written as it came.
        least_free_gb: free space on the disk below which no episode begins and the present one is given up.

    Attributes:
        last_rejection: why the last episode that was rejected was.
        last_problem: what was last found wrong with a recording.
    """

    def __init__(
        self, contract: RobotContract, folder: Callable[[EpisodeEvent], Path], *,
        wanted: Callable[[EpisodeEvent], bool] = lambda event: True, namespace: str = "rewardbot", wait_s: float = 10.0,
        early: int = 32, pre_roll_s: float = 0.0, compressor: Compressor | None = None, least_free_gb: float = 0.0,
    ) -> None:
        self.last_rejection = self.last_problem = ""
        self._contract, self._folder, self._wanted, self._namespace = contract, folder, wanted, namespace
        self._wait, self._early, self._compressor, self._least_free = wait_s, early, compressor, least_free_gb * GB
        self._types, self._decoders = decode.bag_topics(contract), decode.decoders(contract)
        self._cameras = {decode.camera_topic(name): camera for name, camera in contract.cameras.items()}
        # A camera that runs freely gives the first observation a frame from just before it.
        self._half_period = round(0.5 / contract.control_hz * decode.NS_PER_S)
        self._pre_roll = round(pre_roll_s * decode.NS_PER_S)
        self._recent: dict[str, deque[_Message]] = {topic: deque() for topic in self._decoders}
        self._clock, self._newest = 0, -1
        self._reached: dict[str, int] = {}  # the newest stamp of each topic, in the clock that it is at
        self._before: dict[str, int] = {}  # what the topics that have not gone back yet had reached when the first one did
        self._open: list[_Open] = []
        self._keeper = ThreadPoolExecutor(1, "bags")
        self._keeping: deque[Future[Kept]] = deque()
        self._counts: Counter[str] = Counter()
        self._looked_at = 0.0
        serialised.typestore()  # loading it takes a tenth of a second, for which the first message must not wait

    @property
    def saved(self) -> int:
        """Number of bags written and found whole."""
        return self._counts["saved"]

    @property
    def rejected(self) -> int:
        """Number of episodes that were not whole, or could not be recorded."""
        return self._counts["rejected"]

    @property
    def abandoned(self) -> int:
        """Number of episodes that whoever conducted them broke off; nothing is kept of them."""
        return self._counts["abandoned"]

    @property
    def discarded(self) -> int:
        """Number of finished episodes that were given up later; they are kept as `<id>.discarded`."""
        return self._counts["discarded"]

    @property
    def open(self) -> int:
        """Number of episodes that are being written or put in their place."""
        return len(self._open) + len(self._keeping)

    @property
    def ending(self) -> int:
        """Number of those that have ended, and of which it is not known yet what becomes of them."""
        return sum(episode.end is not None for episode in self._open) + len(self._keeping)

    def event(self, event: EpisodeEvent, cdr: bytes) -> None:
        """Takes an event of the `episode` topic; `cdr` is its message as it came.

        Raises:
            DataError: the bag cannot be written (no permission, not a folder). A full disk is only told.
        """
        episode = next((known for known in self._open if known.start.info.id == event.info.id), None)
        clock = self._clock_of(decode.EPISODE, event.stamp_ns) if event.kind in ("start", "end") else self._clock
        if event.kind == "start":
            self._start(event, clock, cdr)
        elif event.kind == "end":
            if episode is not None and episode.end is None:
                episode.end, episode.ended_at = event, time.monotonic()
                self._put(episode, decode.EPISODE, event.stamp_ns, cdr)
        elif episode is None:
            self._change(event)
        elif episode.end is not None:
            episode.later.append(event)
        elif event.kind == "discard":
            self._abandon(episode, "was given up")
        self.finish()

    def add(self, topic: str, cdr: bytes) -> None:
        """Takes one serialised message of a topic of `decode.episode_topics`.

        Raises:
            DataError: the bag cannot be written. A full disk is only told.
        """
        stamp = serialised.stamp_ns(cdr)
        message = _Message(stamp, self._clock_of(topic, stamp), cdr)
        recent = self._recent[topic]
        if recent and recent[-1].clock != message.clock:
            recent.clear()
        recent.append(message)
        kept_from = message.stamp - self._pre_roll - round(EARLIEST_S * decode.NS_PER_S)
        while len(recent) > self._early and recent[0].stamp < kept_from:
            recent.popleft()
        if self._pre_roll:
            self._pack(topic, message)  # not all at once when an episode begins
        for episode in [known for known in self._open if known.clock == message.clock]:
            self._write(episode, topic, message)
        self.finish()

    def finish(self) -> None:
        """Closes what is complete, gives up what cannot become whole, says what is wrong; to be called now and then."""
        now = time.monotonic()
        for episode in list(self._open):
            self._put_packed(episode)
            if episode.end is None:
                continue
            missing = self._missing(episode)
            if not missing and not episode.packing:
                self._close(episode)
            elif missing and now - episode.ended_at > self._wait:
                self._close(episode, f"{missing} did not reach its end")
        if now - self._looked_at >= LOOK_S:
            self._looked_at = now
            for episode in [known for known in self._open if known.end is None]:
                self._look(episode)
        while self._keeping and self._keeping[0].done():
            self._take(self._keeping.popleft().result())

    def wait(self) -> None:
        """Waits until the bag of every episode that is complete is in its place."""
        for episode in list(self._open):
            self._put_packed(episode, all_of_them=True)
        self.finish()
        wait(self._keeping)
        self.finish()

    def close(self) -> None:
        """Breaks off what is unfinished."""
        self.wait()
        for episode in list(self._open):
            self._close(episode, "the recorder was stopped")
        self.wait()
        self._keeper.shutdown()
        if self._compressor is not None:
            self._compressor.close()

    def _start(self, event: EpisodeEvent, clock: int, cdr: bytes) -> None:
        for episode in [known for known in self._open if known.end is None]:
            self._abandon(episode, f"was not ended when episode {event.info.id} started")
        if not self._wanted(event):
            return
        folder = self._folder(event)
        try:
            writer = BagWriter(folder, self._contract, event.info, namespace=self._namespace)
        except DiskFull as error:
            self._refuse(event, error.what)
            return
        if low := self._low_disk(folder):
            writer.discard()
            self._refuse(event, low)
            return
        episode = _Open(writer, event, clock, event.stamp_ns - max(self._half_period, self._pre_roll))
        self._open.append(episode)
        self._put(episode, decode.EPISODE, event.stamp_ns, cdr)
        for topic, messages in self._recent.items():
            for early in [known for known in messages if known.clock == clock]:
                self._write(episode, topic, early)

    def _write(self, episode: _Open, topic: str, message: _Message) -> None:
        stamp, before = message.stamp, episode.reached.get(topic, -1)
        if stamp <= before:
            return  # the simulator repeats an observation that nobody answered
        if topic not in episode.reached:
            self._check(episode, topic, message)
        episode.reached[topic] = stamp
        episode.stamps[topic].append(stamp)
        if not episode.takes(topic, stamp, before):
            return
        if topic in _ACTIONS and stamp >= episode.start.stamp_ns:
            episode.actions[topic] += 1
        self._pack(topic, message)
        if message.packed is not None:
            episode.packing.append((topic, message, message.packed))
        else:
            self._put(episode, topic, stamp, message.cdr)

    def _pack(self, topic: str, message: _Message) -> None:
        if self._compressor is not None and message.packed is None and topic in self._cameras:
            message.packed = self._compressor.submit(message.cdr, self._cameras[topic])

    def _put_packed(self, episode: _Open, *, all_of_them: bool = False) -> None:
        while episode.packing and (all_of_them or episode.packing[0][2].done()):
            topic, message, packed = episode.packing.popleft()
            if packed.exception() is None:
                self._put(episode, decode.compressed(topic), message.stamp, packed.result())
            else:  # it does not fit the contract; whoever reads the bag says so
                self._put(episode, topic, message.stamp, message.cdr)

    def _put(self, episode: _Open, topic: str, stamp: int, cdr: bytes) -> None:
        """Writes a message; one that comes when the end is known is handed over at once, so that a kill cannot cost the episode."""
        if episode not in self._open:
            return  # given up a moment ago
        try:
            episode.writer.write(topic, self._types[topic], stamp, cdr)
            if episode.end is not None:
                episode.writer.flush()
        except DiskFull as error:
            self._open.remove(episode)
            self._refuse(episode.start, error.what)
            if episode.end is None:
                episode.writer.discard()
            else:  # `repair` may still make a whole bag of it
                episode.writer.abandon()

    def _check(self, episode: _Open, topic: str, message: _Message) -> None:
        """Says at once when a topic does not fit the contract; the episode will not be whole then."""
        try:
            self._decoders[topic](serialised.deserialize(message.cdr, self._types[topic]))
        except DataError as error:
            self._tell(episode, topic, "contract", f"{topic}: {' '.join(str(error).split())}")

    def _look(self, episode: _Open) -> None:
        """Says what is wrong with a running episode so far."""
        if low := self._low_disk(episode.writer.path.parent):
            self._close(episode, low)
            return
        settled = max(episode.reached.values(), default=0) - LOOK_S * decode.NS_PER_S
        ticks = [stamp for stamp in episode.stamps[decode.APPLIED_ACTION] if episode.start.stamp_ns <= stamp < settled]
        if ticks:
            for problem in self._problems(episode, ticks[-1]):
                self._tell(episode, problem.topic, problem.kind, problem.text)

    def _problems(self, episode: _Open, end_ns: int) -> list[quality.Problem]:
        stamps = {topic: episode.stamps[topic] for topic in self._decoders}
        return quality.problems(stamps, self._contract, episode.start.stamp_ns, end_ns)

    def _tell(self, episode: _Open, topic: str, kind: str, text: str) -> None:
        if (topic, kind) not in episode.told:
            self._problem(episode.start.info.id, text)
        episode.told[topic, kind] = text

    def _problem(self, name: str, text: str) -> None:
        self.last_problem = f"{name}: {text}"
        _log.warning("Episode %s: %s", name, text)

    def _low_disk(self, folder: Path) -> str:
        free = shutil.disk_usage(folder).free
        if free >= self._least_free:
            return ""
        return f"the disk is nearly full: {free / GB:.2f} GB are free in {folder}, {self._least_free / GB:g} GB must be"

    def _missing(self, episode: _Open) -> str:
        return ", ".join(topic for topic in self._decoders if self._waits_for(episode, topic))

    def _waits_for(self, episode: _Open, topic: str) -> bool:
        if episode.end is None:
            return True
        if topic in _ACTIONS:
            return episode.actions[topic] < episode.end.steps
        return episode.reached.get(topic, -1) < episode.end.stamp_ns

    def _clock_of(self, topic: str, stamp: int) -> int:
        """Which of the robot's clocks a stamp is of: a robot that was started anew begins a new one, and its stamps go back.

        Topics come independently. After the first has gone back, others may still bring messages of the clock before: those that
        are not earlier than what they had reached there, as long as the new clock is not as far.
        """
        before = self._before.get(topic, -1)
        if stamp >= before > self._newest:
            return self._clock - 1
        first = stamp < self._reached.get(topic, -1) - self._half_period and topic not in self._before
        if first:
            self._before = {name: reached for name, reached in self._reached.items() if name != topic}
            self._clock, self._newest = self._clock + 1, -1
        if first or self._before.pop(topic, None) is not None:
            del self._reached[topic]
            self._gone_back(topic)
        self._reached[topic] = max(stamp, self._reached.get(topic, -1))
        self._newest = max(stamp, self._newest)
        return self._clock

    def _gone_back(self, topic: str) -> None:
        """What waits for a topic of a clock before waits in vain."""
        for episode in [known for known in self._open if known.clock < self._clock and self._waits_for(known, topic)]:
            self._close(episode, "the robot's clock jumped back")

    def _close(self, episode: _Open, rejection: str = "") -> None:
        """Has the bag of an episode finished; `rejection`: why it is broken off."""
        self._put_packed(episode, all_of_them=True)
        if episode not in self._open:
            return  # the disk is full
        self._open.remove(episode)
        texts = list(episode.told.values())
        if episode.end is not None:
            texts = [problem.text for problem in self._problems(episode, episode.end.stamp_ns)]
            for text in texts:
                if text not in episode.told.values():
                    self._problem(episode.start.info.id, text)
        info = quality.marked((episode.end or episode.start).info, [*texts, *([rejection] if rejection else [])])
        episode.writer.steps = episode.actions[decode.APPLIED_ACTION]
        self._keeping.append(self._keeper.submit(keep, episode.writer, info, rejection))
        for event in episode.later:
            self._change(event)

    def _change(self, event: EpisodeEvent) -> None:
        self._keeping.append(self._keeper.submit(change, self._folder(event), event))

    def _abandon(self, episode: _Open, why: str) -> None:
        self._open.remove(episode)
        episode.writer.discard()
        self._counts["abandoned"] += 1
        _log.info("Episode %s %s.", episode.start.info.id, why)

    def _refuse(self, event: EpisodeEvent, reason: str) -> None:
        self._take(Kept(event.info.id, "rejected", reason))

    def _take(self, kept: Kept) -> None:
        """Counts what became of a bag, and says what is wrong with it."""
        self._counts[kept.fate] += 1
        if kept.fate == "rejected":
            self.last_rejection = self.last_problem = f"{kept.id}: {kept.problem}"
            _log.warning("Episode %s is not kept: %s.", kept.id, kept.problem.rstrip("."))
        elif kept.problem:
            self._problem(kept.id, kept.problem)
