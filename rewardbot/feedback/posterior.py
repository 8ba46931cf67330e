"""Samples of what a reward's weights may be, kept up with the answers one by one."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]


def update(samples: Array, newest: Array, log_target: Callable[[Array], Array], rng: np.random.Generator, moves: int = 20) -> Array:
    """Samples of the posterior after one more answer: resample by what it says of each, then move (Gilks and Berzuini 2001).

    Args:
        samples: of the posterior before, float64 (M, D) with M well above D.
        newest: log-likelihood of the newest answer under each, (M,).
        log_target: log-posterior of weights (M, D) after all answers, up to a constant, -inf where the prior is 0: (M,).
        rng: random numbers.
        moves: Metropolis steps of each sample, of the size that fits the samples' own spread (Roberts, Gelman and Gilks 1997).

    Returns:
        float64 (M, D), equally likely.
    """
    count, size = samples.shape
    weights = np.exp(newest - newest.max())
    at = (np.arange(count) + rng.random()) / count
    found = samples[np.minimum(np.searchsorted(np.cumsum(weights / weights.sum()), at), count - 1)]
    covariance = np.atleast_2d(np.cov(samples.T, aweights=weights)) + 1e-12 * np.eye(size)
    step = 2.38 / np.sqrt(size) * np.linalg.cholesky(covariance)
    likely = log_target(found)
    for _ in range(moves):
        proposed = found + rng.normal(size=found.shape) @ step.T
        new = log_target(proposed)
        taken = np.log(rng.random(count)) < new - likely
        found, likely = np.where(taken[:, None], proposed, found), np.where(taken, new, likely)
    return found


def unit_ball(count: int, size: int, rng: np.random.Generator) -> Array:
    """Weights of any direction and a norm of at most 1, evenly spread: the prior where only the order of rewards matters."""
    direction = rng.normal(size=(count, size))
    return direction / np.linalg.norm(direction, axis=1, keepdims=True) * rng.random((count, 1)) ** (1.0 / size)
