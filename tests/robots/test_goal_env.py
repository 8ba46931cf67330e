"""The tasks that are told where things should go: gymnasium's rules, what the vector says, and what is set as a goal."""

from __future__ import annotations

import numpy as np
import pytest

from rewardbot.errors import ConfigError
from rewardbot.robots.demonstrators import ScriptedDemonstrator
from rewardbot.robots.goal_env import GoalEnv, goal_env_id, goal_tasks


def test_there_is_one_for_reach_and_push() -> None:
    assert goal_tasks() == ["push", "reach"] and goal_env_id("push") == "rewardbot/PushGoal-v0"
    with pytest.raises(ConfigError, match=r"The goal of task 'drawer' is not(.|\n)*push, reach"):
        GoalEnv("drawer")


def test_an_episode_begins_with_the_tasks_own_goal() -> None:
    env = GoalEnv("reach")
    operator = ScriptedDemonstrator(env.robot, noise=0.0, seed=0)
    state, _ = env.reset(seed=1)
    operator.begin_episode(1)
    np.testing.assert_allclose(state[7:], 10.0 * (env.robot.data.mocap_pos[0] - env.robot.tool), atol=1e-5)
    assert not env.reached(env.points, env.goal)
    info = {}
    for _ in range(15):
        *_, info = env.step(operator.act())
    assert info["success"] and env.reached(env.points, env.goal)
    env.close()


def test_what_was_moved_is_the_goal_else_where_the_tool_is() -> None:
    env = GoalEnv("push")
    state, _ = env.reset(seed=3)
    assert (state[14:17] == 0.0).all(), "the tool may be anywhere"
    start = env.points
    for _ in range(5):
        env.step(np.array([0.0, 0.5, -1.0, 0.0], np.float32))
    np.testing.assert_allclose(env.shown(start, env.points), env.points)
    assert not env.reached(start, env.shown(start, env.points))
    env.robot.data.qpos[env._free[0]] += 0.1
    goal = env.shown(start, env.points)
    assert np.isnan(goal[0]).all() and goal[1, 0] == pytest.approx(start[1, 0] + 0.1, abs=1e-3)
    assert env.reached(env.points, goal) and not env.reached(start, goal)
    seen = env.aim(goal)
    np.testing.assert_allclose(seen[14:], 0.0, atol=1e-6)
    there = env.toward(seen, start, goal)
    assert (there[:14] == seen[:14]).all() and there[17] == pytest.approx(1.0, abs=1e-2) and (there[14:17] == 0.0).all()
    env.close()
