"""The robot's control ticks, counted by its joint states."""

from __future__ import annotations

import math

import pytest

from rewardbot.ros.ticks import RobotTicks


def heard(*messages: tuple[int, int | None]) -> tuple[RobotTicks, list[bool]]:
    """Ticks that were told (stamp, number), and what they answered."""
    ticks = RobotTicks()
    return ticks, [ticks.add(stamp, 1000 + k, number) for k, (stamp, number) in enumerate(messages)]


def test_ticks_are_counted_once_and_from_the_first_on() -> None:
    ticks, again = heard((10, 1), (20, 2), (20, 3), (30, 4), (40, 5))
    assert not any(again)
    assert [ticks.count(10, stop) for stop in (10, 20, 30, 40, 41)] == [0, 1, 2, 3, 4]
    assert ticks.count(20, 40) == 2
    assert ticks.sent(20) == 1001 and ticks.sent(40) == 1004
    ticks.forget()
    assert ticks.count(0, 100) == 1 and ticks.count(40, 41) == 1


@pytest.mark.parametrize(("messages", "expected"), [
    (((10, 7), (5, 8)), [False, True]),  # its clock went back
    (((10, 7), (20, 1)), [False, True]),  # in real time only the number tells
    (((10, 7), (20, 9)), [False, False]),  # one was lost
    (((10, None), (20, None)), [False, False]),
    (((10, 2**64 - 1), (20, 2**64 - 1)), [False, False]),  # a middleware that does not count
])
def test_a_robot_that_was_started_again_is_noticed(messages: tuple[tuple[int, int]], expected: list[bool]) -> None:
    ticks, again = heard(*messages)
    assert again == expected
    assert ticks.count(0, 100) == (1 if again[-1] else 2), "ticks of the robot before are gone"


def test_silence_is_what_was_waited_since() -> None:
    ticks = RobotTicks()
    assert ticks.silent_s == math.inf
    ticks.add(10, 1, 1)
    ticks.waited(0.1)
    ticks.waited(0.2)
    assert ticks.silent_s == pytest.approx(0.3)
    ticks.add(10, 2, 2)
    assert ticks.silent_s == 0.0, "a repetition is a sign of life"
