"""A reward for choosing questions where no learner trains one: fitted to the ledger, through an encoder of random weights."""

from __future__ import annotations

from pathlib import Path

import torch
from torch import Tensor

from rewardbot.data.library import Library
from rewardbot.errors import DataError
from rewardbot.nets.encoders import Encoder, to_tensors
from rewardbot.rewards.deployed_preference import reward_to_bytes
from rewardbot.rewards.preference import PreferenceConfig
from rewardbot.training.clips import BagClips
from rewardbot.training.fitting import RewardFitter
from rewardbot.types import Episode

CHANNELS = 8
REFIT = 10
"""New answers, or fewer, after which it is fitted again."""


class Chooser:
    """See the module.

    Args:
        ledger: its file.
        library: the episodes, whose robot is known.
        seed: of encoder and networks.
    """

    def __init__(self, ledger: Path, library: Library, *, seed: int = 0) -> None:
        assert library.contract is not None
        self._cameras = {name: (camera.height, camera.width) for name, camera in library.contract.cameras.items()}
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            self._encoder = Encoder(self._cameras, channels=CHANNELS).eval()
        self._fitter = RewardFitter(ledger, BagClips(library, self._embed), PreferenceConfig(steps=200), seed=seed)

    def newer(self) -> bytes | None:
        """A reward of the answers so far for `Questioner.take_reward`; None if there is nothing new to learn from."""
        if not self._fitter.due() or self._fitter.news < REFIT:
            return None
        reward, _ = self._fitter.fit()
        if reward is None:
            return b""
        return reward_to_bytes(reward, self._encoder, {"cameras": self._cameras, "answers": self._fitter.answers})

    def close(self) -> None:
        """Closes the ledger."""
        self._fitter.close()

    @torch.no_grad()
    def _embed(self, episode: Episode) -> Tensor:
        try:
            return self._encoder(to_tensors({name: episode.images[name] for name in self._cameras}))
        except (KeyError, RuntimeError):
            raise DataError(f"Episode {episode.info.id} has other cameras than the first one.") from None
