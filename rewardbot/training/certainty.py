"""How sure a learned reward is of returns: samples of what they may be, for `feedback.meter`."""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from rewardbot.feedback.posterior import logistic
from rewardbot.rewards.comparisons import Clips, Comparisons
from rewardbot.rewards.plackett_luce import NONE, returns
from rewardbot.rewards.preference import PreferenceReward

SCALE = 5.0
"""Log-odds by which, before any answer, two clips a typical distance apart may differ."""

FEATURES = 200

ROUGHNESS = 1.5
"""nu of Matern's kernel: rewards have a slope everywhere, and it may change at once, as that of a distance does at the goal."""


@torch.no_grad()
def sampled_returns(
    reward: PreferenceReward, data: Comparisons, clips: Clips, *, count: int = 100, seed: int = 0
) -> NDArray[np.float64]:
    """Returns of `clips` under samples of the rewards that explain the answers, (count, C).

    The samples are of a Gaussian process on what the reward sees: half of it linear, half, by random Fourier features, with
    of Matern's kernel, whose length scale is a typical distance of steps (Rahimi and Recht 2007; Rasmussen and Williams 2006,
    section 4.2; Chu and Ghahramani 2005; Biyik et al. 2020, Active preference-based Gaussian process regression). Under the
    Gaussian kernel every reward is smooth, and where the truth was not, the bound was too small more often. Three networks are
    too few to bound anything, and linear rewards on a network's last layer, as Bayesian REX has them, know only what the network
    has learned to see: where the truth was another they promised too much.

    What no answer was about nobody knows: under a truth that is the same nearly everywhere and much better in one place, the bound
    is too small until a clip of that place was compared.

    Args:
        reward: a fitted one, of which the scale of the inputs is taken and what makes a clip good.
        data: what it was fitted to. Orders of three or more count as their pairs.
        clips: what to judge.
        count: samples.
        seed: of features and samples.
    """
    rng = np.random.default_rng(seed)
    size = reward.size
    tails = np.sqrt(rng.chisquare(2.0 * ROUGHNESS, FEATURES) / (2.0 * ROUGHNESS))  # of Student's distribution
    frequencies = torch.from_numpy(rng.normal(size=(size, FEATURES)) / size**0.5 / tails).float().to(reward.device)
    phases = torch.from_numpy(rng.uniform(0.0, 2.0 * np.pi, FEATURES)).float().to(reward.device)
    seen, asked = (_features(reward, some, frequencies, phases) for some in (data.clips, clips))
    pairs, wins, weights = _pairs(data)
    # One number for each half: a typical difference has length 1 in all, if the half tells clips apart.
    halves = [np.sqrt(4.0 * part.var(0).sum()) for part in np.split(seen, [size], axis=1)]
    spread = np.maximum(np.repeat(halves, [size, FEATURES]), 1e-12)
    samples = logistic((seen[pairs[:, 0]] - seen[pairs[:, 1]]) / spread, wins, weights, SCALE, count, rng)
    return samples @ (asked / spread).T


def _features(reward: PreferenceReward, clips: Clips, frequencies: Tensor, phases: Tensor) -> NDArray[np.float64]:
    """Of each clip, the linear ones first, (C, D + FEATURES)."""
    x = reward.network.standardised(clips.steps[clips.mask])
    steps = torch.zeros(*clips.mask.shape, reward.size + FEATURES, device=x.device)
    steps[clips.mask] = torch.cat([x, torch.cos(x @ frequencies + phases)], dim=-1)
    return returns(steps.transpose(1, 2), clips.mask.unsqueeze(1), reward.config.returns).double().cpu().numpy()


def _pairs(data: Comparisons) -> tuple[NDArray[np.int64], NDArray[np.float64], NDArray[np.float64]]:
    """Numbers of both clips (N, 2), whether the first is better (N,), and weights (N,)."""
    found = []
    for options, places, weight in zip(data.options.tolist(), data.place.tolist(), data.weight.tolist(), strict=True):
        there = [(clip, place) for clip, place in zip(options, places, strict=True) if place != NONE]
        found += [(a, b, 0.5 + 0.5 * np.sign(y - x), 2.0 * weight / len(there))
                  for n, (a, x) in enumerate(there) for b, y in there[n + 1 :]]
    table = np.array(found)
    return table[:, :2].astype(np.int64), table[:, 2], table[:, 3]
