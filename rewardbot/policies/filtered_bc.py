"""Filtered behaviour cloning (%BC: Chen et al. 2021, section 5): what went well is imitated, and nothing else.

Behaviour cloning of everything that somebody did also clones his failures. Here each step weighs as its episode went, in the loss
of `bc.py`.

Learns from: episodes of any origin, and a verdict on each.
"""

from __future__ import annotations

import math

from torch import Tensor


def top_share(returns: Tensor, share: float) -> Tensor:
    """Weights of behaviour cloning: the best `share` of all steps counts, and nothing else.

    Args:
        returns: the return of each step's episode, or the operator's verdict on it as 0 or 1, (N,).
        share: in (0, 1]. Steps as good as the last one that counts do so too.

    Returns:
        float32 (N,), on average 1.
    """
    kept = (returns >= returns.sort(descending=True).values[math.ceil(share * len(returns)) - 1]).float()
    return kept / kept.mean()
