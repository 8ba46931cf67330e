"""How sure a learned reward is of returns: samples of what they may be, for `feedback.meter`."""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray

from rewardbot.feedback.posterior import logistic
from rewardbot.rewards.comparisons import Clips, Comparisons
from rewardbot.rewards.plackett_luce import NONE, returns
from rewardbot.rewards.preference import PreferenceReward, in_parts

SCALE = 5.0
"""Log-odds by which, before any answer, two clips a typical distance apart may differ."""


@torch.no_grad()
def sampled_returns(
    reward: PreferenceReward, data: Comparisons, clips: Clips, *, count: int = 100, seed: int = 0
) -> NDArray[np.float64]:
    """Returns of `clips` under samples of the linear rewards on a network's last hidden layer that explain the answers, (M, C).

    As Brown et al. (2020) do for Bayesian REX, here with each member of the ensemble giving a share of the samples, since each sees
    other features; and without a fixed rationality, see `posterior.logistic`. A few networks alone are too few to bound anything.

    Args:
        reward: a fitted one.
        data: what it was fitted to. Orders of three or more count as their pairs.
        clips: what to judge.
        count: samples, M or a few more.
        seed: of the samples.
    """
    members, rng = reward.config.members, np.random.default_rng(seed)
    answered, judged = (_features(reward, some) for some in (data.clips, clips))
    pairs, wins, weights = _pairs(data)
    drawn = []
    for seen, asked in zip(answered, judged, strict=True):
        # One number for all features: a typical difference has length 1.
        spread = np.sqrt(2.0 * (seen - seen.mean(0)).var(0).sum())
        differences = (seen[pairs[:, 0]] - seen[pairs[:, 1]]) / max(spread, 1e-12)
        samples = logistic(differences, wins, weights, SCALE, -(-count // members), rng)
        drawn.append(samples @ asked.T / max(spread, 1e-12))
    return np.concatenate(drawn)


def _features(reward: PreferenceReward, clips: Clips) -> NDArray[np.float64]:
    """Of each clip by each member, (M, C, F): the last hidden layer, and a 1 for how much a step is worth by itself."""
    hidden = in_parts(lambda x: reward.network.hidden(x).transpose(1, 2), clips.steps[clips.mask]).transpose(1, 2)
    steps = torch.zeros(reward.config.members, *clips.mask.shape, hidden.shape[-1] + 1, device=hidden.device)
    steps[:, clips.mask] = torch.cat([hidden, torch.ones_like(hidden[..., :1])], dim=-1)
    return returns(steps.transpose(2, 3), clips.mask.unsqueeze(1), reward.config.returns).double().cpu().numpy()


def _pairs(data: Comparisons) -> tuple[NDArray[np.int64], NDArray[np.float64], NDArray[np.float64]]:
    """Numbers of both clips (N, 2), whether the first is better (N,), and weights (N,)."""
    found = []
    for options, places, weight in zip(data.options.tolist(), data.place.tolist(), data.weight.tolist(), strict=True):
        there = [(clip, place) for clip, place in zip(options, places, strict=True) if place != NONE]
        found += [(a, b, 0.5 + 0.5 * np.sign(y - x), 2.0 * weight / len(there))
                  for n, (a, x) in enumerate(there) for b, y in there[n + 1 :]]
    table = np.array(found)
    return table[:, :2].astype(np.int64), table[:, 2], table[:, 3]
