"""Clips of recorded bags as pictures, read in a thread of their own before they are needed. No Qt."""

from __future__ import annotations

import threading
from bisect import bisect_right
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from rewardbot.data import decode
from rewardbot.data.cdr import deserialize
from rewardbot.data.episodes import RawBag, open_bag
from rewardbot.errors import DataError
from rewardbot.feedback.messages import Question
from rewardbot.types import Segment

LARGEST = 640
"""Longest side of a picture that is kept [px]; larger ones are reduced to it."""

AHEAD, MAX_BYTES = 3, 256 << 20
"""Questions whose clips are ready beside the present one's, and about how much memory all of them may take."""


@dataclass(frozen=True)
class Clip:
    """Pictures of a segment: its observations `start` to `stop`, both included, N in all.

    Attributes:
        segment: which steps.
        times: seconds since the first one, rising, N.
        frames: camera name -> uint8 (N, H, W, 3) RGB.
    """

    segment: Segment
    times: tuple[float, ...]
    frames: Mapping[str, NDArray[np.uint8]]

    @property
    def nbytes(self) -> int:
        """Memory that the pictures take."""
        return sum(frames.nbytes for frames in self.frames.values())


def read_clip(bag: Path, segment: Segment) -> Clip:
    """The pictures of a segment of the bag's episode, without reading those of the rest.

    Raises:
        DataError: no bag or damaged, another episode, fewer steps than the segment has, no camera, or a picture that is missing.
    """
    with open_bag(bag) as raw:
        header = raw.header
        if header.info.id != segment.episode_id:
            raise DataError(f"{bag} holds episode '{header.info.id}', not '{segment.episode_id}'.")
        if not header.contract.cameras:
            raise DataError(f"{bag} has no camera, so that there is nothing to show.")
        ticks = _ticks(raw, bag)
        if segment.stop >= len(ticks):
            raise DataError(f"{bag} has {len(ticks) - 1} steps; steps {segment.start} to {segment.stop} were to be shown.")
        shown = ticks[segment.start : segment.stop + 1]
        frames = {name: _frames(raw, bag, name, shown) for name in header.contract.cameras}
    return Clip(segment, tuple(decode.seconds(tick - shown[0]) for tick in shown), frames)


def _ticks(raw: RawBag, bag: Path) -> list[int]:
    """Stamps of the episode's observations [ns]: those of its applied actions, and of its end."""
    ticks, end = [], None
    for topic, kind, stamp, cdr in raw.messages((decode.APPLIED_ACTION, decode.EPISODE)):
        if topic == decode.APPLIED_ACTION:
            ticks.append(stamp)
        elif (event := decode.episode_event(deserialize(cdr, kind))).kind == "end":
            end = event.stamp_ns
    if end is None:
        raise DataError(f"{bag} holds no end of its episode.")
    return [*ticks, end]


def _frames(raw: RawBag, bag: Path, name: str, ticks: Sequence[int]) -> NDArray[np.uint8]:
    """Of each tick the newest picture that is not later and at most half a control period older, as an episode has it."""
    topic, camera = decode.camera_topic(name), raw.header.contract.cameras[name]
    half = round(0.5 / raw.header.contract.control_hz * decode.NS_PER_S)
    found = {stamp: (kind, cdr) for _, kind, stamp, cdr in raw.messages(
        (topic, decode.compressed(topic)), ticks[0] - half, ticks[-1] + 1)}
    stamps, frames = sorted(found), []
    for tick in ticks:
        newest = bisect_right(stamps, tick) - 1
        if newest < 0 or tick - stamps[newest] > half:
            raise DataError(f"{bag} has no picture of camera '{name}' at {decode.seconds(tick):.2f} s.")
        kind, cdr = found[stamps[newest]]
        try:
            frames.append(_reduced(decode.image(deserialize(cdr, kind), camera)))
        except DataError as error:
            raise DataError(f"{bag} is damaged: {topic}: {error.what}") from None
    return np.stack(frames)


def _reduced(pixels: NDArray[np.uint8]) -> NDArray[np.uint8]:
    share = LARGEST / max(pixels.shape[:2])
    if share >= 1.0:
        return pixels
    import cv2  # slow to load, and small pictures need none of it

    size = round(pixels.shape[1] * share), round(pixels.shape[0] * share)
    return np.asarray(cv2.resize(pixels, size, interpolation=cv2.INTER_AREA), np.uint8)


class ClipShelf:
    """Has the clips of the present question and of the next ones ready.

    Args:
        done: called in the shelf's thread with the id of a query whose clips are there, or cannot be: then with the reason, else ''.
        read: reads a clip.
        max_bytes: no more is read ahead when what is there takes so much.
    """

    def __init__(
        self, done: Callable[[str, str], None], *, read: Callable[[Path, Segment], Clip] = read_clip, max_bytes: int = MAX_BYTES
    ) -> None:
        self._done, self._read, self._max_bytes = done, read, max_bytes
        self._wanted: tuple[Question, ...] = ()
        self._there: dict[str, tuple[Clip, ...]] = {}
        self._failed: set[str] = set()
        self._changed, self._ended = threading.Condition(), False
        self._thread = threading.Thread(target=self._run, name="clips", daemon=True)
        self._thread.start()

    def want(self, questions: Sequence[Question]) -> None:
        """The questions whose clips are needed, the present one first; returns at once. Others' clips are forgotten."""
        with self._changed:
            self._wanted = tuple(questions[: AHEAD + 1])
            ids = {one.query.id for one in self._wanted}
            self._there = {id: clips for id, clips in self._there.items() if id in ids}
            self._failed &= ids
            self._changed.notify()

    def clips(self, query: str) -> tuple[Clip, ...] | None:
        """The clips of a query by place, left to right, if they are there."""
        return self._there.get(query)

    def close(self) -> None:
        """Ends the thread."""
        with self._changed:
            self._ended = True
            self._changed.notify()
        self._thread.join()

    def _run(self) -> None:
        while (question := self._next()) is not None:
            query, why = question.query, ""
            try:
                clips = tuple(self._read(Path(question.bags[option]), query.options[option]) for option in query.order)
            except DataError as error:
                clips, why = (), str(error)
            except Exception as error:  # of whatever is in the file; the next question must come all the same
                clips, why = (), f"{', '.join(question.bags)}: {type(error).__name__}: {error}"
            with self._changed:
                if why:
                    self._failed.add(query.id)
                elif any(one.query.id == query.id for one in self._wanted):
                    self._there[query.id] = clips
            self._done(query.id, why)

    def _next(self) -> Question | None:
        """Waits for something to read; None at the end."""
        with self._changed:
            while not self._ended:
                for number, question in enumerate(self._wanted):
                    if question.query.id in self._there or question.query.id in self._failed:
                        continue
                    taken = sum(clip.nbytes for clips in self._there.values() for clip in clips)
                    if number and taken > self._max_bytes:
                        break
                    return question
                self._changed.wait()
        return None
