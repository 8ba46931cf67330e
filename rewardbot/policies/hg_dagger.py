"""HG-DAgger (Kelly et al. 2019): the expert only watches, takes over when he sees fit, and what he then does is learned.

DAgger asks for an action in each state, and lets chance decide who acts; a person can do neither well. Here he is in control for
as long as he is, and the rounds are those of `dagger.aggregate` with beta = 0.

Learns from: demonstrations and takeovers.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from itertools import repeat
from typing import TypeVar

from rewardbot.policies.dagger import aggregate

D = TypeVar("D")
P = TypeVar("P")


def hg_dagger(
    demonstrations: Sequence[D], fit: Callable[[Sequence[D]], P], supervise: Callable[[P], Sequence[D]]
) -> Iterator[P]:
    """pi_i = fit(D_0 + ... + D_i), for as long as somebody asks for the next.

    Args:
        demonstrations: D_0.
        fit: behaviour cloning.
        supervise: runs pi_i under the expert's eyes; returns the steps in which he had taken over, and no others.
    """
    return aggregate(demonstrations, fit, lambda policy, _: supervise(policy), repeat(0.0))
