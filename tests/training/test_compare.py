"""The comparison of rewards."""

from __future__ import annotations

import dataclasses

import numpy as np

from rewardbot.robots.mujoco import MujocoRobot
from rewardbot.robots.robot import CameraContract, load_contract
from rewardbot.robots.start_states import demonstration_stream, learning_stream
from rewardbot.training.collect import demonstrate, run_episode
from rewardbot.training.compare import ARMS, _replayed_truth, compare
from rewardbot.training.learner import Learner
from rewardbot.training.learner_config import LearnerConfig
from rewardbot.training.loop import learn
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


def test_every_arm_goes_as_far_from_the_same_demonstrations(config: LearnerConfig) -> None:
    cameras = {"front": CameraContract(8, 8), "wrist": CameraContract(8, 8)}
    robot = MujocoRobot("reach", dataclasses.replace(load_contract("sim_arm"), cameras=cameras))
    told: list[str] = []
    try:
        demonstrations = demonstrate(robot, 2, noise=0.0, stream=demonstration_stream(0), seed=0)
        trained = Learner(config, robot.contract, "reach", seed=0)
        trained.pretrain(demonstrations, lambda stage, share: None, baseline=False)
        learn(trained, robot, stream=learning_stream(0), steps=2 * robot.task.horizon)
        found = compare(trained, robot, demonstrations, episodes=2, progress=lambda share, detail: told.append(detail))
    finally:
        robot.close()
    assert tuple(found) == ARMS == ("frozen", "frozen_offline", "oracle")
    assert {result.env_steps for result in found.values()} == {trained.env_steps} == {30}
    assert all(result.true in (0.0, 0.5, 1.0) for result in found.values())
    assert {detail.partition(":")[0] for detail in told} == set(ARMS)
