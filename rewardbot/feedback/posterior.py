"""Samples of what a reward's weights may be: kept up with the answers one by one, or drawn anew for all of them."""

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


def logistic(
    differences: Array, wins: Array, weights: Array, scale: float, count: int, rng: np.random.Generator, moves: int = 5
) -> Array:
    """Samples of w where P(first better) = sigmoid(w . difference) and w ~ N(0, scale^2 I): Bayesian logistic regression.

    The length of w is free, so that answers that contradict each other make w short and leave its direction open, instead of sure
    that all is equally good.

    Each sample is a chain of its own. It begins in the normal distribution around the most likely w (Laplace), and moves on ellipses
    of that distribution (Murray, Adams and MacKay 2010, Elliptical slice sampling; Nishihara, Murray and Adams 2014), which leave the
    posterior as it is and need no step size.

    Args:
        differences: features of the first clip less those of the second, float64 (B, D).
        wins: 1 where the first is better, 0 where the second is, 0.5 for a tie, (B,).
        weights: how much each answer counts, (B,).
        scale: of the prior: log-odds that a difference of length 1 is worth.
        count: how many.
        rng: random numbers.
        moves: of each chain.

    Returns:
        float64 (count, D), independent of each other.
    """
    mean, precision = _laplace(differences, wins, weights, scale)
    root = np.linalg.inv(np.linalg.cholesky(precision))

    def log_ratio(z: Array) -> Array:
        """Log-posterior less the log of the normal distribution, in which z is standard normal."""
        w = mean + z @ root
        u = w @ differences.T
        return (weights * (wins * u - np.logaddexp(0.0, u))).sum(-1) - (w**2).sum(-1) / (2 * scale**2) + (z**2).sum(-1) / 2

    z = rng.normal(size=(count, len(mean)))
    present = log_ratio(z)
    for _ in range(moves):
        other, least = rng.normal(size=z.shape), present + np.log(rng.random(count))
        angle = rng.uniform(0.0, 2 * np.pi, count)
        low, high, moving = angle - 2 * np.pi, angle.copy(), np.ones(count, bool)
        while moving.any():
            proposed = z[moving] * np.cos(angle[moving, None]) + other[moving] * np.sin(angle[moving, None])
            likely = log_ratio(proposed)
            taken = np.flatnonzero(moving)[likely > least[moving]]
            z[taken], present[taken] = proposed[likely > least[moving]], likely[likely > least[moving]]
            moving[taken] = False
            low, high = np.where(angle < 0.0, angle, low), np.where(angle >= 0.0, angle, high)
            angle = np.where(moving, rng.uniform(low, high), angle)
    return mean + z @ root


def _laplace(differences: Array, wins: Array, weights: Array, scale: float, steps: int = 50) -> tuple[Array, Array]:
    """The most likely w (D,), and minus the second derivative of the log-posterior there, (D, D), by Newton's method."""

    def log_posterior(w: Array) -> float:
        u = differences @ w
        return float((weights * (wins * u - np.logaddexp(0.0, u))).sum() - (w @ w) / (2 * scale**2))

    w, prior = np.zeros(differences.shape[1]), np.eye(differences.shape[1]) / scale**2
    while True:
        p = 0.5 * (1.0 + np.tanh(differences @ w / 2.0))
        precision = (differences.T * (weights * p * (1.0 - p))) @ differences + prior
        step = np.linalg.solve(precision, differences.T @ (weights * (wins - p)) - w / scale**2)
        while log_posterior(w + step) < log_posterior(w) and np.abs(step).max() > 1e-9:
            step = step / 2.0
        w, steps = w + step, steps - 1
        if np.abs(step).max() < 1e-6 or not steps:
            return w, precision
