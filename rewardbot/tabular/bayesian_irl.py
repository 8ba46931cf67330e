"""Bayesian inverse reinforcement learning: all rewards that explain the demonstrations, each as often as it is likely.

Ramachandran and Amir 2007, Bayesian Inverse Reinforcement Learning. The demonstrator is a Boltzmann one: better actions are likelier,

    P(w | D) ~ P(w) prod_(s, a) in D  exp(beta Q*_w(s, a)) / sum_b exp(beta Q*_w(s, b)),   r = w . phi,   w ~ N(0, sigma^2)

Q* is the *hard* optimal value: he knows what is best, and errs. (`maxent_irl.py` takes the soft one.) Sampled by Metropolis and
Hastings, several chains from the prior. What has been found in the burn-in shapes the proposals (Haario, Saksman and Tamminen
2001): some weights the demonstrations tell exactly, and of others they say nothing.

Learns from: demonstrations.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from rewardbot.config import setting
from rewardbot.errors import DataError
from rewardbot.tabular.mdp import MDP, Array, plan

PLANNED = 1e-6
"""Error of the values in the likelihood, as a share of the largest."""


@dataclass(frozen=True)
class BayesianConfig:
    """Of model and sampler."""

    rationality: float = setting(5.0, "beta: log-odds by which an action worth 1 more is preferred", min=0.0)
    spread: float = setting(1.0, "sigma: standard deviation of each weight before the first demonstration", min=1e-9)
    chains: int = setting(4, "chains side by side", min=2, max=1000)
    burn_in: int = setting(1000, "steps that are thrown away; the size of the proposals is found in them", min=1)
    steps: int = setting(2000, "steps of each chain after them", min=4)
    thin: int = setting(4, "every so many steps give a sample", min=1)
    acceptance: float = setting(0.3, "share of proposals to be accepted; their size is made for it", min=0.01, max=0.99)
    seed: int = setting(0, "of the chains", min=0)


@dataclass(frozen=True)
class Posterior:
    """Samples of the weights; leading axes, if any, are data sets.

    Attributes:
        chains: (..., C, K, F): K samples of each of C chains.
        acceptance: share of proposals that was accepted after the burn-in, (...).
        r_hat: of each weight, (..., F); above about 1.05 the chains have not met, and `steps` should be more.
        effective: number of independent samples that these are worth, of each weight, (..., F).
    """

    chains: Array
    acceptance: Array
    r_hat: Array
    effective: Array

    def __getitem__(self, index: int) -> Posterior:
        """Of one data set."""
        return Posterior(self.chains[index], self.acceptance[index], self.r_hat[index], self.effective[index])

    @property
    def samples(self) -> Array:
        """Of all chains together, (..., C K, F)."""
        return self.chains.reshape(*self.chains.shape[:-3], -1, self.chains.shape[-1])

    @property
    def mean(self) -> Array:
        """The reward whose plan has the highest expected value, (..., F)."""
        return self.samples.mean(axis=-2)

    def interval(self, share: float) -> tuple[Array, Array]:
        """Bounds that hold the middle `share` of the samples, each (..., F)."""
        low, high = np.quantile(self.samples, [(1.0 - share) / 2.0, (1.0 + share) / 2.0], axis=-2)
        return low, high


def log_likelihood(
    mdp: MDP, phi: Array, counts: Array, weights: Array, rationality: float, guess: Array | None = None
) -> tuple[Array, Array]:
    """Of choices (..., S, A) under weights (..., F), for features (S, A, F): (...), and V* (..., S), a good next guess."""
    found = plan(mdp, np.tensordot(weights, phi, axes=(-1, -1)), guess=guess, tolerance=PLANNED)
    lead = rationality * (found.q - found.q.max(axis=-1, keepdims=True))
    return (counts * (lead - np.log(np.exp(lead).sum(axis=-1, keepdims=True)))).sum(axis=(-2, -1)), found.v


def sample(mdp: MDP, features: Array, counts: Array, config: BayesianConfig = BayesianConfig()) -> Posterior:
    """Draws the posterior.

    Args:
        mdp: without a horizon, because the likelihood is that of a policy that does not change with time.
        features: of states (S, F), or of states and actions (S, A, F).
        counts: how often each action was chosen in each state, (..., S, A), see `demonstrations.choices`; leading axes are data sets,
            drawn at once.

    Raises:
        DataError: an MDP with a horizon, counts of another shape, not finite, or below 0.
    """
    phi = mdp.features(features)
    _check(mdp, phi, counts)
    rng = np.random.default_rng(config.seed)
    shape = (*counts.shape[:-2], config.chains)
    counts, size = counts[..., None, :, :], phi.shape[-1]

    def posterior(weights: Array, guess: Array | None) -> tuple[Array, Array]:
        likely, values = log_likelihood(mdp, phi, counts, weights, config.rationality, guess)
        return likely - (weights**2).sum(axis=-1) / (2.0 * config.spread**2), values

    weights = config.spread * rng.normal(size=(*shape, size))
    present, values = posterior(weights, None)
    usual = np.log(2.38 / np.sqrt(size))  # of a normal density (Roberts, Gelman and Gilks 1997)
    step_shape = np.broadcast_to(config.spread * np.eye(size), (*shape[:-1], 1, size, size))
    log_step = np.full((*shape[:-1], 1, 1), usual)
    accepted, visited, kept = np.zeros(shape[:-1]), [], []
    for step in range(-config.burn_in, config.steps):
        if step in (-config.burn_in // 4 * 3, -config.burn_in // 2, -config.burn_in // 4):
            step_shape, log_step = _shape(visited[len(visited) // 2 :], config.spread), np.full_like(log_step, usual)
        move = (step_shape @ rng.normal(size=(*shape, size))[..., None])[..., 0]
        proposal = weights + np.exp(log_step) * move
        proposed, new_values = posterior(proposal, values)
        accept = np.log(rng.random(shape)) < proposed - present
        weights = np.where(accept[..., None], proposal, weights)
        values = np.where(accept[..., None], new_values, values)
        present = np.where(accept, proposed, present)
        if step < 0:
            visited.append(weights)
            # Robbins and Monro; afterwards the size stays, or this would not be a Markov chain.
            change = (accept.mean(axis=-1) - config.acceptance) / np.sqrt(config.burn_in + step + 1)
            log_step = log_step + change[..., None, None]
        else:
            accepted += accept.mean(axis=-1) / config.steps
            if step % config.thin == 0:
                kept.append(weights)
    chains = np.stack(kept, axis=-2)
    return Posterior(chains, accepted, r_hat(chains), effective_sample_size(chains))


def _check(mdp: MDP, phi: Array, counts: Array) -> None:
    """What `sample` refuses."""
    if mdp.horizon is not None:
        raise DataError("This demonstrator does not know how many steps are left, but the MDP has a horizon.",
                        next_step="Give it a discount below 1 and no horizon.")
    if counts.shape[-2:] != phi.shape[:2] or not np.isfinite(counts).all() or (counts < 0.0).any():
        raise DataError(f"The choices have the shape {counts.shape}, or are no numbers from 0.",
                        valid=f"(..., {mdp.states}, {mdp.actions}).")


def _shape(visited: list[Array], spread: float) -> Array:
    """A root of the covariance of what the chains of a data set have visited, (..., 1, F, F)."""
    points = np.concatenate(visited, axis=-2)
    size, count = points.shape[-1], points.shape[-2]
    centred = points - points.mean(axis=-2, keepdims=True)
    covariance = centred.swapaxes(-1, -2) @ centred / count
    # So few and so dependent points would rule out directions.
    own = covariance * np.eye(size)
    share = size / (size + 0.1 * count)
    return np.linalg.cholesky((1.0 - share) * covariance + share * own + 1e-9 * spread**2 * np.eye(size))[..., None, :, :]


def r_hat(chains: Array) -> Array:
    """Potential scale reduction, (..., C, K, F) -> (..., F): 1 when the chains agree. Each is halved, so that one that drifts does
    not agree with itself (Gelman et al. 2013, Bayesian Data Analysis, section 11.4).
    """
    half = chains.shape[-2] // 2
    halves = np.concatenate([chains[..., :half, :], chains[..., half : 2 * half, :]], axis=-3)
    within = halves.var(axis=-2, ddof=1).mean(axis=-2)
    between = halves.mean(axis=-2).var(axis=-2, ddof=1)
    return np.sqrt((half - 1) / half + between / np.maximum(within, 1e-300))


def effective_sample_size(chains: Array) -> Array:
    """Independent samples that chains are worth, (..., C, K, F) -> (..., F), from their autocorrelation up to where the sum of two
    neighbours falls below 0 (Geyer 1992; Gelman et al. 2013, section 11.5).
    """
    length = chains.shape[-2]
    centred = chains - chains.mean(axis=-2, keepdims=True)
    spectrum = np.fft.rfft(centred, 2 * length, axis=-2)
    covariance = np.fft.irfft(abs(spectrum) ** 2, axis=-2)[..., :length, :].mean(axis=-3) / length
    within = covariance[..., :1, :] * length / (length - 1)
    total = within * (length - 1) / length + chains.mean(axis=-2).var(axis=-2, ddof=1)[..., None, :]
    correlation = 1.0 - (within - covariance) / np.maximum(total, 1e-300)
    pairs = correlation[..., : length // 2 * 2, :].reshape(*correlation.shape[:-2], length // 2, 2, -1).sum(axis=-2)
    positive = np.minimum.accumulate(pairs > 0.0, axis=-2)
    time = np.maximum(2.0 * (pairs * positive).sum(axis=-2) - 1.0, 1.0 / np.log10(chains.shape[-3] * length))
    return chains.shape[-3] * length / time
