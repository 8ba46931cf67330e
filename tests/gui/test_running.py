"""Which steps a Stop is about."""

from __future__ import annotations

from typing import Any

import pytest

from rewardbot.data.decode import NS_PER_S, EpisodeEvent
from rewardbot.gui.running import Running
from rewardbot.types import EpisodeInfo, Segment

BEGAN = 1_700_000_000 * NS_PER_S


class Told:
    """An episode of ten steps a second, and a robot whose time began long ago."""

    def __init__(self) -> None:
        self.running = Running(10.0)

    def event(self, kind: Any, at: float, name: str = "a") -> None:
        self.running.episode(EpisodeEvent(kind, BEGAN + round(at * NS_PER_S), EpisodeInfo(name, "lift", "sim_arm", "policy")))

    def observed(self, at: float) -> None:
        self.running.observed(BEGAN + round(at * NS_PER_S))

    def last(self, seconds: float) -> tuple[int, int] | None:
        found = self.running.last(seconds)
        return (found.start, found.stop) if found else None


def test_they_are_those_before_the_newest_observation() -> None:
    told = Told()
    told.event("start", 0.0)
    told.observed(-0.3)
    assert told.last(2.0) is None, "the first observation is before the first step"
    told.observed(0.7)
    assert told.running.last(2.0) == Segment("a", 0, 7)
    told.observed(4.0)
    assert told.last(2.0) == (20, 40)


def test_of_an_episode_that_has_ended_only_its_own() -> None:
    told = Told()
    told.event("start", 0.0)
    told.observed(5.0)
    told.event("end", 5.0)
    told.event("discard", 5.0, "before")
    told.observed(6.5)
    assert told.last(2.0) == (45, 50)
    told.observed(7.0)
    assert told.last(2.0) is None
    told.event("start", 9.0, "b")
    told.observed(9.1)
    assert told.running.last(2.0) == Segment("b", 0, 1)


@pytest.mark.parametrize("began", [False, True])
def test_there_are_none_without_an_episode(began: bool) -> None:
    told = Told()
    if began:
        told.event("start", 0.0)
        told.event("discard", 1.0)
    told.observed(1.0)
    assert told.last(2.0) is None
