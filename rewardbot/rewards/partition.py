"""The partition function of a maximum-entropy reward from samples of a known density, shared by `gcl`, `relative_entropy_irl` and
`perturbation_irl`. Its three users differ in where the samples come from.

    p(tau) = exp R(tau) / Z        log Z = log E_q[exp R(tau) / q(tau)] ~ log mean_j exp(R(tau_j) - log q(tau_j))

    gradient of E_demo R - log Z:  E_demo grad R - sum_j w_j grad R(tau_j),   w = softmax(R - log q)

Where few samples have all the weight the estimate is one of luck. How many count is said by the effective sample size, 1 / sum w^2.
"""

from __future__ import annotations

import math
import warnings

import torch
from torch import Tensor

LEAST_SAMPLES = 30.0
"""Effective samples below which there is a warning."""


class FewEffectiveSamples(UserWarning):
    """An estimate of the partition function that rests on few samples."""


def log_partition(returns: Tensor, log_q: Tensor) -> Tensor:
    """log Z from J samples in the last axis, (..., J) -> (...)."""
    return torch.logsumexp(returns - log_q, dim=-1) - math.log(returns.shape[-1])


def log_partition_between(returns: Tensor, log_q: Tensor, *, iterations: int = 30) -> Tensor:
    """log Z, (), from J samples half of which are of p, exp(R) / Z, and half of q, in any order, (J,) each.

    Bennett's acceptance ratio (1976): the Z at which those of p are told from those of q as often wrongly one way as the other,

        mean_j D_j = 1/2,    D = p / (p + q) = exp R / (exp R + Z q)

    Z is the mean of exp R over the density of the mixture, which no sample makes large, as it does where q alone is next to 0.
    """
    odds = returns - log_q
    low, high = odds.amin(), odds.amax()
    for _ in range(iterations):
        middle = (low + high) / 2.0
        over = torch.sigmoid(odds - middle).mean() > 0.5  # Z is larger
        low, high = torch.where(over, middle, low), torch.where(over, high, middle)
    return (low + high) / 2.0


def importance_weights(returns: Tensor, log_q: Tensor) -> Tensor:
    """w_j, whose sum is 1, (..., J)."""
    return torch.softmax(returns - log_q, dim=-1)


def effective_sample_size(weights: Tensor) -> Tensor:
    """1 / sum w^2, (..., J) -> (...): J for equal weights, 1 where one sample has it all (Kong 1992)."""
    return 1.0 / weights.square().sum(-1)


def report_sample_size(weights: Tensor) -> float:
    """The effective sample size, on average over leading axes.

    Warns:
        FewEffectiveSamples: it is below `LEAST_SAMPLES`.
    """
    found = float(effective_sample_size(weights).mean())
    if found < LEAST_SAMPLES:
        warnings.warn(
            f"The partition function rests on {found:.1f} effective of {weights.shape[-1]} samples: the reward is uncertain. "
            "More samples help, or samples nearer to the demonstrations.", FewEffectiveSamples, stacklevel=2)
    return found


def fit_linear(
    shown: Tensor, sampled: Tensor, log_q: Tensor, *, l1: float = 0.0, steps: int = 500, tolerance: float = 1e-7
) -> Tensor:
    """w of R = w . phi that maximises mean_n [w . phi_n - log Z_n(w)] - l1 |w|_1, which is concave.

    By accelerated proximal gradients (Beck and Teboulle 2009), whose step is halved until the bound on the loss holds.

    Args:
        shown: features of N demonstrations, float64 (N, F).
        sampled: features of J samples for each of them, (N, J, F), or for all of them together, (1, J, F).
        log_q: their log-densities, of the shape without F.
        steps, tolerance: it ends after so many steps, or when no weight moves by more.

    Returns:
        (F,).
    """
    mean = shown.mean(0)

    def loss(w: Tensor) -> Tensor:
        return log_partition(sampled @ w, log_q).mean() - mean @ w

    w = ahead = torch.zeros_like(mean)
    step, momentum = 1.0, 1.0
    for _ in range(steps):
        weights = importance_weights(sampled @ ahead, log_q)
        gradient = torch.einsum("nj,njf->f", weights, sampled) / len(sampled) - mean
        here = loss(ahead)
        while True:
            moved = ahead - step * gradient
            new = moved.sign() * (moved.abs() - step * l1).clamp(min=0.0)
            change = new - ahead
            if step < 1e-12 or loss(new) <= here + gradient @ change + change.square().sum() / (2.0 * step) + 1e-12:
                break
            step /= 2.0
        if float((new - w).abs().max()) < tolerance:
            return new
        # Momentum that leads uphill is dropped (O'Donoghue and Candes 2015).
        restart = float((ahead - new) @ (new - w)) > 0.0
        following = 1.0 if restart else (1.0 + math.sqrt(1.0 + 4.0 * momentum**2)) / 2.0
        ahead = new if restart else new + (momentum - 1.0) / following * (new - w)
        w, momentum = new, following
    return w
