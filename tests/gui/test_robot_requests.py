"""What is asked of a robot, of one that does not answer, and of none."""

from __future__ import annotations

from rewardbot.gui.preference_outbox import RETRY_S
from rewardbot.gui.robot_requests import RobotRequests
from rewardbot.types import Segment


class Robot:
    """What it was asked, what it has just done, and a clock."""

    def __init__(self, there: bool = True) -> None:
        self.asked: list[str] = []
        self.now, self.did = 0.0, Segment("policy-7", 3, 9)
        asks = [lambda what=what: self.asked.append(what) for what in ("stop", "clear", "calm")] if there else [None] * 3
        self.requests = RobotRequests(*asks, lambda: self.did, lambda: self.now)


def test_a_stop_is_asked_for_until_it_is_heard() -> None:
    robot = Robot()
    assert robot.requests.there and robot.requests.ask("stop")
    for heard, asked in ((False, 2), (False, 3), (True, 3)):
        robot.requests.answered("stop", heard)
        robot.requests.beat()
        robot.now += RETRY_S
        robot.requests.beat()
        robot.requests.beat()
        assert robot.asked == ["stop"] * asked and robot.requests.stopping != heard


def test_no_answer_to_anything_else_is_waited_for() -> None:
    robot = Robot()
    robot.requests.ask("stop")
    robot.requests.ask("calm")
    assert robot.requests.stopping
    robot.requests.ask("clear")
    robot.requests.answered("stop", False)
    robot.now += 2 * RETRY_S
    robot.requests.beat()
    assert robot.asked == ["stop", "calm", "clear"] and not robot.requests.stopping


def test_what_was_done_before_a_stop_is_told_once_until_it_is_cleared_or_another_episode_runs() -> None:
    robot = Robot()
    assert [robot.requests.unsafe(), robot.requests.unsafe()] == [robot.did, None]
    robot.requests.ask("clear")
    assert robot.requests.unsafe() == robot.did
    robot.did = Segment("policy-8", 0, 2)
    assert robot.requests.unsafe() == robot.did


def test_without_a_robot_nothing_is_asked() -> None:
    robot = Robot(there=False)
    assert not robot.requests.there and not robot.requests.ask("stop") and not robot.requests.stopping
