"""Which start state an episode begins from: the same states for a run over ROS, a run in one process, and an evaluation later."""

from __future__ import annotations

import itertools
import math
from typing import Any, TypeGuard

import numpy as np
from numpy.typing import NDArray

STREAMS = 3
"""Of one seed, none of which meets another: demonstrations, learning, evaluation."""

STRIDE = 1_000_003

BASES = (2, 3, 5, 7, 11, 13, 17, 19, 23, 29, 31, 37)
"""Of a Halton sequence: the first primes."""

MOST_DRAWS = len(BASES)
"""Numbers that one start state may need."""


def demonstration_stream(seed: int) -> int:
    """The stream of start states that demonstrations, or play in their place, begin from."""
    return STREAMS * seed


def learning_stream(seed: int) -> int:
    """That which the episodes learn from that a policy explores."""
    return STREAMS * seed + 1


def evaluation_stream(seed: int) -> int:
    """That which a policy is judged by; nobody learns from it."""
    return STREAMS * seed + 2


def start_seed(stream: int, episode: int) -> int:
    """The seed of the start state of an episode in a stream of start states; streams do not meet below a million episodes."""
    return stream * STRIDE + episode


def is_of_demonstrations(seed: int | None) -> TypeGuard[int]:
    """Whether `start_seed` made the seed for a demonstration."""
    return seed is not None and seed // STRIDE % STREAMS == 0


def halton(index: int, seed: int) -> NDArray[np.float64]:
    """A point of a Halton sequence that is scrambled by `seed`, float64 (MOST_DRAWS,) in [0, 1).

    It is scipy's `qmc.Halton`, to the bit, which takes a second to import and computes all points before the one that is wanted.
    """
    rng, point = np.random.default_rng(seed).spawn(1)[0], np.zeros(MOST_DRAWS)
    for axis, base in enumerate(BASES):
        rest, weight = index, 1.0 / base
        for _ in range(math.ceil(54 / math.log2(base)) - 1):  # the digits that a double can tell
            rest, digit = divmod(rest, base)
            point[axis] += rng.permutation(base)[digit] * weight
            weight /= base
    return point


class EvenlySpread(np.random.Generator):
    """Draws the start states of demonstrations: over a stream they fill the space evenly, as a person lays things out who shows
    a robot what to do. Thirty that are drawn independently leave corners of the table in which nothing was ever shown.

    Episode n of stream s takes the n-th point of a scrambled Halton sequence (Owen 2017, "A randomized Halton algorithm in R"),
    whose scrambling is drawn with s. Each single start state is as likely as any other.

    Args:
        seed: see `start_seed`.
    """

    def __init__(self, seed: int) -> None:
        super().__init__(np.random.PCG64(seed))
        stream, episode = divmod(seed, STRIDE)
        self._point = iter(halton(episode, stream))

    def uniform(self, low: Any = 0.0, high: Any = 1.0, size: Any = None) -> Any:
        """As of any generator; a start state may ask for `MOST_DRAWS` numbers altogether."""
        shape = np.broadcast_shapes(np.shape(low), np.shape(high)) if size is None else size
        count = int(np.prod(shape))
        drawn = np.array(list(itertools.islice(self._point, count)))
        if len(drawn) < count:
            raise ValueError(f"A start state needs more than {MOST_DRAWS} numbers; raise MOST_DRAWS in {__name__}.")
        return (np.asarray(low) + (np.asarray(high) - low) * drawn.reshape(shape))[()]
