"""Problems whose true reward is known."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor

from rewardbot.data.replay import Batch
from rewardbot.rewards.base import Context
from rewardbot.rewards.plackett_luce import log_likelihood
from rewardbot.types import Segment


def linear_rankings(seed: int, *, sets: int, k: int, size: int = 6, length: float = 3.0) -> tuple[Tensor, Tensor, Tensor]:
    """Weights (D,) of the given length, standard normal features (B, k, D), and the place of each option in an order drawn from
    Plackett and Luce's model of their products, (B, k). float64.
    """
    draw = torch.Generator().manual_seed(seed)
    w = torch.randn(size, dtype=torch.float64, generator=draw)
    w = length * w / w.norm()
    features = torch.randn(sets, k, size, dtype=torch.float64, generator=draw)
    return w, features, ranked(features @ w, draw)


def ranked(utility: Tensor, draw: torch.Generator) -> Tensor:
    """Places, int64 (B, k), drawn from Plackett and Luce's model of utilities (B, k): their order with Gumbel noise added."""
    noise = -torch.log(-torch.log(torch.rand(utility.shape, dtype=utility.dtype, generator=draw)))
    return places(utility + noise)


def places(utility: Tensor) -> Tensor:
    """Place of each option when the best is the one with the largest utility, int64 (B, k)."""
    return utility.argsort(-1, descending=True).argsort(-1)


def most_likely(features: Tensor, place: Tensor) -> Tensor:
    """The weights (D,) of the linear reward under which the orders of features (B, k, D) are most likely. float64."""
    w = torch.zeros(features.shape[-1], dtype=torch.float64, requires_grad=True)
    optimiser = torch.optim.LBFGS([w], max_iter=100, line_search_fn="strong_wolfe")

    def loss() -> Tensor:
        optimiser.zero_grad()
        value = -log_likelihood(features @ w, place).mean()
        value.backward()
        return value

    optimiser.step(loss)  # type: ignore[arg-type]
    return w.detach()


def spearman(a: Tensor, b: Tensor) -> float:
    """Rank correlation of (N,) and (N,)."""
    return float(torch.corrcoef(torch.stack([x.argsort().argsort().double() for x in (a, b)]))[0, 1])


def episodes(steps: Mapping[str, Tensor]) -> Context:
    """Where clips of episodes come from whose features are given, episode id -> (T, D). The next features are those one step on;
    proprioception is empty and the action one 0.
    """

    def transitions(segment: Segment) -> Batch:
        own = steps[segment.episode_id]
        rows = torch.arange(len(own))[segment.start : segment.stop]
        after = own[(rows + 1).clamp(max=len(own) - 1)]
        none = torch.zeros(len(rows), 0)
        return Batch(own[rows], after, none, none, torch.zeros(len(rows), 1), torch.ones(len(rows)), rows)

    return Context(transitions)
