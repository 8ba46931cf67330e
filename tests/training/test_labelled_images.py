"""Labelled pictures in learning: beside demonstrations and without them, and from a run folder."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch

from rewardbot.data.episodes import DEMONSTRATIONS, PLAY, write_episode
from rewardbot.data.pool import evened
from rewardbot.data.success_images import NOT, SUCCESS_IMAGES, write_success_images
from rewardbot.errors import DataError
from rewardbot.nets.autoencoder import AutoencoderConfig
from rewardbot.robots.robot import RobotContract
from rewardbot.training.learner import Learner
from rewardbot.training.learner_config import LearnerConfig
from rewardbot.training.pretraining import pretrain
from rewardbot.types import Episode

Make = Callable[..., Episode]
BRIEF = AutoencoderConfig(steps=3, batch=8)
Images = dict[str, np.ndarray]


def ignore(stage: str, share: float) -> None:
    """No progress shown."""


def pictures(contract: RobotContract, count: int, seed: int) -> Images:
    draw = np.random.default_rng(seed)
    return {name: draw.integers(0, 256, (count, camera.height, camera.width, 3), dtype=np.uint8)
            for name, camera in contract.cameras.items()}


def test_beside_demonstrations_they_are_further_examples_of_either_kind(
    config: LearnerConfig, contract: RobotContract, make_episode: Make
) -> None:
    learner = Learner(config, contract, "reach")
    demonstrations = [make_episode(n) for n in range(5)]
    shown, others = pictures(contract, 3, 1), pictures(contract, 4, 2)
    learner.pretrain(demonstrations, ignore, baseline=False, shown=shown, others=others)
    features = [learner.embed(episode) for episode in demonstrations]
    kept = learner.classifier.state()
    assert torch.equal(kept["heldout"], features[0][-2:]), "calibrated as without them"
    assert torch.equal(kept["positives"], torch.cat([*(f[-2:] for f in features[1:]), learner.embed_images(shown)]))
    early = torch.cat([f[:4] for f in features])
    assert torch.equal(learner.offline.fixed, torch.cat([early, learner.embed_images(others).repeat(20 // 4, 1)]))


def test_without_demonstrations_those_without_the_goal_are_half_of_the_first_negatives(
    config: LearnerConfig, contract: RobotContract, make_episode: Make
) -> None:
    learner = Learner(dataclasses.replace(config, prior="play", autoencoder=BRIEF), contract, "reach")
    play = [make_episode(n, steps=30, source="play") for n in range(4)]
    others = pictures(contract, 7, 2)
    learner.pretrain_from_images(pictures(contract, 12, 1), play, ignore, others=others)
    states = sum(len(episode) + 1 for episode in play)
    expected = learner.embed_images(others).repeat(states // 7, 1)
    assert torch.equal(learner.offline.fixed[states:], expected) and len(expected) > 0.9 * states


def test_few_are_drawn_as_often_as_many() -> None:
    many, few = torch.zeros(10, 2), torch.ones(3, 2)
    assert evened(many, few)[10:].shape == (9, 2) and evened(few, many).shape == (13, 2)
    assert evened(many, few[:0]) is many


@pytest.mark.parametrize("prior", ["demonstrations", "play"])
def test_a_run_folder_with_both_kinds(
    prior: str, config: LearnerConfig, contract: RobotContract, make_episode: Make, tmp_path: Path
) -> None:
    config = dataclasses.replace(config, prior=prior, autoencoder=BRIEF)
    for number in range(5):
        source, place = ("demonstration", DEMONSTRATIONS) if prior == "demonstrations" else ("play", PLAY)
        write_episode(tmp_path / place, make_episode(number, steps=25, source=source), contract)
    shown, others = pictures(contract, 12, 1), pictures(contract, 4, 2)
    write_success_images(tmp_path / SUCCESS_IMAGES, shown)
    write_success_images(tmp_path / SUCCESS_IMAGES / NOT, others)
    learner = Learner(config, contract, "reach")
    pretrain(learner, tmp_path, ignore)
    last = learner.embed_images(others)[-1]
    assert torch.equal(learner.offline.fixed[-1], last)
    state = learner.classifier.state()
    examples = torch.cat([state["positives"], state["heldout"]])
    known = {tuple(row) for row in examples.tolist()}
    assert {tuple(row) for row in learner.embed_images(shown).tolist()} <= known
    assert tuple(last.tolist()) not in known


def test_success_images_are_needed_without_demonstrations_only(
    config: LearnerConfig, contract: RobotContract, make_episode: Make, tmp_path: Path
) -> None:
    for number in range(5):
        write_episode(tmp_path / DEMONSTRATIONS, make_episode(number), contract)
    pretrain(Learner(config, contract, "reach"), tmp_path, ignore)
    with pytest.raises(DataError, match="no success images"):
        pretrain(Learner(dataclasses.replace(config, prior="play", autoencoder=BRIEF), contract, "reach"), tmp_path, ignore)
