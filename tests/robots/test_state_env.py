"""The tasks from their state: gymnasium's rules, what the vector says, and what the true reward is."""

from __future__ import annotations

import warnings

import gymnasium
import numpy as np
import pytest
from gymnasium.utils.env_checker import check_env

from rewardbot.robots.demonstrators import ScriptedDemonstrator
from rewardbot.robots.goal_env import goal_env_id, goal_tasks
from rewardbot.robots.state_env import StateEnv, state_env_id
from rewardbot.robots.tasks import task_names


@pytest.mark.parametrize("name", [*map(state_env_id, task_names()), *map(goal_env_id, goal_tasks())])
def test_gymnasiums_own_checks(name: str) -> None:
    env = gymnasium.make(name)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            check_env(env.unwrapped, skip_render_check=True)
    finally:
        env.close()


def test_the_state_says_where_the_ball_is_and_the_reward_how_far() -> None:
    env = StateEnv("reach")
    operator = ScriptedDemonstrator(env.robot, noise=0.0, seed=0)
    state, info = env.reset(seed=1)
    assert not info["success"]
    operator.begin_episode(1)
    rewards = []
    for step in range(15):
        before = env.robot.tool
        state, reward, terminated, truncated, info = env.step(operator.act())
        away = env.robot.data.mocap_pos[0] - env.robot.tool
        np.testing.assert_allclose(state[7:], 10.0 * np.array([*away, np.linalg.norm(away)]), atol=1e-5)
        np.testing.assert_allclose(state[3:6], 100.0 * (env.robot.tool - before), atol=1e-4)  # ten steps a second
        assert reward == (1.0 if info["success"] else pytest.approx(max(0.0, 1.0 - np.linalg.norm(away) / 0.3)))
        assert (terminated, truncated) == (False, step == 14)
        rewards.append(reward)
    assert info["success"] and rewards[-1] == 1.0 > rewards[0]
    env.close()


def test_the_state_holds_free_and_sliding_objects() -> None:
    push, drawer = StateEnv("push"), StateEnv("drawer")
    state, _ = push.reset(seed=3)
    puck = push.robot.data.body("puck")
    np.testing.assert_allclose(state[7:10], 10.0 * (puck.xpos - push.robot.tool), atol=1e-5)
    np.testing.assert_allclose(state[10:14], puck.xquat, atol=1e-6)
    goal = np.array([0.5, 0.15, 0.0005])
    lengths = [np.linalg.norm(apart) for apart in (push.robot.tool - puck.xpos, push.robot.tool - goal, puck.xpos - goal)]
    np.testing.assert_allclose(state[14:], 10.0 * np.array(lengths), atol=1e-5)
    assert drawer.reset(seed=3)[0].shape == (12,)
    drawer.robot.data.joint("drawer").qpos[0] = 0.05
    assert drawer._state()[7] == pytest.approx(0.5)
    push.close()
    drawer.close()


def test_a_seed_gives_the_same_start() -> None:
    env = StateEnv("push")
    first, again, other = env.reset(seed=5)[0], env.reset(seed=5)[0], env.reset(seed=6)[0]
    assert np.array_equal(first, again) and not np.array_equal(first, other)
    env.close()
