"""A deployed policy does what the learner's does, and refuses what it cannot see."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
import torch

from rewardbot.errors import ConfigError, DataError
from rewardbot.nets.encoders import Encoder, to_tensors
from rewardbot.nets.heads import SquashedGaussianPolicy
from rewardbot.nets.weights import to_bytes
from rewardbot.policies.base import DeployedPolicy, policy_to_bytes
from rewardbot.types import Observation

CAMERAS = {"front": (8, 10), "wrist": (8, 8)}
NOTE = {"version": 12, "task": "push", "cameras": CAMERAS, "robot": "sim_arm"}


@pytest.fixture(scope="module")
def parts() -> tuple[dict[str, Encoder], dict[str, tuple[str, SquashedGaussianPolicy]]]:
    """Two encoders and three actors, one of which looks through the second encoder and is of other sizes."""
    torch.manual_seed(0)
    encoders = {name: Encoder(CAMERAS) for name in ("encoder", "plain")}
    actors = {}
    for name, encoder in (("rl", "encoder"), ("explore", "encoder"), ("bc", "plain")):
        sizes = {"latent": 5, "hidden": 8} if encoder == "encoder" else {"latent": 3, "hidden": 6}
        policy = SquashedGaussianPolicy(encoders[encoder].features, 4, 4, **sizes, dropout=0.5).eval()
        policy.proprio_mean.normal_()  # type: ignore[operator]
        actors[name] = (encoder, policy)
    return encoders, actors


@pytest.fixture(scope="module")
def data(parts: tuple[dict[str, Encoder], dict[str, tuple[str, SquashedGaussianPolicy]]]) -> bytes:
    return policy_to_bytes(*parts, NOTE)


@pytest.fixture
def policy(data: bytes) -> DeployedPolicy:
    return DeployedPolicy(data)


def observation(seed: int = 0) -> Observation:
    draw = np.random.default_rng(seed)
    return Observation(
        stamp=1.0,
        images={name: draw.integers(0, 256, (h, w, 3), dtype=np.uint8) for name, (h, w) in CAMERAS.items()},
        joint_positions=draw.normal(size=7), joint_velocities=draw.normal(size=7), tool_pose=draw.normal(size=7), gripper=0.5)


@pytest.mark.parametrize("actor", ["rl", "bc", "explore"])
def test_the_action_is_the_learners(actor: str, policy: DeployedPolicy, parts: tuple) -> None:
    encoders, actors = parts
    encoder, original = actors[actor]
    for seed in range(3):
        seen = observation(seed)
        action = policy.act(seen, actor=actor)
        with torch.no_grad():
            expected = original.mode(encoders[encoder](to_tensors(seen.images)), torch.from_numpy(seen.proprio)[None])[0]
        assert action.dtype == np.float32 and action.shape == (4,) and np.abs(action).max() <= 1.0
        np.testing.assert_array_equal(action, expected.numpy())
        np.testing.assert_array_equal(action, policy.act(seen, actor=actor))


def test_what_it_says_about_itself(policy: DeployedPolicy) -> None:
    assert (policy.version, policy.task, policy.cameras) == (12, "push", CAMERAS)
    assert policy.robot == "sim_arm"


def test_actors_are_told_apart(policy: DeployedPolicy) -> None:
    actions = [policy.act(observation(), actor=actor) for actor in ("rl", "explore", "bc")]
    assert not np.array_equal(actions[0], actions[1]) and not np.array_equal(actions[1], actions[2])


def test_exploration_is_seeded_by_the_episode(policy: DeployedPolicy, data: bytes) -> None:
    def episode(policy: DeployedPolicy, seed: int) -> list[list[float]]:
        policy.begin_episode(seed)
        return [policy.act(observation(), explore=True).tolist() for _ in range(3)]

    first = episode(policy, 5)
    assert first == episode(policy, 5) == episode(DeployedPolicy(data), 5)
    assert first[0] != first[1], "each step anew"
    assert first != episode(policy, 6)
    policy.begin_episode(5)
    torch.manual_seed(1)
    policy.act(observation())  # the most likely action draws nothing
    assert policy.act(observation(), explore=True).tolist() == first[0]


def test_exploration_spreads_as_its_actor_says(policy: DeployedPolicy, parts: tuple) -> None:
    encoders, actors = parts
    seen = observation()
    with torch.no_grad():
        mean, log_std = actors["explore"][1](encoders["encoder"](to_tensors(seen.images)), torch.from_numpy(seen.proprio)[None])
    policy.begin_episode(0)
    before = np.arctanh([policy.act(seen, actor="rl", explore=True) for _ in range(500)])
    np.testing.assert_allclose(before.mean(0), mean[0], atol=0.06)
    np.testing.assert_allclose(before.std(0), log_std[0].exp(), rtol=0.15)


def test_in_some_episodes_the_deployed_policy_explores_as_it_is(parts: tuple) -> None:
    policy = DeployedPolicy(policy_to_bytes(*parts, {**NOTE, "deployed_share": 0.25}))
    seen = observation()
    deployed = policy.act(seen, actor="rl").tolist()

    def is_deployed(seed: int) -> bool:
        policy.begin_episode(seed)
        return [policy.act(seen, explore=True).tolist() for _ in range(3)] == [deployed] * 3

    drawn = [is_deployed(seed) for seed in range(200)]
    assert 30 <= sum(drawn) <= 70, "a quarter of 200, give or take three standard deviations"
    assert drawn[:20] == [is_deployed(seed) for seed in range(20)], "drawn by the episode's seed"


def test_an_unknown_actor(policy: DeployedPolicy) -> None:
    with pytest.raises(ConfigError, match=r"no actor named 'explor'(.|\n)*bc, explore, rl(.|\n)*Did you mean 'explore'"):
        policy.act(observation(), actor="explor")


def test_without_an_exploring_actor_there_is_no_exploration(parts: tuple) -> None:
    encoders, actors = parts
    policy = DeployedPolicy(policy_to_bytes(encoders, {"rl": actors["rl"]}, NOTE))
    with pytest.raises(ConfigError, match="no actor named 'explore'"):
        policy.act(observation(), explore=True)


def test_a_missing_camera_and_more_cameras_than_needed(policy: DeployedPolicy) -> None:
    seen = observation()
    with pytest.raises(DataError, match=r"Camera 'wrist' is missing(.|\n)*8x8"):
        policy.act(dataclasses.replace(seen, images={"front": seen.images["front"]}))
    more = dataclasses.replace(seen, images={"top": np.zeros((2, 2, 3), np.uint8), **seen.images})
    np.testing.assert_array_equal(policy.act(more), policy.act(seen))


@pytest.mark.parametrize("shape", [(16, 20, 3), (10, 8, 3), (8, 10, 4), (8, 10)])
def test_another_image_size(policy: DeployedPolicy, shape: tuple[int, ...]) -> None:
    seen = observation()
    images = {**seen.images, "front": np.zeros(shape, np.uint8)}
    with pytest.raises(DataError, match=rf"Camera 'front' is {shape[1]}x{shape[0]}(.|\n)*trained at 10x8(.|\n)*robot's file"):
        policy.act(dataclasses.replace(seen, images=images))


def test_other_bytes(data: bytes) -> None:
    for wrong in (b"", data[:-1], data[: len(data) // 2]):
        with pytest.raises(DataError, match="not the weights of a rewardbot policy"):
            DeployedPolicy(wrong)
    with pytest.raises(DataError, match="of a classifier, not of a policy"):
        DeployedPolicy(to_bytes({}, kind="classifier", description=NOTE))


def test_a_description_that_does_not_fit(parts: tuple) -> None:
    with pytest.raises(DataError, match=r"does not fit this network \('encoder.encoder'\)"):
        DeployedPolicy(policy_to_bytes(*parts, {**NOTE, "cameras": {"top": [8, 8]}}))
    encoders, actors = parts
    fewer = policy_to_bytes({"encoder": encoders["encoder"]}, {"rl": actors["rl"]}, {**NOTE, "cameras": {"front": [8, 10]}})
    with pytest.raises(DataError, match="does not fit this network"):
        DeployedPolicy(fewer)
    for note in ({**NOTE, "cameras": {"front": [8]}}, {"version": 1}):
        with pytest.raises(DataError, match=r"description of these policy weights is damaged(.|\n)*another copy"):
            DeployedPolicy(policy_to_bytes(*parts, note))
