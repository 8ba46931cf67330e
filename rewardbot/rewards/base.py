"""What a reward model is: a reward for a batch, computed when the batch is sampled, and a fit to what the operator said."""

from __future__ import annotations

from abc import ABC, abstractmethod

from torch import Tensor

from rewardbot.data.replay import Batch


class RewardModel(ABC):
    """A learned reward. Versioned: `version` counts its fits, and no reward outlives the batch it was computed for."""

    version: int = 0

    @abstractmethod
    def reward(self, batch: Batch) -> Tensor:
        """Reward of each transition, float32 (N,), without gradient."""
