"""Maximum entropy inverse reinforcement learning: of all policies that match the expert's features, the one that is random otherwise.

Ziebart, Maas, Bagnell and Dey 2008, Maximum Entropy Inverse Reinforcement Learning; for dynamics with chance, Ziebart, Bagnell and
Dey 2010, Modeling Interaction via the Principle of Maximum Causal Entropy. With r = w . phi the expert is taken for soft-optimal, and

    L(w) = sum_{s, a} D_E(s, a) w . phi(s, a) - E[V_soft(s_0)],   dL/dw = mu_E - mu_pi,   pi the soft plan for w

D_E is how often the expert is in a state and does an action. L is concave; on episodes of the whole horizon its mean is the mean
log-likelihood of what was done.

Learns from: demonstrations.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.optimize import minimize

from rewardbot.config import setting
from rewardbot.errors import DataError
from rewardbot.tabular.feature_matching import feature_expectations
from rewardbot.tabular.mdp import MDP, Array, occupancy, plan


@dataclass(frozen=True)
class MaxEntConfig:
    """Of the fit."""

    temperature: float = setting(1.0, "temperature of the soft plan, in units of reward", min=1e-6)
    decay: float = setting(1e-2, "weight of |w|^2 / 2, which keeps a reward finite that few demonstrations do not bound", min=0.0)
    iterations: int = setting(500, "at most so many steps of L-BFGS", min=1)


@dataclass(frozen=True)
class MaxEntReward:
    """What was found.

    Attributes:
        weights: w, (F,).
        reward: w . phi, (S, A).
        policy: the soft plan for it, (S, A), or (T, S, A) with a horizon.
        likelihood: L(w), without decay.
        gap: largest difference of the features of expert and policy.
    """

    weights: Array
    reward: Array
    policy: Array
    likelihood: float
    gap: float


def likelihood(mdp: MDP, phi: Array, expert: Array, weights: Array, temperature: float = 1.0) -> tuple[float, Array]:
    """L(w) and its gradient (F,) for features (S, A, F), the expert's D_E (S, A) and weights (F,)."""
    reward = phi @ weights
    soft = plan(mdp, reward, temperature=temperature)
    first = soft.v if mdp.horizon is None else soft.v[0]
    visits = occupancy(mdp, soft.policy)
    return float((expert * reward).sum() - mdp.start @ first), feature_expectations(mdp, phi, expert - visits)


def fit(mdp: MDP, features: Array, expert: Array, config: MaxEntConfig = MaxEntConfig()) -> MaxEntReward:
    """The reward under which the expert is most likely.

    Args:
        mdp: its `start` should be that of the demonstrations, see `demonstrations.as_shown`.
        features: of states (S, F), or of states and actions (S, A, F).
        expert: D_E, (S, A), see `demonstrations.demonstrated` and `mdp.occupancy`.

    Raises:
        DataError: D_E of another shape, not finite, or below 0.
    """
    phi = mdp.features(features)
    check_visits(mdp, expert)

    def objective(weights: Array) -> tuple[float, Array]:
        value, gradient = likelihood(mdp, phi, expert, weights, config.temperature)
        return config.decay / 2.0 * float(weights @ weights) - value, config.decay * weights - gradient

    found = minimize(objective, np.zeros(phi.shape[-1]), jac=True, method="L-BFGS-B", options={
        "maxiter": config.iterations, "maxfun": 2 * config.iterations, "ftol": 1e-14, "gtol": 1e-8})
    weights: Array = found.x
    value, gradient = likelihood(mdp, phi, expert, weights, config.temperature)
    reward = phi @ weights
    return MaxEntReward(weights, reward, plan(mdp, reward, temperature=config.temperature).policy, value, float(abs(gradient).max()))


def check_visits(mdp: MDP, expert: Array) -> None:
    """Checks how often an expert visits states and actions.

    Raises:
        DataError: another shape than (S, A), not finite, or below 0.
    """
    if expert.shape != (mdp.states, mdp.actions) or not np.isfinite(expert).all() or (expert < 0.0).any():
        raise DataError(f"The expert's visits have the shape {expert.shape}, or are no numbers from 0.",
                        valid=f"({mdp.states}, {mdp.actions}), from demonstrations.demonstrated or mdp.occupancy.")
