"""How likely each answer to a question is, given how good its clips are: what query selection and simulated people build on.

Utilities are in units of log-odds: a clip whose utility is larger by 1 wins e times as often as it loses.
"""

from __future__ import annotations

import itertools
import math

import numpy as np
from numpy.typing import NDArray

from rewardbot.errors import ConfigError

Array = NDArray[np.float64]

MAX_RANKED = 5
"""Most clips of a ranking of which all orders are counted; 5 have 120."""


def pair(utility: Array, ties: float = 0.0) -> Array:
    """Of the first clip, of the second, and with `ties` of a tie: (..., 2) -> (..., 2) or (..., 3).

    Bradley and Terry (1952), with ties by Davidson (1970): of two equally good clips `ties` / (2 + `ties`) are called equal.
    """
    first, second = utility[..., 0], utility[..., 1]
    logits = [first, second] + ([np.log(ties) + (first + second) / 2] if ties > 0.0 else [])
    return _softmax(np.stack(logits, axis=-1))


def ranking(utility: Array) -> Array:
    """Of each order of k clips, best first, as `itertools.permutations(range(k))` lists them: (..., k) -> (..., k!).

    Plackett (1975) and Luce (1959).

    Raises:
        ConfigError: more than `MAX_RANKED` clips.
    """
    count = utility.shape[-1]
    if count > MAX_RANKED:
        raise ConfigError(f"All orders of {count} clips are to be counted.", valid=f"At most {MAX_RANKED} clips.")
    strength = np.exp(utility - utility.max(axis=-1, keepdims=True))
    likely = np.ones((*utility.shape[:-1], math.factorial(count)))
    for column, order in enumerate(itertools.permutations(range(count))):
        for place in range(count - 1):
            likely[..., column] *= strength[..., order[place]] / strength[..., list(order[place:])].sum(axis=-1)
    return likely


def rating(utility: Array, cuts: Array) -> Array:
    """Of each level, worst first, by an ordinal logit (McCullagh 1980): (...) -> (..., L).

    Args:
        utility: of each clip.
        cuts: rising utilities at which a level and the next are equally likely to be reached, (L - 1,).
    """
    below = 1.0 / (1.0 + np.exp(np.clip(utility[..., None] - cuts, -500.0, 500.0)))
    edge = np.zeros((*utility.shape, 1))
    return np.diff(np.concatenate([edge, below, edge + 1.0], axis=-1), axis=-1)


def _softmax(logits: Array) -> Array:
    weights = np.exp(logits - logits.max(axis=-1, keepdims=True))
    return weights / weights.sum(axis=-1, keepdims=True)
