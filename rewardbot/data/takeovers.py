"""Which steps of an episode an operator took over. They are in the episode's information, so they go wherever the episode goes."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from rewardbot.errors import DataError
from rewardbot.types import EpisodeInfo

TAKEOVERS = "takeovers"
"""Key of `EpisodeInfo.extra`: [[start, stop), ...], steps in which the operator acted instead of the policy."""


def steps_taken_over(info: EpisodeInfo, length: int) -> NDArray[np.bool_]:
    """True for each of the `length` steps in which the operator acted, bool (T,).

    Raises:
        DataError: the information is not pairs of steps within the episode.
    """
    mask = np.zeros(length, np.bool_)
    found = info.extra.get(TAKEOVERS, [])
    for span in found if isinstance(found, (list, tuple)) else [found]:
        match span:
            case [int(start), int(stop)] if not isinstance(start, bool) and not isinstance(stop, bool):
                pass
            case _:
                raise DataError(f"Episode {info.id} has the takeover {span!r}.", valid="[first step, step after the last].")
        if not 0 <= start < stop <= length:
            raise DataError(f"Episode {info.id} of {length} steps has a takeover from step {start} to {stop}.")
        mask[start:stop] = True
    return mask


def spans(mask: NDArray[np.bool_]) -> list[list[int]]:
    """The inverse of `steps_taken_over`: bool (T,) -> [[start, stop), ...]."""
    edges = np.flatnonzero(np.diff(np.concatenate([[False], mask, [False]]).astype(np.int8)))
    return edges.reshape(-1, 2).tolist()


def steps_before(mask: NDArray[np.bool_], count: int) -> NDArray[np.bool_]:
    """The policy's own steps among the last `count` before each takeover, bool (T,) -> bool (T,)."""
    before = np.zeros_like(mask)
    for start, _ in spans(mask):
        before[max(0, start - count) : start] = True
    return before & ~mask
