"""The comparison of rewards."""

from __future__ import annotations

import numpy as np

from rewardbot.robots.mujoco import MujocoRobot
from rewardbot.training.collect import run_episode
from rewardbot.training.compare import _replayed_truth
from rewardbot.types import EpisodeInfo


def test_a_demonstration_is_scored_by_playing_it_again() -> None:
    robot = MujocoRobot("reach")
    try:
        info = EpisodeInfo("seen", "reach", robot.contract.name, "demonstration", seed=3, success=True)
        robot.reset(3)
        ball = robot.data.mocap_pos[0].copy()

        def towards(_: object) -> np.ndarray:
            return np.array([*np.clip((ball - robot.tool) / robot.contract.action_scale, -1, 1), -1.0], np.float32)

        episode, truth = run_episode(robot, towards, info)
        assert truth.any() and not truth.all()
        assert np.array_equal(_replayed_truth(robot, episode), truth)
    finally:
        robot.close()
