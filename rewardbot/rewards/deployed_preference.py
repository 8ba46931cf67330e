"""A reward from preferences with the encoder that it looks through, as bytes: published by a learner, read by who asks questions."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor

from rewardbot.config import from_mapping, to_mapping
from rewardbot.errors import DataError
from rewardbot.nets.encoders import Encoder, stored_encoder, to_tensors
from rewardbot.nets.weights import from_bytes, load_into, named, reading, to_bytes
from rewardbot.rewards.preference import PreferenceConfig, PreferenceReward
from rewardbot.types import Episode

KIND = "preference reward"


def reward_to_bytes(reward: PreferenceReward, encoder: Encoder, description: Mapping[str, Any]) -> bytes:
    """What `DeployedPreference` reads.

    Args:
        reward: a fitted one.
        encoder: whose features it sees.
        description: at least `cameras`, name -> (height, width), and `answers`, how many the reward was fitted to.
    """
    tensors = {**named("encoder", encoder), **named("network", reward.network)}
    note = {**description, "version": reward.version, "size": reward.size, "seed": reward.seed, "config": to_mapping(reward.config)}
    return to_bytes(tensors, kind=KIND, description=note)


class DeployedPreference:
    """The reward from its bytes.

    Args:
        data: what `reward_to_bytes` gave.

    Attributes:
        reward: the ensemble.
        version, answers: of the reward, and how many answers it was fitted to.
        eye: name of the encoder; what one saw need not be seen again by another of the same name.

    Raises:
        DataError: other or damaged bytes.
    """

    def __init__(self, data: bytes) -> None:
        tensors, description = from_bytes(data, kind=KIND)
        with reading(KIND):
            self.version, self.answers = int(description["version"]), int(description["answers"])
            self.cameras = {name: (int(h), int(w)) for name, (h, w) in description["cameras"].items()}
            self.encoder = stored_encoder(self.cameras, tensors, "encoder").eval()
            config = from_mapping(PreferenceConfig, description["config"])
            self.reward = PreferenceReward(config, int(description["size"]), seed=int(description["seed"]))
            load_into(self.reward.network, tensors, "network")
        self.reward.version = self.version
        digest = hashlib.sha256()
        for name in sorted(name for name in tensors if name.startswith("encoder.")):
            digest.update(tensors[name].numpy().tobytes())
        self.eye = digest.hexdigest()

    @torch.no_grad()
    def embed(self, episode: Episode) -> Tensor:
        """Features of all observations of an episode, float32 (T + 1, F).

        Raises:
            DataError: a camera is missing or has another size.
        """
        for name, (height, width) in self.cameras.items():
            if name not in episode.images or episode.images[name].shape[1:3] != (height, width):
                raise DataError(f"Episode {episode.info.id} has no camera '{name}' of {width}x{height}.",
                                next_step="Use episodes of the robot that the reward was trained with.")
        return self.encoder(to_tensors({name: episode.images[name] for name in self.cameras}))
