"""The oracle: the same learner on the true reward. It bounds a comparison from above and serves nothing else."""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from rewardbot.data.replay import Batch
from rewardbot.robots.robot import RobotContract
from rewardbot.training.learner import Learner
from rewardbot.training.learner_config import LearnerConfig
from rewardbot.types import Episode


class OracleLearner(Learner):
    """Learns from the simulator's true success instead of a classifier: for comparisons only.

    `pretrain` is the learner's; before learning, give the truth of the demonstrations to `score_demonstrations`, and add
    visited episodes with `add_scored`.
    """

    def __init__(self, config: LearnerConfig, contract: RobotContract, task: str, seed: int = 0) -> None:
        super().__init__(config, contract, task, seed)
        self._demonstrated = torch.zeros(config.capacity, device=self.device)
        self._visited = torch.zeros(config.capacity, device=self.device)

    def score_demonstrations(self, truth: list[NDArray[np.bool_]]) -> None:
        """True success of each demonstration's T + 1 observations, in the order they were given to `pretrain`."""
        for (_, first, count), scores in zip(self.demonstrations.spans, truth, strict=True):
            self._demonstrated[first : first + count] = torch.from_numpy(scores).float()

    def add_scored(self, episode: Episode, truth: NDArray[np.bool_]) -> None:
        """Adds a visited episode with its true success, bool (T + 1,)."""
        rows = self.add_episode(episode)
        self._visited[rows.start : rows.stop] = torch.from_numpy(truth).float()

    def reward(self, batch: Batch) -> Tensor:
        """1 where the action led to true success, (N,). The batch's first half is from demonstrations, see `update`."""
        half = len(batch) // 2
        after = batch.rows + 1
        return torch.cat([self._demonstrated[after[:half]], self._visited[after[half:]]])
