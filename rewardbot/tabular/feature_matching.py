"""Feature matching: a mixture of policies that visits features as often as the expert, so that no linear reward tells them apart.

Abbeel and Ng 2004, Apprenticeship Learning via Inverse Reinforcement Learning; Syed and Schapire 2008, A Game-Theoretic Approach to
Apprenticeship Learning. Both are the basic loop of inverse reinforcement learning, `match`,

    repeat:  w <- a reward under which the expert beats the mixture so far;  pi <- argmax_pi w . mu(pi);  mix pi in

mu(pi) = E[sum_t gamma^t phi(s_t, a_t)], and differ in how they choose w and mix: `Projection` and `MultiplicativeWeights`. Whatever
the true weights w, |w . mu_E - w . mu| <= ||w||_1 max_i |mu_E - mu|_i.

Learns from: demonstrations.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import numpy as np

from rewardbot.errors import ConfigError, DataError
from rewardbot.tabular.mdp import MDP, Array, occupancy, plan, uniform


def feature_expectations(mdp: MDP, features: Array, visits: Array) -> Array:
    """mu, (..., F), of how often each state and action is visited, (..., S, A): `mdp.occupancy` or `demonstrations.demonstrated`."""
    return np.einsum("...sa,saf->...f", visits, mdp.features(features))


class Rule(Protocol):
    """How the loop chooses weights and mixes policies. A gap is mu_E less mu of the mixture, (F,)."""

    def weights(self, gap: Array, rounds: int) -> Array:
        """w, (F,), after so many rounds."""
        ...

    def share(self, gap: Array, step: Array, rounds: int) -> float:
        """What the newest policy has of the mixture; `step` is its mu less that of the mixture, `rounds` counts this one."""
        ...

    def margin(self, gap: Array) -> float:
        """By how much the expert beats the mixture under the weights, of this rule's norm, that are worst for it."""
        ...


class Projection:
    """w = mu_E - mu; the mixture moves to the point nearest to mu_E on the line to the newest policy (Abbeel and Ng, section 3.1)."""

    def weights(self, gap: Array, rounds: int) -> Array:
        return gap

    def share(self, gap: Array, step: Array, rounds: int) -> float:
        return float(np.clip(gap @ step / max(step @ step, 1e-300), 0.0, 1.0))

    def margin(self, gap: Array) -> float:
        return float(np.linalg.norm(gap))


@dataclass(frozen=True)
class MultiplicativeWeights:
    """A game: against each policy the weights of features that the expert has more of grow by e^(rate gap); all policies count alike.

    The sign of a weight is free: a player may bet on each feature and on its opposite, so that ||w||_1 <= 1.

    Attributes:
        rate: in units of 1 / mu.
    """

    rate: float

    def weights(self, gap: Array, rounds: int) -> Array:
        # The product of all factors so far, because the gap of an average is the average of the gaps.
        bets = self.rate * rounds * np.concatenate([gap, -gap])
        bets = np.exp(bets - bets.max())
        bets /= bets.sum()
        return bets[: len(gap)] - bets[len(gap) :]

    def share(self, gap: Array, step: Array, rounds: int) -> float:
        return 1.0 / rounds

    def margin(self, gap: Array) -> float:
        return float(abs(gap).max())


@dataclass(frozen=True)
class Match:
    """What the loop found.

    Attributes:
        weights: w of each round, (N, F).
        policies: of each round, after the uniform one that it began with, (N + 1, S, A), or (N + 1, T, S, A) with a horizon.
        shares: how likely the mixture follows each of them for a whole episode, (N + 1,), together 1.
        visits: occupancy of the mixture, (S, A).
        features: mu of the mixture, (F,).
        margins: at the beginning and after each round, see `Rule.margin`, (N + 1,).
    """

    weights: Array
    policies: Array
    shares: Array
    visits: Array
    features: Array
    margins: Array


def match(mdp: MDP, features: Array, expert: Array, rule: Rule, *, rounds: int = 60, enough: float = 0.0) -> Match:
    """The basic loop.

    Args:
        features: of states (S, F), or of states and actions (S, A, F).
        expert: mu_E, (F,), see `feature_expectations`.
        rounds: at most so many.
        enough: margin at which to stop.

    Raises:
        ConfigError: no rounds.
        DataError: mu_E of another length, or not finite.
    """
    if rounds < 1:
        raise ConfigError(f"There are {rounds} rounds.", valid="1 or more.")
    phi = mdp.features(features)
    if expert.shape != phi.shape[-1:] or not np.isfinite(expert).all():
        raise DataError(f"The expert's feature expectations have the shape {expert.shape}.", valid=f"{phi.shape[-1:]}, finite.")
    visits = occupancy(mdp, uniform(mdp))
    policies, shares, weights = [uniform(mdp)], np.ones(1), []
    margins = [rule.margin(expert - feature_expectations(mdp, phi, visits))]
    while len(weights) < rounds and margins[-1] > enough:
        gap = expert - feature_expectations(mdp, phi, visits)
        weights.append(rule.weights(gap, len(weights)))
        policies.append(plan(mdp, phi @ weights[-1]).policy)
        newest = occupancy(mdp, policies[-1])
        share = rule.share(gap, feature_expectations(mdp, phi, newest - visits), len(weights))
        shares = np.append((1.0 - share) * shares, share)
        visits = (1.0 - share) * visits + share * newest
        margins.append(rule.margin(expert - feature_expectations(mdp, phi, visits)))
    stacked = np.stack(np.broadcast_arrays(*policies))
    return Match(np.array(weights).reshape(-1, len(expert)), stacked, shares, visits, feature_expectations(mdp, phi, visits),
                 np.array(margins))
