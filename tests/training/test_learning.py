"""The loop learns from pixels, and from the success labels: with shuffled labels it must not."""

from __future__ import annotations

import pytest
import torch

from rewardbot.policies.base import DeployedPolicy
from rewardbot.policies.bc import BCConfig
from rewardbot.policies.rlpd import RLPDConfig
from rewardbot.robots.mujoco import MujocoRobot
from rewardbot.robots.start_states import STREAMS
from rewardbot.training.collect import demonstrate
from rewardbot.training.evaluate import evaluate
from rewardbot.training.learner import Learner
from rewardbot.training.learner_config import ClassifierConfig, LearnerConfig
from rewardbot.training.loop import learn

SEED = 0
STEPS = 5000
# Nothing but the learned reward may teach the policy: it starts untrained, and behaviour cloning does not pull at it.
CONFIG = LearnerConfig(
    bc=BCConfig(steps=250),
    classifier=ClassifierConfig(early=0.25),
    rlpd=RLPDConfig(from_bc=False, bc_weight=0.0, bc_final=0.0, discount=0.9),
)


def success(robot: MujocoRobot, learner: Learner) -> float:
    policy = DeployedPolicy(learner.policy_weights())
    return evaluate(robot, policy, actor="rl", episodes=50, stream=STREAMS * SEED + 2).rate


@pytest.mark.slow
def test_reach_is_learned_from_pixels_and_only_from_true_success_labels(monkeypatch: pytest.MonkeyPatch) -> None:
    robot = MujocoRobot("reach")
    demonstrations = demonstrate(robot, 30, noise=0.1, stream=STREAMS * SEED, seed=SEED)
    learner = Learner(CONFIG, robot.contract, "reach", SEED)
    learner.pretrain(demonstrations, lambda stage, share: None, baseline=False)
    assert success(robot, learner) < 0.3, "an untrained policy already succeeds: the test could not fail"

    learn(learner, robot, stream=STREAMS * SEED + 1, steps=STEPS)
    assert success(robot, learner) >= 0.9

    control = Learner(CONFIG, robot.contract, "reach", SEED)
    control.pretrain(demonstrations, lambda stage, share: None, baseline=False, cloning=learner.cloning)
    labelled = control.classifier.state()
    control.classifier = control.make_classifier(labelled["positives"], labelled["heldout"], control.offline.fixed)
    discriminator = control.classifier.discriminator
    true_loss = discriminator.bce_loss

    def shuffled_loss(positives: torch.Tensor, negatives: torch.Tensor) -> torch.Tensor:
        examples = torch.cat([positives, negatives])
        examples = examples[torch.randperm(len(examples))]
        return true_loss(examples[: len(positives)], examples[len(positives) :])

    # Every batch's labels. Shuffling the success examples alone would leave a reward for looking like a demonstration.
    monkeypatch.setattr(discriminator, "bce_loss", shuffled_loss)
    control.classifier.fit(CONFIG.classifier.first_steps)
    learn(control, robot, stream=STREAMS * SEED + 1, steps=STEPS)
    assert success(robot, control) < 0.5
    robot.close()
