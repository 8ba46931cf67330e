"""The one ranking loss: how likely an order of k options is, given how good each is (Plackett 1975; Luce 1959).

    log P(order) = sum over places, best first, of  mean_{i at this place} u_i - log sum_{j at this place or later} exp u_j

The best is chosen from all, the next from the rest, and so on. k = 2 is Bradley and Terry (1952): P(A > B) = sigmoid(u_A - u_B).

Several options at one place are a tie, chosen together with the geometric mean of their strengths: the model of Davidson and Luce
(Firth, Kosmidis and Turner 2019), for ties so rare that they take no probability from the strict orders; their prevalence is then
a constant, which is left out. Of the models of ties this is the one that is the usual half-and-half label for k = 2 (Christiano et
al. 2017) and needs no parameter. Rao and Kupper's (1967) is not, and averaging over all orders of a tie costs k! of them.
"""

from __future__ import annotations

from typing import Literal

import torch
from torch import Tensor

NONE = -1
"""The place of what is no option, where sets of different sizes lie in one array."""

Returns = Literal["sum", "mean"]
"""How the rewards of a clip make it good: all of them together, or on average, so that its length does not count."""


def returns(rewards: Tensor, mask: Tensor, how: Returns) -> Tensor:
    """How good each clip is, (..., T) -> (...).

    Args:
        rewards: of each step; finite numbers in the padding too.
        mask: where there is a step, bool (..., T), at least one of each clip.
        how: see `Returns`.
    """
    total = (rewards * mask).sum(-1)
    return total if how == "sum" else total / mask.sum(-1)


def log_likelihood(utility: Tensor, place: Tensor) -> Tensor:
    """Log-likelihood of orders, (..., k) -> (...); see the module.

    Args:
        utility: how good each option is, in units of log-odds.
        place: of each option, int, broadcast with `utility`: the smallest is the best, equal ones are a tie, `NONE` is no option.
    """
    here, other = place.unsqueeze(-1), place.unsqueeze(-2)
    rest = utility.unsqueeze(-2).masked_fill((other < here) | (other == NONE), -torch.inf).logsumexp(-1)
    tied = (other == here).sum(-1)
    return ((utility - rest) / tied * (place != NONE)).sum(-1)


def accuracy(utility: Tensor, place: Tensor) -> Tensor:
    """Share of all pairs that are no tie whose order the utilities give, (..., k) twice -> (). Equal utilities give half of it; NaN
    without a pair.
    """
    better = (place.unsqueeze(-1) < place.unsqueeze(-2)) & (place != NONE).unsqueeze(-1)
    right = torch.sign(utility.unsqueeze(-1) - utility.unsqueeze(-2)) / 2 + 0.5
    return (right * better).sum() / better.expand_as(right).sum()
