"""PEBBLE: explore without a reward first, then learn from preferences with everything that was collected.

Lee, Smith and Abbeel 2021, PEBBLE: Feedback-Efficient Interactive RL via Relabeling Experience and Unsupervised Pre-training. Three
things make it, and two of them are elsewhere: the reward is `PreferenceReward` with `PEBBLE`, asked by disagreement; and after each
fit *all* experience has the new reward, because here rewards are computed when a batch is sampled. This file is the third, the
reward of the time before the first answer: how far a state is from the ones that were seen.

Learns from: rankings and ratings.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor

from rewardbot.config import setting
from rewardbot.data.replay import Batch
from rewardbot.data.transitions import Transitions
from rewardbot.errors import DataError
from rewardbot.rewards.base import RewardModel
from rewardbot.rewards.comparisons import inputs
from rewardbot.rewards.preference import PreferenceConfig

PEBBLE = PreferenceConfig(members=3, layers=3, hidden=256, bounded=True, normalise=False, rate=3e-4)
"""The paper's reward: three networks of three layers whose rewards lie in [-1, 1]."""


@dataclass(frozen=True)
class StateEntropyConfig:
    """Hyper-parameters of the exploration before there are preferences."""

    sees: tuple[str, ...] = setting(("next_features", "next_proprio"), "parts of a transition that are the state")
    neighbours: int = setting(5, "k: distance to the k-th nearest state", min=1)
    particles: int = setting(2000, "visited states that are compared with", min=2)


class StateEntropy(RewardModel):
    """r(s) = log(1 + ||s - s_k||) / spread, s_k the k-th nearest visited state: its mean grows with the entropy of the states.

    States are standardised first. The 1, which is Liu and Abbeel's (2021, Behavior from the Void), keeps a state that was visited
    over and over at 0 instead of minus infinity.

    Args:
        config: see `StateEntropyConfig`.
        seed: of the choice of the states that are compared with.
    """

    def __init__(self, config: StateEntropyConfig, seed: int = 0) -> None:
        self.config = config
        self._generator = torch.Generator().manual_seed(seed)
        self._mean = self._std = self._spread = torch.ones(())
        self._particles = torch.zeros(0)

    def fit(self, states: Tensor) -> None:
        """Compares with these visited states (N, S) from now on, or with a random part of them.

        Raises:
            DataError: no more than k.
        """
        k = self.config.neighbours
        if len(states) <= k:
            raise DataError(f"{len(states)} visited states have no {k}-th neighbour.", valid=f"At least {k + 1}.")
        rows = torch.randperm(len(states), generator=self._generator)[: max(k + 1, self.config.particles)].to(states.device)
        self._mean, self._std = states.mean(0), states.std(0) + 1e-3
        self._particles = (states[rows] - self._mean) / self._std
        self._spread = torch.log1p(distance_to_neighbour(self._particles, self._particles, k)).std().clamp(min=1e-3)
        self.version += 1

    @torch.no_grad()
    def reward(self, batch: Batch | Transitions) -> Tensor:
        """See the class, (N,).

        Raises:
            DataError: before the first `fit`.
        """
        if not len(self._particles):
            raise DataError("There are no visited states to compare with.", next_step="Call `fit` with the replay's states.")
        state = (inputs(batch, self.config.sees) - self._mean) / self._std
        return torch.log1p(distance_to_neighbour(state, self._particles, self.config.neighbours)) / self._spread


def distance_to_neighbour(states: Tensor, particles: Tensor, k: int) -> Tensor:
    """Euclidean distance of each state (N, S) to the k-th nearest of the particles (P, S), P > k, (N,); not counting itself, if it is
    one of them.
    """
    # By products it would be quicker, and a state's distance to itself not quite 0.
    distance = torch.cdist(states, particles, compute_mode="donot_use_mm_for_euclid_dist").topk(k + 1, largest=False).values
    return torch.where(distance[:, 0] == 0.0, distance[:, k], distance[:, k - 1])


def entropy(states: Tensor, k: int) -> float:
    """Differential entropy of the distribution that states (N, S) were drawn from, by Kozachenko and Leonenko (1987) [nat].

    H = S E[log d_k] + log(volume of the unit ball) + psi(N) - psi(k). How well exploration covers is told by it.
    """
    n, dimensions = states.shape
    ball = dimensions / 2 * math.log(math.pi) - math.lgamma(dimensions / 2 + 1)
    psi = torch.digamma(torch.tensor([float(n), float(k)]))
    return float(dimensions * distance_to_neighbour(states, states, k).log().mean() + ball + psi[0] - psi[1])
