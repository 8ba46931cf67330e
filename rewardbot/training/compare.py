"""The lesson: the same learner and demonstrations, only the reward differs. Judged by the classifier and by the truth."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from rewardbot.policies.base import DeployedPolicy
from rewardbot.rewards.goal_classifier import DeployedClassifier
from rewardbot.robots.mujoco import MujocoRobot
from rewardbot.robots.start_states import demonstration_stream, evaluation_stream, learning_stream
from rewardbot.training.collect import demonstrate
from rewardbot.training.evaluate import ClassifierCounts, evaluate
from rewardbot.training.learner import Learner
from rewardbot.training.learner_config import LearnerConfig
from rewardbot.training.loop import UPDATES_PER_STEP, learn
from rewardbot.training.oracle import OracleLearner
from rewardbot.types import Episode

ARMS = ("frozen", "frozen_offline", "oracle")
FIRST_FRAMES = 0.2
"""Share of each demonstration, from its start, that the naive frozen classifier has for negatives: the first five frames."""

FAILURE_NOISE = 0.5
"""Tremor of the hand that records failures, the good offline negatives."""


@dataclass(frozen=True)
class ArmResult:
    """Success rates of one arm's final policy, and the environment steps it had."""

    judged: float
    true: float
    env_steps: int


def arm_config(arm: str, config: LearnerConfig) -> LearnerConfig:
    """The learner's configuration for one arm; only the classifier's negatives differ."""
    if arm == "frozen":
        return replace(config, classifier=replace(config.classifier, negatives="offline", early=FIRST_FRAMES))
    if arm == "frozen_offline":
        return replace(config, classifier=replace(config.classifier, negatives="offline"))
    return config


def run_arm(
    arm: str, trained: Learner, robot: MujocoRobot, demonstrations: Sequence[Episode], *, steps: int, episodes: int,
    updates_per_step: float = UPDATES_PER_STEP, progress: Callable[[float, str], None] = lambda share, detail: None,
) -> ArmResult:
    """Learns with one arm's reward for `steps` environment steps and evaluates.

    Args:
        arm: one of `ARMS`, or `online` for the learner as it is.
        trained: a learner that has been pretrained on `demonstrations`; its encoder and cloned policy are used again.
        robot: the simulator.
        demonstrations: successful demonstrations with their start seeds.
        steps: environment steps of learning.
        episodes: evaluation episodes.
        updates_per_step: updates for each step.
        progress: told share and stage.
    """
    kind = OracleLearner if arm == "oracle" else Learner
    learner = kind(arm_config(arm, trained.config), trained.contract, trained.task, trained.seed)
    failures: list[Episode] = []
    if arm == "frozen_offline":
        failures = demonstrate(robot, len(demonstrations), noise=FAILURE_NOISE, stream=demonstration_stream(trained.seed),
                               seed=trained.seed + 1, success=False)
    learner.pretrain(demonstrations, lambda stage, share: None, failures=failures, baseline=False, cloning=trained.cloning)
    if isinstance(learner, OracleLearner):
        learner.score_demonstrations([_replayed_truth(robot, episode) for episode in demonstrations])
    learn(learner, robot, stream=learning_stream(trained.seed), steps=steps, updates_per_step=updates_per_step,
          report=lambda metrics, done: progress(done / steps, f"{arm}: {done} steps"))
    counts = ClassifierCounts(DeployedClassifier(learner.classifier_weights()))
    result = evaluate(robot, DeployedPolicy(learner.policy_weights()), actor="rl", episodes=episodes,
                      stream=evaluation_stream(trained.seed),
                      check=counts, progress=lambda share: progress(share, f"{arm}: evaluation"))
    return ArmResult(counts.judged, result.rate, learner.env_steps)


def compare(
    trained: Learner, robot: MujocoRobot, demonstrations: Sequence[Episode], *, episodes: int,
    progress: Callable[[float, str], None] = lambda share, detail: None,
) -> dict[str, ArmResult]:
    """All `ARMS`, each with as many environment steps as `trained` had and as many updates for each, which over a graph depend on
    the machine.
    """
    ratio = trained.agent.updates / max(1, trained.env_steps)
    return {arm: run_arm(arm, trained, robot, demonstrations, steps=trained.env_steps, updates_per_step=ratio,
                         episodes=episodes, progress=progress)
            for arm in ARMS}


def _replayed_truth(robot: MujocoRobot, episode: Episode) -> NDArray[np.bool_]:
    """True success at each observation of a demonstration, by playing its actions from its start state again."""
    robot.reset(episode.info.seed)
    truth = [robot.true_success()]
    for action in episode.actions:
        robot.send(action)
        truth.append(robot.true_success())
    return np.array(truth)
