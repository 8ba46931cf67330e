"""The stitching chain: cells in a row, and a walk by chance. Nobody goes all the way; the best of all that was done does."""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray

from rewardbot.data.transitions import Transitions

CELLS, DISCOUNT = 12, 0.9
BACK, AHEAD = -1.0, 1.0


def chain() -> Transitions:
    """Both actions once in each cell, as often as each other: a walk by chance without its noise. The last step ahead is worth 1."""
    rows: list[NDArray[np.float32]] = []
    for cell in range(CELLS):
        for action in (BACK, AHEAD):
            after = int(np.clip(cell + action, 0, CELLS - 1))
            ends = cell == CELLS - 1 and action == AHEAD
            rows.append(np.concatenate([one_hot(cell), [action, float(ends), 1.0 - float(ends)], one_hot(after)]).astype(np.float32))
    return Transitions(torch.from_numpy(np.stack(rows)), CELLS, 1)


def one_hot(cell: int) -> NDArray[np.float32]:
    """What is seen of a cell, (CELLS,)."""
    return np.eye(CELLS, dtype=np.float32)[cell]


def value_of_expectile(expectile: float) -> NDArray[np.float64]:
    """V of each cell that implicit Q-learning aims at, by iteration; of its best, gamma^(steps to the end)."""
    v = np.zeros(CELLS)
    for _ in range(2000):
        back, ahead = DISCOUNT * v[np.maximum(np.arange(CELLS) - 1, 0)], np.append(DISCOUNT * v[1:], 1.0)
        better, worse = np.maximum(back, ahead), np.minimum(back, ahead)
        v = expectile * better + (1.0 - expectile) * worse
    return v
