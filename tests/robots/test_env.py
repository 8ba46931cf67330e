"""The environments keep gymnasium's rules, and their reward is the true success."""

from __future__ import annotations

import warnings

import gymnasium
import numpy as np
import pytest
from gymnasium.utils.env_checker import check_env
from numpy.typing import NDArray

from rewardbot.errors import ConfigError
from rewardbot.robots.demonstrators import ScriptedDemonstrator
from rewardbot.robots.env import RobotEnv, env_id, make_task_env
from rewardbot.robots.robot import Robot, load_contract
from rewardbot.robots.tasks import task_names
from rewardbot.types import Observation


@pytest.mark.parametrize("task", task_names())
def test_gymnasiums_own_checks(task: str):
    env = gymnasium.make(env_id(task), render_mode="rgb_array")
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            check_env(env.unwrapped)
    finally:
        env.close()


def test_an_episode_of_the_demonstrator_is_rewarded_and_cut_off():
    env = make_task_env("reach")
    operator = ScriptedDemonstrator(env.robot, noise=0.0, seed=0)  # type: ignore[arg-type]
    observation, info = env.reset(seed=1)
    assert info == {"success": False} and observation["front"].dtype == np.uint8
    operator.begin_episode(1)
    rewards, ends = [], []
    for _ in range(env.horizon):
        observation, reward, terminated, truncated, info = env.step(operator.act())
        assert reward == float(info["success"]) and info["applied"].shape == (4,) and not terminated
        rewards.append(reward)
        ends.append(truncated)
    assert rewards[-1] == 1.0 and sum(ends) == 1 and ends[-1]
    env.close()
    env.close()


def test_seeds():
    env = make_task_env("reach")
    first = [env.reset(seed=7)[0]["front"], env.reset()[0]["front"]]
    again = [env.reset(seed=7)[0]["front"], env.reset()[0]["front"]]
    np.testing.assert_array_equal(first, again)
    assert not np.array_equal(first[0], first[1])
    np.testing.assert_array_equal(env.reset(options={"start": 5})[0]["front"], env.robot.reset(5).images["front"])
    env.close()


class StillArm(Robot):
    """An arm of the real kind: nobody knows its true success."""

    def __init__(self) -> None:
        self.contract, self.closed = load_contract("sim_arm"), 0

    def reset(self, seed: int | None = None) -> Observation:
        return self.read()

    def read(self) -> Observation:
        images = {name: np.zeros((camera.height, camera.width, 3), np.uint8) for name, camera in self.contract.cameras.items()}
        return Observation(0.0, images, np.zeros(7), np.zeros(7), np.array([0.5, 0, 0.2, 1, 0, 0, 0]), 1.0)

    def send(self, action: NDArray[np.floating]) -> NDArray[np.float32]:
        return np.zeros(4, np.float32)

    def stop(self) -> None:
        pass

    def clear_stop(self) -> None:
        pass

    def close(self) -> None:
        self.closed += 1


def test_a_robot_without_a_known_success():
    env = RobotEnv(StillArm(), horizon=2)
    check_env(env, skip_render_check=True)
    env.reset(seed=0)
    _, reward, _, truncated, info = env.step(np.ones(4, np.float32))
    assert reward == 0.0 and not truncated and "success" not in info and not info["applied"].any()
    assert env.step(np.ones(4, np.float32))[3]


def test_mistakes():
    with pytest.raises(ConfigError, match="horizon"):
        RobotEnv(StillArm(), horizon=0)
    with pytest.raises(ConfigError, match="render mode 'human'"):
        RobotEnv(StillArm(), horizon=1, render_mode="human")
    with pytest.raises(ConfigError, match="no task named 'lfit'"):
        make_task_env("lfit")
