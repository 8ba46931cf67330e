"""Evaluation: fresh episodes, the policy's most likely actions, scored by the simulator's true state and by nothing else."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from rewardbot.policies.base import DeployedPolicy
from rewardbot.rewards.goal_classifier import DeployedClassifier
from rewardbot.robots.mujoco import MujocoRobot
from rewardbot.robots.start_states import start_seed
from rewardbot.training.summary import ClassifierErrors, wilson

ImageCheck = Callable[[dict[str, NDArray[np.uint8]], bool], None]
"""Called with an episode's last images and whether it truly succeeded."""


@dataclass(frozen=True)
class Evaluation:
    """True successes of one policy, with the Wilson 95% interval of the rate."""

    successes: int
    episodes: int
    rate: float
    low: float
    high: float

    @staticmethod
    def of(successes: int, episodes: int) -> Evaluation:
        """From counts."""
        return Evaluation(successes, episodes, successes / episodes if episodes else 0.0, *wilson(successes, episodes))


class ClassifierCounts:
    """Compares a goal classifier's verdict on episodes' last images with the truth. An `ImageCheck`.

    Args:
        classifier: the classifier.
    """

    def __init__(self, classifier: DeployedClassifier) -> None:
        self._classifier = classifier
        self.verdicts: list[tuple[bool, bool]] = []
        """(the classifier's, the true) of each episode."""

    def __call__(self, images: dict[str, NDArray[np.uint8]], success: bool) -> None:
        """Judges one episode's last images."""
        self.verdicts.append((self._classifier.probability(images) > self._classifier.threshold, success))

    @property
    def judged(self) -> float:
        """Share of episodes that the classifier calls a success."""
        return sum(verdict for verdict, _ in self.verdicts) / max(1, len(self.verdicts))

    def rates(self) -> ClassifierErrors:
        """False positives among true failures and false negatives among true successes."""
        return error_rates(self.verdicts)


def error_rates(verdicts: Sequence[tuple[bool, bool]]) -> ClassifierErrors:
    """The rates for (a classifier's verdict, true success) of each episode; None where there was nothing to judge."""
    failures = [verdict for verdict, success in verdicts if not success]
    successes = [verdict for verdict, success in verdicts if success]
    return ClassifierErrors(
        false_positive_rate=sum(failures) / len(failures) if failures else None,
        false_negative_rate=1.0 - sum(successes) / len(successes) if successes else None,
    )


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
        observation = robot.reset(start_seed(stream, episode))
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
