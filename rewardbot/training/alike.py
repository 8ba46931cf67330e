"""Whether two moments look the same: of a picture that does not change one example is enough."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from torch.nn import functional as F

from rewardbot.nets.encoders import to_tensors

CELLS = 16
"""Side of the coarse picture that is compared."""

LEAST_CHANGE = 12.0
"""Change of one cell's red, green or blue that makes another picture, of 255: more than a camera's noise in the mean over a cell."""


def outline(images: Mapping[str, NDArray[np.uint8]]) -> NDArray[np.float32]:
    """The coarse picture of a moment, camera name -> uint8 (H, W, 3), as float32 (D,)."""
    coarse = [F.adaptive_avg_pool2d(of.float(), CELLS).flatten() for _, of in sorted(to_tensors(images).items())]
    return torch.cat(coarse).numpy()


def is_new(one: NDArray[np.float32], others: Sequence[NDArray[np.float32]]) -> bool:
    """Whether an outline differs from each of `others` somewhere, be it in one cell: the thing that matters may be small."""
    return not len(others) or bool((np.abs(np.stack(others) - one).max(axis=1) >= LEAST_CHANGE).all())
