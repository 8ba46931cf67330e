"""The goal classifier: calibrated where the policy succeeds, fed with visited states as documented, the same when deployed."""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from rewardbot.data.replay import Batch, Replay
from rewardbot.errors import DataError
from rewardbot.nets.encoders import Encoder, to_tensors
from rewardbot.nets.weights import to_bytes
from rewardbot.rewards.discriminator import DiscriminatorConfig
from rewardbot.rewards.goal_classifier import DeployedClassifier, GoalClassifier
from rewardbot.rewards.vice import MINIMUM, ONLINE_SHARE, visited_negatives
from rewardbot.types import Episode, EpisodeInfo

CONFIG = DiscriminatorConfig(hidden=16, batch=32, learning_rate=5e-3)
FEATURES = 4


def cloud(n: int, centre: float) -> Tensor:
    return centre + 0.3 * torch.randn(n, FEATURES)


def classifier(negatives: Any, **changes: Any) -> GoalClassifier:
    torch.manual_seed(0)
    return GoalClassifier(dataclasses.replace(CONFIG, **changes), cloud(60, 1.0), cloud(30, 1.0), negatives)


def transitions(features: Tensor) -> Batch:
    n = len(features)
    proprio = torch.zeros(n, 4)
    return Batch(torch.zeros(n, FEATURES), features, proprio, proprio, torch.zeros(n, 2), torch.ones(n), torch.arange(n))


def test_goals_are_told_from_the_rest_and_the_reward_is_that_of_the_next_state() -> None:
    found = classifier(lambda n: cloud(n, -1.0))
    loss = found.fit(200)
    assert 0.0 < loss < 0.7 and found.version == 1
    goals, others = cloud(100, 1.0), cloud(100, -1.0)
    assert found.reward(transitions(goals)).mean() > 0.95 and found.reward(transitions(others)).mean() < 0.2
    reward = found.reward(transitions(goals))
    assert not reward.requires_grad
    assert torch.equal(reward.clamp(max=1.0), found.probability(goals)), "beyond the held-out examples' mean the reward goes on"
    assert reward.min() >= 0.0 and 1.0 < reward.max() <= 1.0 / found.level


@pytest.mark.parametrize("leak", [0.0, 0.5, 1.0])
def test_calibration_keeps_the_reward_at_one_however_much_leaks(leak: float) -> None:
    """D falls to a half when all that the policy visits is success; the reward does not."""
    found = classifier(lambda n: torch.cat([cloud(round(leak * n), 1.0), cloud(n - round(leak * n), -1.0)]))
    found.fit(300)
    goals = cloud(200, 1.0)
    with torch.no_grad():
        raw = torch.sigmoid(found.discriminator(goals)).mean()
    assert float(found.probability(goals).mean()) > 0.9
    assert float(found.reward(transitions(goals)).mean()) == pytest.approx(1.0, abs=0.05)
    if leak == 1.0:
        assert float(raw) == pytest.approx(0.5, abs=0.05) and float(found.level) == pytest.approx(0.5, abs=0.05)
    else:
        assert float(raw) > 0.6 and float(found.probability(cloud(200, -1.0)).mean()) < 0.5


def test_the_level_is_what_held_out_examples_get_and_never_near_zero() -> None:
    found = classifier(lambda n: cloud(n, -1.0))
    assert float(found.level) == 1.0 and found.version == 0
    found.fit(20)
    with torch.no_grad():
        expected = torch.sigmoid(found.discriminator(found.state()["heldout"])).mean()
    assert torch.equal(found.level, expected)
    upside_down = classifier(lambda n: cloud(n, -1.0))
    upside_down._heldout = cloud(30, -1.0)  # examples that training contradicts
    upside_down.fit(300)
    with torch.no_grad():
        raw = torch.sigmoid(upside_down.discriminator(upside_down.state()["heldout"])).mean()
    assert float(raw) < 0.1 and float(upside_down.level) == pytest.approx(max(0.05, float(raw)))


def test_held_out_examples_are_not_trained_on() -> None:
    one, other = classifier(lambda n: cloud(n, -1.0)), classifier(lambda n: cloud(n, -1.0))
    other._heldout = cloud(30, 5.0)
    for found in (one, other):
        torch.manual_seed(1)
        found.fit(5)
    for name, value in one.discriminator.state_dict().items():
        assert torch.equal(value, other.discriminator.state_dict()[name])
    assert one.level != other.level


def test_it_judges_without_dropout_before_and_after_a_fit() -> None:
    found = classifier(lambda n: cloud(n, -1.0), dropout=0.5)
    goals = cloud(50, 1.0)
    for _ in range(2):
        assert torch.equal(found.probability(goals), found.probability(goals))
        found.fit(1)


@pytest.mark.parametrize(("positives", "heldout"), [(0, 3), (3, 0)])
def test_without_examples_there_is_no_goal(positives: int, heldout: int) -> None:
    with pytest.raises(DataError, match=r"no success example(.|\n)*two successful demonstrations"):
        GoalClassifier(CONFIG, cloud(positives, 1.0), cloud(heldout, 1.0), lambda n: cloud(n, -1.0))


# Negatives from what the policy visits.


def visited(steps: int) -> Replay:
    """A replay of one episode whose features are 1 at the start and 2 from then on."""
    replay = Replay(1000, features=FEATURES, proprio=4, actions=2)
    if steps:
        info = EpisodeInfo("e", "reach", "small", "policy")
        episode = Episode(info, np.zeros(steps + 1), {}, np.zeros((steps + 1, 4), np.float32), np.zeros((steps, 2), np.float32),
                          np.zeros((steps, 2), np.float32))
        features = torch.full((steps + 1, FEATURES), 2.0)
        features[0] = 1.0
        replay.add(episode, features)
    return replay


def offline(n: int) -> Tensor:
    return torch.zeros(n, FEATURES)


@given(st.integers(1, 300))
@settings(max_examples=30, deadline=None)
def test_three_quarters_of_the_negatives_are_visited_states(n: int) -> None:
    drawn = visited_negatives(visited(MINIMUM), offline)(n)
    assert drawn.shape == (n, FEATURES)
    assert int((drawn[:, 0] == 2.0).sum()) == round(ONLINE_SHARE * n), "states that an action led to, never the start"
    assert int((drawn[:, 0] == 0.0).sum()) == n - round(ONLINE_SHARE * n)


@pytest.mark.parametrize("steps", [0, 1, MINIMUM - 1])
def test_few_visited_states_are_not_used(steps: int) -> None:
    assert (visited_negatives(visited(steps), offline)(64) == 0.0).all()


def test_the_sampler_sees_the_replay_grow() -> None:
    replay = visited(0)
    sample = visited_negatives(replay, offline)
    assert (sample(64) == 0.0).all()
    info = EpisodeInfo("e", "reach", "small", "policy")
    replay.add(Episode(info, np.zeros(MINIMUM + 1), {}, np.zeros((MINIMUM + 1, 4), np.float32), np.zeros((MINIMUM, 2), np.float32),
                       np.zeros((MINIMUM, 2), np.float32)), torch.full((MINIMUM + 1, FEATURES), 2.0))
    assert int((sample(64)[:, 0] == 2.0).sum()) == 48


# Deployed.


CAMERAS = {"front": (8, 10), "wrist": (8, 8)}


@pytest.fixture(scope="module")
def deployable() -> tuple[Encoder, GoalClassifier, bytes]:
    torch.manual_seed(0)
    encoder = Encoder(CAMERAS).eval()
    examples = torch.randn(40, encoder.features)
    found = GoalClassifier(CONFIG, examples[:20] + 1, examples[20:] + 1, lambda n: torch.randn(n, encoder.features) - 1)
    found.fit(30)
    return encoder, found, found.to_bytes(encoder, {"task": "reach", "cameras": CAMERAS})


def test_the_deployed_classifier_is_the_learners(deployable: tuple[Encoder, GoalClassifier, bytes]) -> None:
    encoder, found, data = deployable
    deployed = DeployedClassifier(data)
    assert (deployed.version, deployed.threshold, deployed.description["task"]) == (1, 0.5, "reach")
    draw = np.random.default_rng(0)
    for _ in range(5):
        images = {name: draw.integers(0, 256, (*size, 3), dtype=np.uint8) for name, size in CAMERAS.items()}
        with torch.no_grad():
            expected = float(found.probability(encoder(to_tensors(images)))[0])
        assert deployed.probability(images) == pytest.approx(expected, rel=1e-6)
        assert 0.0 <= expected <= 1.0


@pytest.mark.parametrize(("change", "said"), [
    ({"wrist": np.zeros((16, 12, 3), np.uint8)}, "Camera 'wrist' is 12x16"), ({}, "Camera 'wrist' is missing")])
def test_images_of_another_size_are_refused(
    change: dict[str, Any], said: str, deployable: tuple[Encoder, GoalClassifier, bytes]
) -> None:
    deployed = DeployedClassifier(deployable[2])
    with pytest.raises(DataError, match=said + r"(.|\n)*trained at 8x8"):
        deployed.probability({"front": np.zeros((8, 10, 3), np.uint8), **change})


def test_other_bytes_are_refused(deployable: tuple[Encoder, GoalClassifier, bytes]) -> None:
    _, _, data = deployable
    with pytest.raises(DataError, match="not the weights of a rewardbot classifier"):
        DeployedClassifier(data[:-1])
    with pytest.raises(DataError, match="of a policy, not of a classifier"):
        DeployedClassifier(to_bytes({}, kind="policy", description={}))
    with pytest.raises(DataError, match="description of these classifier weights is damaged"):
        DeployedClassifier(to_bytes({}, kind="classifier", description={"version": 1}))
