"""Random play goes all over its workspace, mostly along the floor of it, and touches what lies there."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from rewardbot.robots.mujoco import START_TOOL, MujocoRobot
from rewardbot.robots.play import ALONG_FLOOR, FLOOR, AimedPlay, RandomPlay
from rewardbot.robots.robot import load_contract

CONTRACT = load_contract()
LOW, HIGH = np.array(CONTRACT.limits.workspace_low), np.array(CONTRACT.limits.workspace_high)


def way(start: int, steps: int = 60) -> np.ndarray:
    """Where a tool goes, (steps, 3) [m], that does just what it is told inside the workspace."""
    player, tool, been = RandomPlay(CONTRACT), START_TOOL.copy(), []
    player.begin_episode(start)
    for _ in range(steps):
        tool = np.clip(tool + CONTRACT.action_scale * player.act(tool)[:3], LOW, HIGH)
        been.append(tool)
    return np.stack(been)


@given(st.integers(0, 10_000), st.tuples(*(st.floats(-1.0, 1.0),) * 3))
def test_actions_are_actions_wherever_the_tool_is(start: int, tool: tuple[float, float, float]) -> None:
    player = RandomPlay(CONTRACT)
    player.begin_episode(start)
    action = player.act(np.array(tool))
    assert action.dtype == np.float32 and action.shape == (CONTRACT.action_dim,) and (np.abs(action) <= 1.0).all()


def test_the_same_start_state_gets_the_same_play_whatever_was_played_before() -> None:
    player = RandomPlay(CONTRACT)
    first, tool = [], START_TOOL
    for start in (3, 4, 3):
        player.begin_episode(start)
        first.append(np.stack([player.act(tool) for _ in range(5)]))
    assert (first[0] == first[2]).all() and (first[0] != first[1]).any()


def test_it_goes_everywhere_and_mostly_along_the_floor() -> None:
    ways = np.stack([way(start) for start in range(100)])
    cells = {tuple(cell) for cell in ((ways.reshape(-1, 3)[:, :2] - LOW[:2]) / (HIGH - LOW)[:2] * 4).astype(int).clip(max=3)}
    assert len(cells) == 16, "each sixteenth of the floor"
    assert ways[..., 2].max() > HIGH[2] - 0.05
    low = (ways[:, 20:, 2] < LOW[2] + FLOOR + CONTRACT.action_scale).all(1)
    assert low.mean() == pytest.approx(ALONG_FLOOR, abs=0.15)


def test_it_moves_what_lies_on_the_table() -> None:
    """The puck is pushed in about half of the episodes; motion in the whole space does so in one of thirteen. Of 20 episodes 6 are
    2.4 standard deviations fewer than the one, and 4 more than the other."""
    robot, player, moved = MujocoRobot("push", render=False), RandomPlay(CONTRACT), []
    for start in range(20):
        robot.reset(start)
        player.begin_episode(start)
        puck = robot.data.body("puck").xpos.copy()
        for _ in range(robot.task.horizon):
            robot.send(player.act(robot.tool))
        moved.append(np.linalg.norm(robot.data.body("puck").xpos - puck) > 0.01)
    assert sum(moved) >= 6


def aimed(start: int, thing: np.ndarray, steps: int = 60) -> np.ndarray:
    """As `way`, aimed at a thing that stays, (steps, 3) [m]."""
    player, tool, been = AimedPlay(LOW.tolist(), HIGH.tolist(), CONTRACT.action_scale), START_TOOL.copy(), []
    player.begin_episode(start)
    for _ in range(steps):
        tool = np.clip(tool + CONTRACT.action_scale * player.aim(tool, thing)[:3], LOW, HIGH)
        been.append(tool)
    return np.stack(been)


def test_play_that_is_aimed_goes_across_the_thing_from_all_sides_and_low() -> None:
    thing, sides, heights = np.array([0.5, 0.05]), set[int](), list[np.ndarray]()
    for start in range(20):
        been = aimed(start, thing)
        apart = np.linalg.norm(been[:, :2] - thing, axis=1)
        assert apart.min() < 0.03
        heights.append(been[20:, 2])
        away = been[20:, :2][apart[20:] > 0.08] - thing
        sides |= set(np.floor(np.arctan2(away[:, 1], away[:, 0]) / np.pi * 4).astype(int).tolist())
    assert sides >= set(range(-4, 4)), "each eighth of all directions"
    height = np.concatenate(heights) - LOW[2]
    assert np.median(height) < FLOOR and np.quantile(height, 0.95) > AimedPlay.HIGHEST / 2, "and now and then over it"


def test_aimed_play_is_the_same_for_the_same_start_state() -> None:
    thing = np.array([0.45, -0.1])
    assert (aimed(3, thing) == aimed(3, thing)).all() and (aimed(3, thing) != aimed(4, thing)).any()
