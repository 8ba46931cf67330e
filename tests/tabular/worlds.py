"""Grids that several tests share."""

from __future__ import annotations

import numpy as np

from rewardbot.tabular.mdp import MDP, Array, gridworld, occupancy, plan, uniform

SIDE = 8


def eight(**settings: object) -> MDP:
    """8 x 8 cells with some chance."""
    return gridworld(SIDE, SIDE, **{"slip": 0.2, "discount": 0.9, **settings})  # type: ignore[arg-type]


def blocks() -> Array:
    """Which of 16 blocks of 2 x 2 cells a state lies in, one-hot (64, 16): Abbeel and Ng's macro-cells."""
    row, column = np.divmod(np.arange(SIDE**2), SIDE)
    return np.eye(16)[row // 2 * 4 + column // 2]


def colours(rng: np.random.Generator, states: int, kinds: int = 5) -> Array:
    """Each state has one of so many colours, evenly spread, one-hot (S, kinds)."""
    return np.eye(kinds)[rng.permutation(np.arange(states) % kinds)]


def boltzmann(mdp: MDP, reward: Array, rationality: float) -> Array:
    """The demonstrator of Bayesian IRL: pi ~ exp(beta Q*), (..., S, A)."""
    q = plan(mdp, reward).q
    weight = np.exp(rationality * (q - q.max(axis=-1, keepdims=True)))
    return mdp.policy(weight / weight.sum(axis=-1, keepdims=True))


def value_lost(mdp: MDP, truth: Array, policy: Array) -> float:
    """(V* - V^pi) / (V* - V^random) under the true reward: 0 is the best, 1 acts at random."""
    best, found, random = ((occupancy(mdp, of) * truth).sum() for of in (plan(mdp, truth).policy, policy, uniform(mdp)))
    return float((best - found) / (best - random))


def correlation(first: Array, second: Array) -> float:
    """Of two rewards, of states or of states and actions."""
    return float(np.corrcoef(np.ravel(first), np.ravel(second))[0, 1])
