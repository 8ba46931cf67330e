"""Were these demonstrations enough, and if not, where to ask for the next: by how much the robot may do worse than it could.

Trinh, Chen and Brown 2024, Autonomous Assessment of Demonstration Sufficiency via Bayesian Inverse Reinforcement Learning; Brown,
Cui and Niekum 2018, Risk-Aware Active Inverse Reinforcement Learning. The robot does what is best for the posterior's mean. If
reward R is the true one, of all that could be gained over acting at random it loses

    nEVD(R) = (V*_R - V^pi_R) / (V*_R - V^random_R),   R a sample of `bayesian_irl.py`

What it loses at most but for a small probability is a value at risk. Below a bound chosen beforehand the demonstrator may stop; else
he is asked about the state in which the value at risk is the largest.

Learns from: demonstrations, asked for where they tell most.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
from scipy.stats import binom

from rewardbot.config import setting
from rewardbot.errors import ConfigError
from rewardbot.tabular.bayesian_irl import BayesianConfig, Posterior, sample
from rewardbot.tabular.demonstrations import Demonstrations, choices, join
from rewardbot.tabular.mdp import MDP, Array, evaluate, plan, uniform

SAMPLER = BayesianConfig()


@dataclass(frozen=True)
class SufficiencyConfig:
    """When to stop."""

    enough: float = setting(0.1, "normalised value loss that is small enough", min=0.0, max=1.0)
    level: float = setting(0.95, "probability with which the loss is to be no larger", min=0.01, max=0.9999)
    confidence: float = setting(0.95, "with which the samples bound that quantile", min=0.5, max=0.9999)


@dataclass(frozen=True)
class Assessment:
    """What the demonstrations are worth.

    Attributes:
        posterior: of the reward's weights.
        policy: what the robot would do, (S, A).
        risk: bound of the normalised value loss, see `SufficiencyConfig`; 1 is no better than acting at random. Samples that depend
            on each other bound it less surely: see the posterior's `effective`.
        sufficient: whether that is small enough.
        query: the state to ask about.
    """

    posterior: Posterior
    policy: Array
    risk: float
    sufficient: bool
    query: int


def assess(
    mdp: MDP, features: Array, demonstrations: Demonstrations, sampler: BayesianConfig = SAMPLER,
    config: SufficiencyConfig = SufficiencyConfig(),
) -> Assessment:
    """See the module."""
    return judge(mdp, features, sample(mdp, features, choices(mdp, demonstrations), sampler), config)


def judge(mdp: MDP, features: Array, posterior: Posterior, config: SufficiencyConfig = SufficiencyConfig()) -> Assessment:
    """As `assess`, from the posterior."""
    phi = mdp.features(features)
    policy = plan(mdp, phi @ posterior.mean).policy
    lost, possible = losses(mdp, phi, posterior.samples, policy)
    total, most = lost @ mdp.start, possible @ mdp.start
    risk = value_at_risk(np.divide(total, most, out=np.zeros_like(total), where=most > 1e-9), config)
    by_state = value_at_risk(lost, config)
    return Assessment(posterior, policy, float(risk), bool(risk <= config.enough), int(by_state.argmax()))


def losses(mdp: MDP, phi: Array, samples: Array, policy: Array) -> tuple[Array, Array]:
    """What a policy (S, A) loses against the best from each state under each of M rewards, weights (M, F), and what random actions
    lose, each (M, S).
    """
    reward = np.tensordot(samples, phi, axes=(-1, -1))
    best = plan(mdp, reward, tolerance=1e-8).v
    return np.maximum(best - evaluate(mdp, policy, reward), 0.0), best - evaluate(mdp, uniform(mdp), reward)


def value_at_risk(values: Array, config: SufficiencyConfig = SufficiencyConfig()) -> Array:
    """Upper bound of the `level` quantile of what M values, (M, ...), are samples of, with `confidence`: (...).

    The k-th smallest is above the quantile unless k or more of M samples are below it, which is a question of coin tosses.

    Raises:
        ConfigError: too few samples for any of them to be a bound.
    """
    count = len(values)
    place = int(binom.ppf(config.confidence, count, config.level))
    if place >= count:
        raise ConfigError(f"{count} samples say nothing about the {config.level:g} quantile with confidence {config.confidence:g}.",
                          next_step="Draw more, or ask for less.")
    return np.sort(values, axis=0)[place]


def until_sufficient(
    mdp: MDP, features: Array, first: Demonstrations, ask: Callable[[int], Demonstrations], sampler: BayesianConfig = SAMPLER,
    config: SufficiencyConfig = SufficiencyConfig(),
) -> Iterator[Assessment]:
    """Asks, each time about the riskiest state, until it is enough; every assessment on the way, the last one included.

    Args:
        ask: what the demonstrator does from that state.
    """
    demonstrations = first
    while True:
        found = assess(mdp, features, demonstrations, sampler, config)
        yield found
        if found.sufficient:
            return
        demonstrations = join([demonstrations, ask(found.query)])
