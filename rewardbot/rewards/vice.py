"""A goal classifier whose negatives are the states that the policy visits (VICE: Fu et al. 2018; VICE-RAQ: Singh et al. 2019).

A state that the policy exploits is visited often, so it soon is a negative, and the exploit is gone. Batches stay balanced:
for any share of successes among the negatives the optimum keeps D >= 1/2 on success states.

Learns from: success examples.
"""

from __future__ import annotations

import torch
from torch import Tensor

from rewardbot.data.replay import Replay
from rewardbot.rewards.goal_classifier import NegativeSampler

ONLINE_SHARE = 0.75
"""Share of negatives from visited states once there are some; the rest stay the demonstrations' early states."""

MINIMUM = 100
"""Visited transitions before they are used."""


def visited_negatives(replay: Replay, offline: NegativeSampler) -> NegativeSampler:
    """Negatives from `replay`, which grows while the policy runs, mixed with the offline ones."""

    def sample(n: int) -> Tensor:
        if len(replay) < MINIMUM:
            return offline(n)
        online = round(ONLINE_SHARE * n)
        return torch.cat([replay.sample_features(online), offline(n - online)])

    return sample
