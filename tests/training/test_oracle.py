"""The oracle of a comparison: it learns from the simulator's true success, and from nothing else."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from rewardbot.data.replay import concatenate
from rewardbot.robots.robot import RobotContract
from rewardbot.training.learner_config import LearnerConfig
from rewardbot.training.oracle import OracleLearner
from rewardbot.types import Episode

Make = Callable[..., Episode]


def ignore(stage: str, share: float) -> None:
    """No progress shown."""


def test_the_oracle_rewards_true_success_in_both_halves(config: LearnerConfig, contract: RobotContract, make_episode: Make) -> None:
    learner = OracleLearner(config, contract, "reach")
    demonstrations = [make_episode(n, steps=4 + n) for n in range(3)]
    learner.pretrain(demonstrations, ignore, baseline=False)
    draw = np.random.default_rng(0)
    demonstrated = [draw.random(len(episode) + 1) > 0.5 for episode in demonstrations]
    learner.score_demonstrations(demonstrated)
    visited = []
    for number in range(4):
        episode = make_episode(50 + number, steps=3, source="policy")
        visited.append(draw.random(4) > 0.5)
        learner.add_scored(episode, visited[-1])
    # The reward of a transition is the truth of the observation that it led to, whichever replay it is from.
    one, other = learner.demonstrations.sample(64), learner.visited.sample(64)
    truth, seen = np.concatenate(demonstrated), np.concatenate(visited)
    reward = learner.reward(concatenate([one, other]))
    expected = [*truth[one.rows.numpy() + 1], *seen[other.rows.numpy() + 1]]
    assert reward.tolist() == [float(value) for value in expected]
    assert 0.0 < float(reward.mean()) < 1.0
    assert learner.update()["waiting"] == 0.0 and learner.env_steps == 12


def test_the_oracle_forgets_the_truth_of_overwritten_episodes(
    config: LearnerConfig, contract: RobotContract, make_episode: Make
) -> None:
    learner = OracleLearner(config, contract, "reach")
    learner.pretrain([make_episode(n) for n in range(2)], ignore, baseline=False)
    for number in range(5):  # of 400 observations each, in a replay of 1000
        learner.add_scored(make_episode(number, steps=399, source="policy"), np.full(400, number == 0))
    batch = concatenate([learner.demonstrations.sample(32), learner.visited.sample(32)])
    assert float(learner.reward(batch).max()) == 0.0


def test_the_oracle_refuses_truth_of_other_demonstrations(config: LearnerConfig, contract: RobotContract, make_episode: Make) -> None:
    learner = OracleLearner(config, contract, "reach")
    learner.pretrain([make_episode(n) for n in range(2)], ignore, baseline=False)
    with pytest.raises(ValueError):
        learner.score_demonstrations([np.zeros(7, np.bool_)])
