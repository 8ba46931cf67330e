"""Who of several operators has the arm."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from std_msgs.msg import Float64MultiArray

from rewardbot.data import decode
from rewardbot.robots.robot import load_contract
from rewardbot.ros import convert
from rewardbot.ros.arbiter import RELEASE_S, Arbiter, Gripper

CONTRACT = load_contract()
ANNA, BERT = (name * 12 + b"twst" for name in (b"a", b"b"))
"""Publishers of two processes."""


class Case:
    """An arbiter, and what it told."""

    def __init__(self, *, lockstep: bool = False) -> None:
        self.told: list[str] = []
        names = {ANNA: "anna", BERT: "bert"}
        self.arbiter = Arbiter(CONTRACT, lockstep=lockstep, name_of=lambda publisher: names[publisher], tell=self.told.append)

    def say(self, who: bytes, x: float, now: float, *, grip: float | None = None, stamp: int = 0, frame: str = "base_link") -> bool:
        if grip is not None:
            self.arbiter.gripper(who[:12] + b"grip", Float64MultiArray(data=[grip]))
        twist = convert.twist(CONTRACT, np.array([x, 0.0, 0.0, 0.0]), stamp)
        twist.header.frame_id = frame
        return self.arbiter.twist(who, twist, now)

    def does(self, now: float, stamp: int = 99) -> list[float] | None:
        action = self.arbiter.action(stamp, now)
        return None if action is None else action.tolist()


def test_the_newest_command_counts_until_it_is_too_old() -> None:
    case = Case()
    assert case.does(0.0) is None and case.arbiter.present(0.0) == ""
    case.say(ANNA, 0.25, 1.0)
    case.say(ANNA, 0.5, 1.1, grip=-1.0)
    assert case.does(1.1 + 0.9 * RELEASE_S) == [0.5, 0.0, 0.0, -1.0] and case.arbiter.present(1.2) == "anna"
    assert case.does(1.1 + 1.1 * RELEASE_S) is None and case.arbiter.present(1.1 + 1.1 * RELEASE_S) == ""


def test_who_began_first_keeps_the_arm_until_silent_and_the_two_are_never_mixed() -> None:
    case = Case()
    assert case.say(ANNA, 0.5, 0.0, grip=1.0)
    assert not case.say(BERT, -0.5, 0.1, grip=-1.0) and not case.say(BERT, -0.5, 0.2)
    assert case.does(0.2) == [0.5, 0.0, 0.0, 1.0]
    assert case.told == ["anna has the arm", f"anna has the arm until it has been silent for {RELEASE_S} s; bert is ignored"]
    assert case.say(BERT, -0.5, 0.1 + RELEASE_S)
    assert case.does(0.5) == [-0.5, 0.0, 0.0, -1.0] and case.told[2:] == ["bert has the arm"]
    assert not case.say(ANNA, 0.5, 0.5), "and now it is the other way round"


@given(st.lists(st.tuples(st.booleans(), st.floats(0.01, 0.5)), min_size=1, max_size=40))
def test_whatever_two_devices_say_only_one_of_them_acts_at_a_time(said: list[tuple[bool, float]]) -> None:
    case, now, owner, heard = Case(), 0.0, "", float("-inf")
    for anna, pause in said:
        now += pause
        name = "anna" if anna else "bert"
        counts = case.say(ANNA if anna else BERT, 0.5 if anna else -0.5, now)
        assert counts == (name == owner or now - heard > RELEASE_S)
        if counts:
            owner, heard = name, now
        action = case.does(now)
        assert action is not None and action[0] == (0.5 if owner == "anna" else -0.5)


@pytest.mark.parametrize("stamp", [0, 1, 2**61])
def test_the_clock_of_who_sends_does_not_matter(stamp: int) -> None:
    case = Case()
    assert case.say(ANNA, 0.5, 5.0, stamp=stamp)
    assert case.does(5.2) == [0.5, 0.0, 0.0, 0.0] and case.does(5.4) is None


@pytest.mark.parametrize(("x", "grip", "frame", "says"), [
    (float("nan"), 1.0, "base_link", "a number that is none"), (float("inf"), 1.0, "base_link", "a number that is none"),
    (0.5, float("nan"), "base_link", "a number that is none"), (0.5, 1.0, "another", "in frame 'another'")])
def test_what_cannot_be_used_stops_the_arm_and_is_told(x: float, grip: float, frame: str, says: str) -> None:
    case = Case()
    assert case.say(ANNA, 0.5, 0.0, grip=1.0)
    assert not case.say(ANNA, x, 0.1, grip=grip, frame=frame)
    assert case.does(0.1) == [0.0] * 4 and "anna" in case.told[-1] and says in case.told[-1]
    assert case.does(0.1 + RELEASE_S) is None, "it is no sign of life"


def test_what_a_bystander_says_wrongly_does_not_stop_the_arm() -> None:
    case = Case()
    case.say(ANNA, 0.5, 0.0)
    assert not case.say(BERT, float("nan"), 0.1) and case.does(0.1) == [0.5, 0.0, 0.0, 0.0]
    assert not case.say(BERT, float("nan"), 1.0) and case.does(1.0) is None


def test_in_lockstep_a_command_is_for_the_observation_of_its_stamp() -> None:
    case = Case(lockstep=True)
    case.say(ANNA, 0.25, 0.0, stamp=10)
    case.say(ANNA, 0.5, 0.01, stamp=20)
    assert case.does(0.01, stamp=10) == [0.25, 0.0, 0.0, 0.0] and case.does(0.01, stamp=20) == [0.5, 0.0, 0.0, 0.0]
    assert case.does(0.01, stamp=30) is None
    case.arbiter.forget()
    assert case.does(0.01, stamp=20) is None, "that of another robot"


def test_a_person_who_drives_in_lockstep_is_told_why_nothing_happens() -> None:
    case = Case(lockstep=True)
    case.say(ANNA, 0.5, 0.0, stamp=1_800_000_000 * decode.NS_PER_S)
    assert case.does(0.01, stamp=10 * decode.NS_PER_S) is None
    assert "anna is not obeyed" in case.told[-1] and "lockstep:=false" in case.told[-1]
    told = len(case.told)
    assert case.does(0.01 + RELEASE_S, stamp=11 * decode.NS_PER_S) is None and len(case.told) == told, "she has let go"


def test_the_gripper_is_told_in_every_step_what_it_does() -> None:
    gripper = Gripper(CONTRACT)
    entries = []
    for opening in (0.9, 0.2):
        gripper.begin_episode(opening)
        entries += [gripper.whole(np.array([0.0, 0.0, 0.0, entry]))[3] for entry in (0.0, -0.25, 0.0, 1.0, 0.0)]
    assert entries == [1.0, -0.25, -1.0, 1.0, 1.0, -1.0, -0.25, -1.0, 1.0, 1.0]
