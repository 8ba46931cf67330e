"""What is wrong with a recording, from the stamps of its messages alone: missing, late, unsynchronised ones, a clock that jumped."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from rewardbot.data import decode
from rewardbot.robots.robot import RobotContract
from rewardbot.types import EpisodeInfo

PROBLEMS = "problems"
"""Key of `EpisodeInfo.extra`: a list of texts, absent when there are none."""

LONGEST_STILL_S = 1.0
"""A robot whose ticks stop for longer than this stood still for no reason of its own, or its clock jumped [s]."""

Kind = Literal["missing", "stopped", "dropped", "rate", "unsynchronised", "clock"]


@dataclass(frozen=True)
class Problem:
    """One thing that is wrong with a topic, relative name, in words for whoever records."""

    topic: str
    kind: Kind
    text: str


def problems(
    stamps: Mapping[str, ArrayLike], contract: RobotContract, start_ns: int, end_ns: int
) -> list[Problem]:
    """What is wrong with the messages of an episode.

    The ticks are the stamps of the applied actions and the end, as for the EpisodeAssembler. Topics may be faster than
    `contract.control_hz`; what counts is that each tick has a message of its own.

    Args:
        stamps: topic -> stamps of its messages in the order of their arrival, int [ns]; messages of outside the episode are
            not looked at. Topics are those of `decode.episode_topics`, without `episode`.
        contract: of the robot.
        start_ns: stamp of the episode's first observation [ns].
        end_ns: stamp of its last observation, or up to where to look [ns].
    """
    period = round(decode.NS_PER_S / contract.control_hz)
    arrived = {topic: _within(values, start_ns - period, end_ns) for topic, values in stamps.items()}
    found = [_jumped_back(topic, values) for topic, values in arrived.items()]
    tracks = {topic: np.unique(values) for topic, values in arrived.items()}
    ticks = np.append(tracks.get(decode.APPLIED_ACTION, np.zeros(0, np.int64)), end_ns)
    ticks = np.unique(ticks[ticks >= start_ns])
    found += [_stood_still(np.append(start_ns, ticks), period)]
    reference = tracks.get(decode.JOINT_STATES)
    for topic, track in tracks.items():
        if topic in (decode.REQUESTED_ACTION, decode.APPLIED_ACTION):
            continue
        if not len(track):
            found.append(Problem(topic, "missing", f"{topic}: nothing came"))
            continue
        found += [_stopped(topic, track, end_ns, period), _dropped(topic, track, ticks, period, contract.control_hz)]
        if reference is not None and len(reference) and topic != decode.JOINT_STATES:
            found.append(_unsynchronised(topic, track, reference, ticks, period))
    return [problem for problem in found if problem is not None]


def marked(info: EpisodeInfo, texts: Sequence[str]) -> EpisodeInfo:
    """`info` with these problems beside those that it has; with any of them it is no success, though not a failure either."""
    all_texts = list(dict.fromkeys([*info.extra.get(PROBLEMS, ()), *texts]))
    return judged(replace(info, extra={**info.extra, PROBLEMS: all_texts}), info.success) if all_texts else info


def judged(info: EpisodeInfo, success: bool | None) -> EpisodeInfo:
    """`info` with another verdict; an episode with problems is never called a success, its verdict is None then."""
    return replace(info, success=None if success and info.extra.get(PROBLEMS) else success)


def _within(stamps: ArrayLike, first: int, last: int) -> NDArray[np.int64]:
    values = np.asarray(stamps, np.int64)
    return values[(values >= first) & (values <= last)]


def _jumped_back(topic: str, arrived: NDArray[np.int64]) -> Problem | None:
    back = int(-np.diff(arrived).min(initial=0))
    return Problem(topic, "clock", f"{topic}: the clock jumped back by {_seconds(back)}") if back else None


def _stood_still(ticks: NDArray[np.int64], period: int) -> Problem | None:
    longest = int(np.diff(ticks).max(initial=0))
    if longest <= LONGEST_STILL_S * decode.NS_PER_S + 1.5 * period:
        return None
    return Problem(decode.APPLIED_ACTION, "clock", f"the clock jumped forward, or the robot stood still, by {_seconds(longest)}")


def _stopped(topic: str, track: NDArray[np.int64], end_ns: int, period: int) -> Problem | None:
    before = end_ns - int(track[-1])
    return Problem(topic, "stopped", f"{topic} stopped {_seconds(before)} before the end") if 2 * before > 3 * period else None


def _dropped(topic: str, track: NDArray[np.int64], ticks: NDArray[np.int64], period: int, control_hz: float) -> Problem | None:
    age, gap = _at(track, ticks, period)
    # A tick within a hole, and not at one of its ends, has lost its message. What is missing at the end is told as such.
    lost = int(((2 * gap > 3 * period) & (2 * age > period) & (2 * (gap - age) >= period) & (ticks < track[-1])).sum())
    if not lost:
        return None
    usual = float(np.median(np.diff(track))) if len(track) > 2 else 0.0
    if usual > 1.25 * period:
        hz = decode.NS_PER_S / usual
        return Problem(topic, "rate", f"{topic} came at {hz:.3g} Hz; the robot contract's control_hz is {control_hz:g}")
    return Problem(topic, "dropped", f"{topic}: {lost} dropped frame{'s' if lost > 1 else ''}")


def _unsynchronised(
    topic: str, track: NDArray[np.int64], reference: NDArray[np.int64], ticks: NDArray[np.int64], period: int
) -> Problem | None:
    age, gap = _at(track, ticks, period)
    other_age, other_gap = _at(reference, ticks, period)
    apart = np.abs(age - other_age)[(2 * gap <= 3 * period) & (2 * other_gap <= 3 * period)]  # no holes: they are told as such
    off = int((2 * apart > period).sum())
    if not off:
        return None
    return Problem(topic, "unsynchronised", f"{topic} and {decode.JOINT_STATES} are up to {_seconds(int(apart.max()))} apart "
                   f"({off} of {len(ticks)} ticks); more than half a control period, {_seconds(period // 2)}, is too much")


def _at(track: NDArray[np.int64], ticks: NDArray[np.int64], period: int) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """For each tick the age of the newest message that is not later, and the gap from it to the next one, int64 (N,) [ns].

    Of the time before the first tick and after the last the best is assumed.
    """
    if track[0] > ticks[0]:
        track = np.insert(track, 0, ticks[0] - period)
    padded = np.append(track, max(track[-1], ticks[-1]))
    newest = np.searchsorted(track, ticks, side="right") - 1
    return ticks - padded[newest], padded[newest + 1] - padded[newest]


def _seconds(ns: int) -> str:
    return f"{ns / 1e9:.3g} s" if ns >= decode.NS_PER_S else f"{ns / 1e6:.3g} ms"
