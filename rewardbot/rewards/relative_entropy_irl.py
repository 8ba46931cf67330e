"""Relative-entropy IRL: a linear reward of whole trajectories, whose partition function comes from trajectories at random.

Boularias, Kober and Peters 2011, Relative Entropy Inverse Reinforcement Learning. No model of the dynamics is needed, since they are
alike in p and q and cancel: with actions drawn uniformly log q is the same for all samples.

    max_w  w . E_demo phi - log mean_j exp(w . phi_j) - l1 |w|_1

Samples at random rarely look like the expert, so look at the effective sample size.

Learns from: demonstrations.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from rewardbot.config import setting
from rewardbot.data.transitions import Transitions
from rewardbot.errors import DataError
from rewardbot.rewards.base import RewardModel
from rewardbot.rewards.comparisons import inputs
from rewardbot.rewards.partition import fit_linear, importance_weights, report_sample_size
from rewardbot.types import Metrics


@dataclass(frozen=True)
class LinearConfig:
    """Hyper-parameters of a linear reward of whole trajectories."""

    sees: tuple[str, ...] = setting(("state_action",), "parts of a transition that the reward looks at; their squares too")
    l1: float = setting(0.0, "weight of |w|_1", min=0.0)


class LinearReward(RewardModel):
    """R(tau) = sum_t w . phi(s_t, a_t), phi the standardised inputs and their squares.

    Args:
        config: see `LinearConfig`.
        expert: demonstrated transitions, which set the scale of the inputs.

    Attributes:
        w: float64 (F,), 0 before the fit.

    Raises:
        ConfigError: it looks at parts that the transitions do not have.
    """

    def __init__(self, config: LinearConfig, expert: Transitions) -> None:
        self.config = config
        seen = inputs(expert, config.sees).double()
        self.mean, self.std = seen.mean(0), seen.std(0) + 1e-3
        self.w = torch.zeros(2 * seen.shape[1], dtype=torch.float64, device=seen.device)

    def features(self, batch: Transitions) -> Tensor:
        """phi of each transition, float64 (N, F)."""
        x = (inputs(batch, self.config.sees).double() - self.mean) / self.std
        return torch.cat([x, x.square()], dim=-1)

    def of_episodes(self, episodes: list[Transitions]) -> Tensor:
        """phi(tau) = mean_t phi of each episode, (N, F): the mean rather than the sum keeps w in one range for all lengths.

        Raises:
            DataError: there are none.
        """
        if not episodes:
            raise DataError("There are no episodes to learn from.", next_step="Give at least one demonstration.")
        return torch.stack([self.features(episode).mean(0) for episode in episodes])

    def learn(self, shown: Tensor, sampled: Tensor, log_q: Tensor) -> Metrics:
        """Fits w, see `partition.fit_linear`; returns the effective sample size under it."""
        self.w = fit_linear(shown, sampled, log_q, l1=self.config.l1)
        self.version += 1
        return {"effective_sample_size": report_sample_size(importance_weights(sampled @ self.w, log_q)),
                "samples": float(sampled.shape[-2])}

    @torch.no_grad()
    def reward(self, batch: Transitions) -> Tensor:  # pyright: ignore[reportIncompatibleMethodOverride] - state vectors only
        """w . phi, float32 (N,)."""
        return (self.features(batch) @ self.w).float()


class RelativeEntropyIRL(LinearReward):
    """See the file."""

    def fit(self, expert: list[Transitions], at_random: list[Transitions]) -> Metrics:
        """Learns from demonstrated episodes and from episodes of actions drawn uniformly.

        Warns:
            FewEffectiveSamples: see `partition.report_sample_size`.

        Raises:
            DataError: no episodes.
        """
        sampled = self.of_episodes(at_random)[None]
        return self.learn(self.of_episodes(expert), sampled, torch.zeros_like(sampled[..., 0]))
