"""Learning from a learner: what somebody wants shows in how he improves, before he is any good.

Jacq, Geist, Paiva and Pietquin 2019, Learning from a Learner. The learner improves a policy pi1 to pi2 by one step of soft policy
iteration, pi2 ~ exp(Q_pi1 / alpha) with the soft value Q_pi1 of what he did before. Then

    r(s, a) = alpha log pi2(a|s) + alpha gamma E[KL(pi1(.|s') || pi2(.|s'))] + g(s) - gamma E[g(s')],   s' ~ P(.|s, a)

for some potential g, which changes no optimal policy (Ng, Harada and Russell 1999). `without_shaping` finds the reward of
features that is nearest to what several steps tell.

Learns from: how a learner acts before and after it improves.
"""

from __future__ import annotations

import numpy as np

from rewardbot.errors import DataError
from rewardbot.tabular.mdp import MDP, Array, evaluate

LEAST = 1e-12
"""Probability that stands for 0, which has no logarithm."""


def improve(mdp: MDP, policy: Array, reward: Array, temperature: float) -> Array:
    """One step of soft policy iteration: pi2 of pi1, (S, A), for rewards (S, A)."""
    check(mdp)
    policy = np.maximum(mdp.policy(policy), LEAST)
    entropy = np.where(mdp.terminal, 0.0, -(policy * np.log(policy)).sum(axis=-1))
    policy = policy / policy.sum(axis=-1, keepdims=True)
    q = reward + mdp.discount * mdp.after(evaluate(mdp, policy, reward + temperature * entropy[:, None]))
    weight = np.exp((q - q.max(axis=-1, keepdims=True)) / temperature)
    return mdp.policy(weight / weight.sum(axis=-1, keepdims=True))


def reward(mdp: MDP, before: Array, after: Array, temperature: float) -> Array:
    """r of one improvement, (S, A), up to shaping, from the policies before and after it, (S, A); the reward of terminal states is 0.

    Raises:
        DataError: an MDP with a horizon, or policies that are none.
    """
    check(mdp)
    first, second = (np.log(np.maximum(mdp.policy(policy), LEAST)) for policy in (before, after))
    divergence = (np.exp(first) * (first - second)).sum(axis=-1)
    divergence[mdp.terminal] = 0.0
    found = temperature * (second + mdp.discount * mdp.after(divergence))
    found[mdp.terminal] = 0.0
    return found


def without_shaping(mdp: MDP, rewards: Array, features: Array, weights: Array | None = None) -> Array:
    """The reward linear in features, w (F,), that explains rewards of improvements (N, S, A) best if each has a potential of its own.

    Least squares; of all that do equally well the smallest, so that only differences count.

    Args:
        features: of states (S, F), or of states and actions (S, A, F); the identity for a reward of each state.
        weights: how well each of them is known, (N, S, A), such as how often it was seen; alike if not given.
    """
    count, states, actions = rewards.shape
    weights = np.ones_like(rewards) if weights is None else weights
    goes_on = np.broadcast_to(~mdp.terminal[:, None], (states, actions))
    own = mdp.features(features).reshape(states * actions, -1)
    ahead = mdp.after(np.eye(states)).transpose(1, 2, 0).reshape(states * actions, states)
    potential = np.repeat(np.eye(states), actions, axis=0) - mdp.discount * ahead
    rows = []
    for index in range(count):
        potentials = [potential if other == index else np.zeros_like(potential) for other in range(count)]
        rows.append(np.concatenate([own, *potentials], axis=1))
    scale = np.sqrt(weights * goes_on).reshape(-1, 1)
    found = np.linalg.lstsq(scale * np.concatenate(rows), scale[:, 0] * rewards.reshape(-1), rcond=1e-10)[0]
    return np.asarray(found[: own.shape[1]], float)


def observed_policy(counts: Array, prior: float = 1.0) -> Array:
    """The policy behind choices, (..., S, A), each of which counts as seen `prior` times more."""
    return (counts + prior) / (counts + prior).sum(axis=-1, keepdims=True)


def check(mdp: MDP) -> None:
    """Refuses a horizon.

    Raises:
        DataError: there is one.
    """
    if mdp.horizon is not None:
        raise DataError("This learner's policy does not change with time, but the MDP has a horizon.",
                        next_step="Give it a discount below 1 and no horizon.")
