"""Evaluation: fresh episodes, the policy's most likely actions, scored by the simulator's true state and by nothing else."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from rewardbot.policies.base import DeployedPolicy
from rewardbot.rewards.goal_classifier import DeployedClassifier
from rewardbot.robots.mujoco import MujocoRobot
from rewardbot.robots.start_states import start_seed
from rewardbot.training.rates import Evaluation, Verdict, classifier_errors
from rewardbot.training.summary import ClassifierErrors

ImageCheck = Callable[[dict[str, NDArray[np.uint8]], bool], None]
"""Called with an episode's last images and whether it truly succeeded."""


class ClassifierCounts:
    """Compares a goal classifier's verdict on episodes' last images with the truth. An `ImageCheck`.

    Args:
        classifier: the classifier.
    """

    def __init__(self, classifier: DeployedClassifier) -> None:
        self._classifier = classifier
        self.verdicts: list[Verdict] = []

    def __call__(self, images: dict[str, NDArray[np.uint8]], success: bool) -> None:
        """Judges one episode's last images."""
        probability = self._classifier.probability(images)
        self.verdicts.append(Verdict(probability > self._classifier.threshold, success, probability))

    @property
    def judged(self) -> float:
        """Share of episodes that the classifier calls a success."""
        return sum(verdict.judged for verdict in self.verdicts) / max(1, len(self.verdicts))

    def rates(self) -> ClassifierErrors:
        """False positives among true failures, false negatives among true successes, and calibration."""
        return classifier_errors(self.verdicts)


def evaluate(
    robot: MujocoRobot, policy: DeployedPolicy, *, actor: str, episodes: int, stream: int,
    progress: Callable[[float], None] = lambda share: None, check: ImageCheck | None = None, most_failures: int | None = None,
) -> Evaluation:
    """Runs `episodes` episodes; an episode counts if the goal holds at its last step. Nothing is trained.

    Args:
        robot: the simulator.
        policy: the weights.
        actor: which of its actors.
        stream: stream of start states, disjoint from those of demonstrations and learning.
        progress: told the share that is done.
        check: see `ImageCheck`.
        most_failures: ends with one more, for then it is known that the policy is not good enough.
    """
    successes = 0
    for episode in range(episodes):
        start = start_seed(stream, episode)
        policy.begin_episode(start)
        observation = robot.reset(start)
        for _ in range(robot.task.horizon):
            robot.send(policy.act(observation, actor=actor))
            observation = robot.read()
        success = robot.true_success()
        successes += success
        if check is not None:
            check(dict(observation.images), success)
        progress((episode + 1) / episodes)
        if most_failures is not None and episode + 1 - successes > most_failures:
            return Evaluation.of(successes, episode + 1)
    return Evaluation.of(successes, episodes)
