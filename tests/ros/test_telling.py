"""The telling of episodes, and a person's word about them."""

from __future__ import annotations

from typing import Any

import pytest

from rewardbot.data import decode
from rewardbot.data.decode import EpisodeEvent
from rewardbot.data.takeovers import TAKEOVERS
from rewardbot.ros.requests import Mode, Request
from rewardbot.ros.scores import OBSERVED
from rewardbot.ros.telling import Running, Teller
from rewardbot.types import EpisodeInfo


class Case:
    """A teller, and what it published."""

    def __init__(self) -> None:
        self.events: list[EpisodeEvent] = []
        self.ended: list[str] = []
        self.kept: list[tuple[str, bool | None]] = []
        self.told: list[int] = []
        self.problem = ""
        self.teller = Teller(lambda message: self.events.append(decode.episode_event(message)), lambda stamp: stamp + 7,
                             lambda episode: self.ended.append(episode.info.id), self._keep)

    def _keep(self, name: str, verdict: bool | None) -> str:
        if not self.problem:
            self.kept.append((name, verdict))
            self.told.append(len(self.events))
        return self.problem

    def run(self, name: str, steps: int, mode: Mode = "teleoperate", **values: Any) -> None:
        """An episode that is in progress, its newest observation answered."""
        info = EpisodeInfo(name, "lift", "sim_arm", "demonstration")
        self.teller.running = Running(Request(mode=mode), info, 0, steps=steps, **values)
        self.teller.start(1000)
        self.teller.running.answered = 1000 + 100 * steps

    def said(self) -> list[tuple[str, str, bool | None]]:
        return [(event.kind, event.info.id, event.info.success) for event in self.events]


@pytest.mark.parametrize("verdict", [True, False, None])
def test_a_person_ends_an_episode_with_or_without_a_verdict(verdict: bool | None) -> None:
    case = Case()
    case.run("a", 12)
    done, text = case.teller.stop(verdict)
    assert done and "a ended after 12 steps" in text and case.teller.running is None
    start, end = case.events
    assert (start.kind, start.stamp_ns) == ("start", 1000)
    assert (end.kind, end.stamp_ns, end.steps, end.info.success) == ("end", 2200, 12, verdict)
    assert end.info.extra == {OBSERVED: 2207}


def test_a_verdict_may_be_changed_as_long_as_the_episode_is_there() -> None:
    case = Case()
    case.run("a", 12)
    case.teller.stop(None)
    assert case.teller.stop(True) == (True, "episode a is a success now; it was neither a success nor a failure")
    assert case.teller.stop(False) == (True, "episode a is a failure now; it was a success")
    assert case.teller.discard() == (True, "episode a is discarded")
    assert not case.teller.stop(True)[0] and not case.teller.discard()[0]
    assert case.said()[1:] == [("end", "a", None), ("verdict", "a", True), ("verdict", "a", False), ("discard", "a", False)]
    assert case.kept == [("a", True), ("a", False), ("a", None)] and case.told == [2, 3, 4], "kept before anybody hears of it"


def test_a_word_that_cannot_be_kept_is_refused_and_may_be_said_again() -> None:
    case = Case()
    case.run("a", 12)
    case.teller.stop(True)
    case.problem = "the disk is full"
    assert case.teller.stop(False) == case.teller.discard() == (False, "the disk is full")
    assert [kind for kind, _, _ in case.said()] == ["start", "end"]
    case.problem = ""
    assert case.teller.stop(False) == (True, "episode a is a failure now; it was a success")


def test_a_verdict_is_that_of_the_running_episode_if_there_is_one() -> None:
    case = Case()
    case.run("a", 12)
    case.teller.stop(True)
    case.run("b", 3)
    case.teller.stop(False)
    assert case.said()[2:] == [("start", "b", None), ("end", "b", False)]


def test_the_running_episode_is_discarded_and_saying_so_twice_does_not_cost_the_one_before() -> None:
    case = Case()
    case.run("a", 12)
    case.teller.stop(True)
    case.run("b", 0)
    assert case.teller.discard() == (True, "episode b is discarded") and case.teller.running is None
    assert case.teller.discard() == (False, "there is no episode to discard") and case.kept == []
    assert case.said()[3:] == [("discard", "b", None)]


def test_an_episode_that_nobody_has_heard_of_is_discarded_silently() -> None:
    case = Case()
    case.teller.running = Running(Request(mode="teleoperate"), EpisodeInfo("a", "lift", "sim_arm", "demonstration"), 0)
    assert case.teller.discard()[0] and case.events == []


def test_what_makes_no_sense_is_refused_with_a_reason() -> None:
    case = Case()
    assert case.teller.stop(None) == (False, "no episode runs")
    assert case.teller.stop(True) == (False, "no episode runs, and there is none to change the verdict of")
    assert case.teller.discard() == (False, "there is no episode to discard")
    case.run("a", 0)
    assert case.teller.stop(True) == (False, "episode a has no step yet") and case.teller.running is not None
    case.run("b", 5, mode="evaluate")
    for answer in (case.teller.stop(True), case.teller.discard()):
        assert answer == (False, "episode b is conducted in mode evaluate")
    assert case.ended == []


def test_a_person_who_watches_the_policy_may_end_its_episode_with_a_verdict() -> None:
    case = Case()
    case.run("a", 5, mode="explore", taken_over={4})
    assert case.teller.stop(True)[0] and case.ended == ["a"]
    assert case.events[-1].info.success is True and case.events[-1].info.extra[TAKEOVERS] == [[4, 5]]
    case.run("b", 12, mode="explore")
    assert case.teller.discard() == (True, "episode b is discarded") and case.said()[-1] == ("discard", "b", None)


def test_a_word_that_comes_late_is_on_the_exploring_episode_before() -> None:
    """For a second, or as long as nobody touches the one that has begun by itself."""
    case = Case()
    case.run("a", 25, mode="explore")
    case.teller.end(3500, success=None)
    assert case.teller.stop(True) == (True, "episode a is a success now; it was neither a success nor a failure")
    case.run("b", 9, mode="explore")
    assert case.teller.stop(False)[1].startswith("episode a is a failure now") and case.teller.running is not None
    assert case.teller.discard() == (True, "episode a is discarded")
    assert case.said()[2:] == [("verdict", "a", True), ("start", "b", None), ("verdict", "a", False), ("discard", "a", False)]
    assert case.teller.stop(None) == (True, "episode b ended after 9 steps, without a verdict")
    for name, values in (("c", {"steps": 10}), ("d", {"steps": 3, "taken_over": {2}})):
        case.run(name, mode="explore", **values)
        assert case.teller.stop(True)[1].startswith(f"episode {name} ended")


def test_the_steps_in_which_the_operator_acted_are_in_the_end() -> None:
    case = Case()
    case.run("a", 10, mode="explore", taken_over={2, 3, 7, 10, 11})  # the last two came after its last step
    case.teller.end(2000, success=None)
    assert case.events[-1].info.extra[TAKEOVERS] == [[2, 4], [7, 8]]
    case.run("b", 10, mode="explore", taken_over={10})
    case.teller.end(2000, success=None)
    assert TAKEOVERS not in case.events[-1].info.extra
    case.run("c", 10, mode="play")
    case.teller.end(2000, success=None)
    assert case.teller.discard() == (True, "episode b is discarded"), "nobody watches the robot play"
