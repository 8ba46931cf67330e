"""The watching operator: when he takes over and gives back, by a progress of the test's own; and what a task's progress is."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any, cast

import numpy as np
import pytest

from rewardbot.robots.demonstrators import ScriptedDemonstrator
from rewardbot.robots.mujoco import MujocoRobot
from rewardbot.robots.takeovers import Patience, WatchingOperator
from rewardbot.robots.tasks import task_names


def hands(progress: list[float], **patience: float) -> str:
    """Who acts in each step, o for the operator, when the progress seen before the steps is this."""
    robot = SimpleNamespace(true_progress=lambda: progress[0], contract=SimpleNamespace(action_scale=0.05, control_hz=10.0))
    operator = WatchingOperator(cast(Any, robot), Patience(**cast(Any, {"steps": 3, "least": 2, "rise": 0.2, **patience})))
    operator.begin_episode(0)
    seen = ""
    while progress:
        seen += "o" if operator.acts() else "."
        progress.pop(0)
    return seen


def test_he_lets_a_policy_go_on_that_gets_on() -> None:
    assert hands([0.1 * step for step in range(9)]) == "........."
    assert hands([0.1, 0.1, 0.1, 0.2, 0.2, 0.2, 0.3, 0.3, 0.3, 0.4]) == ".........."


def test_he_takes_over_after_three_steps_without_progress_and_gives_back_after_some() -> None:
    assert hands([0.1, 0.1, 0.1, 0.1, 0.15, 0.2, 0.25, 0.31, 0.4]) == "...oooo.."


def test_a_rise_that_nobody_would_notice_is_none() -> None:
    assert hands([0.1, 0.101, 0.102, 0.103, 0.104, 0.105]) == "...ooo"


def test_he_keeps_it_for_as_long_as_he_means_to() -> None:
    assert hands([0.1, 0.1, 0.1, 0.1, 0.9, 0.9, 0.95], least=1) == "...o..."
    assert hands([0.1, 0.1, 0.1, 0.1, 0.9, 0.9, 0.95], least=3) == "...ooo."


def test_what_he_brought_to_success_he_keeps_and_the_policys_success_is_left_alone() -> None:
    assert hands([0.6, 0.6, 0.6, 0.6, 0.7, 1.0, 1.0, 1.0, 1.0]) == "...oooooo"
    assert hands([0.6, 0.6, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0]) == "........."


def test_what_was_reached_and_lost_again_is_no_progress() -> None:
    assert hands([0.5, 1.0, 0.3, 0.2, 0.3, 0.2]) == "....oo"


def test_after_giving_back_he_waits_again() -> None:
    assert hands([0.1, 0.1, 0.1, 0.1, 0.4, 0.4, 0.4, 0.4, 0.4, 0.4]) == "...oo...oo"


def test_an_episode_begins_with_the_policy() -> None:
    robot = SimpleNamespace(true_progress=lambda: 0.1, contract=SimpleNamespace(action_scale=0.05, control_hz=10.0))
    operator = WatchingOperator(cast(Any, robot), Patience(steps=1))
    operator.begin_episode(0)
    assert [operator.acts() for _ in range(3)] == [False, True, True]
    operator.begin_episode(1)
    assert not operator.acts()


@pytest.fixture(scope="module", params=task_names())
def robot(request: pytest.FixtureRequest) -> MujocoRobot:
    return MujocoRobot(request.param, render=False)


def test_progress_rises_from_start_to_success(robot: MujocoRobot) -> None:
    """Of a steady hand: within [0, 1], 1 where the goal holds and only there, and never down by much before."""
    operator = ScriptedDemonstrator(robot, noise=0.0)
    for start in range(3):
        robot.reset(start)
        operator.begin_episode(start)
        best = first = robot.true_progress()
        assert 0.0 <= first < 0.8
        for _ in range(robot.task.horizon):
            robot.send(operator.act())
            progress = robot.true_progress()
            assert 0.0 <= progress <= 1.0 and (progress == 1.0) == robot.true_success()
            assert progress > best - 0.05
            best = max(best, progress)
        assert best == 1.0


def test_a_policy_that_does_nothing_is_helped_to_success(robot: MujocoRobot) -> None:
    operator, successes = WatchingOperator(robot, noise=0.0), 0
    for start in range(3):
        robot.reset(start)
        operator.begin_episode(start)
        mine = 0
        for step in range(robot.task.horizon + 20):
            acts = operator.acts()
            assert not (acts and step < Patience().steps)
            robot.send(operator.act() if acts else np.array([0.0, 0.0, 0.0, 0.0]))
            mine += not acts
        successes += robot.true_success()
        assert mine >= Patience().steps
    assert successes >= 2
