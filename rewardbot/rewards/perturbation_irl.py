"""Perturbation IRL: a sparse linear reward under which each demonstration is better than what it becomes with noise.

Kalakrishnan, Pastor, Righetti and Schaal 2013, Learning Objective Functions for Manipulation:

    min_w  - sum_n log [exp(w . phi_n) / sum_k exp(w . phi_nk)] + l1 |w|_1,     tau_nk = tau_n with noise, and tau_n itself

The partition function of each demonstration is a local one, around it: the samples are near by and count, where those of
`relative_entropy_irl`, which are drawn at random, mostly do not. L1 leaves few features with a weight.

Learns from: demonstrations.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch

from rewardbot.config import setting
from rewardbot.data.transitions import Transitions
from rewardbot.errors import DataError
from rewardbot.rewards.relative_entropy_irl import LinearConfig, LinearReward
from rewardbot.types import Metrics


@dataclass(frozen=True)
class PerturbationConfig(LinearConfig):
    """Hyper-parameters."""

    l1: float = setting(0.02, "weight of |w|_1", min=0.0)


class PerturbationIRL(LinearReward):
    """See the file."""

    def fit(self, expert: list[Transitions], perturbed: Sequence[list[Transitions]]) -> Metrics:
        """Learns from demonstrated episodes and, for each of them, K episodes of its actions with noise.

        Warns:
            FewEffectiveSamples: see `partition.report_sample_size`.

        Raises:
            DataError: no episodes, or not as many perturbed ones for each.
        """
        if len(perturbed) != len(expert) or len({len(some) for some in perturbed}) > 1:
            raise DataError(f"{len(expert)} demonstrations have {[len(some) for some in perturbed]} perturbed ones.",
                            valid="As many for each demonstration.")
        shown = self.of_episodes(expert)
        around = torch.stack([self.of_episodes(some) for some in perturbed])
        sampled = torch.cat([shown[:, None], around], dim=1)
        return self.learn(shown, sampled, torch.zeros_like(sampled[..., 0]))
