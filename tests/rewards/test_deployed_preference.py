"""A reward and its encoder through bytes."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch

from rewardbot.errors import DataError
from rewardbot.nets.encoders import Encoder, to_tensors
from rewardbot.rewards.comparisons import Clips
from rewardbot.rewards.deployed_preference import DeployedPreference, reward_to_bytes
from rewardbot.rewards.preference import PreferenceConfig, PreferenceReward
from rewardbot.types import Episode, EpisodeInfo

CAMERAS = {"front": (8, 10)}
NOTE = {"cameras": CAMERAS, "answers": 7}


def made(seed: int = 0) -> tuple[PreferenceReward, Encoder]:
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        encoder = Encoder(CAMERAS, channels=4).eval()
    reward = PreferenceReward(PreferenceConfig(members=2, hidden=4), encoder.features + 8, seed=seed)
    reward.version = 31
    return reward, encoder


def test_the_same_numbers_come_out() -> None:
    reward, encoder = made()
    found = DeployedPreference(reward_to_bytes(reward, encoder, NOTE))
    assert (found.version, found.answers, found.reward.version) == (31, 7, 31)
    steps = torch.randn(3, 5, reward.size)
    clips = Clips(steps, torch.ones(3, 5, dtype=torch.bool))
    assert torch.equal(found.reward.returns(clips), reward.returns(clips))
    images = {"front": np.random.default_rng(0).integers(0, 256, (4, 8, 10, 3), dtype=np.uint8)}
    episode = Episode(EpisodeInfo("e", "reach", "r", "play"), np.arange(4.0), images, np.zeros((4, 4), np.float32),
                      np.zeros((3, 4), np.float32), np.zeros((3, 4), np.float32))
    with torch.no_grad():
        assert torch.equal(found.embed(episode), encoder(to_tensors(images)))
    with pytest.raises(DataError, match="no camera 'front' of 10x8"):
        found.embed(replace(episode, images={"front": images["front"][:, :, :8]}))


def test_an_eye_is_told_by_its_encoder_alone() -> None:
    reward, encoder = made()
    eye = DeployedPreference(reward_to_bytes(reward, encoder, NOTE)).eye
    assert DeployedPreference(reward_to_bytes(made(1)[0], encoder, NOTE)).eye == eye
    assert DeployedPreference(reward_to_bytes(reward, made(1)[1], NOTE)).eye != eye


@pytest.mark.parametrize("change", [lambda data: b"", lambda data: data[:-9], lambda data: b"x" * 100])
def test_other_bytes_are_refused(change: object) -> None:
    data = reward_to_bytes(*made(), NOTE)
    with pytest.raises(DataError):
        DeployedPreference(change(data))  # pyright: ignore[reportCallIssue]
    with pytest.raises(DataError):
        DeployedPreference(reward_to_bytes(*made(), {"cameras": CAMERAS}))
