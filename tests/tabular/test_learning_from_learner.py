"""From two policies of a learner to what he learns: the identity, and rewards recovered from steps and from what was seen."""

from __future__ import annotations

import itertools

import numpy as np
import pytest

from rewardbot.errors import RewardbotError
from rewardbot.tabular.demonstrations import act, choices
from rewardbot.tabular.learning_from_learner import improve, observed_policy, reward, without_shaping
from rewardbot.tabular.mdp import MDP, Array, evaluate, gridworld, plan, uniform
from tests.tabular.worlds import SIDE, blocks, correlation, eight

TEMPERATURE = 0.5


def learner(mdp: MDP, truth: Array, steps: int, rng: np.random.Generator) -> list[Array]:
    """His policies, from one at random."""
    policies = [mdp.policy(rng.dirichlet(np.ones(4), mdp.states))]
    for _ in range(steps):
        policies.append(improve(mdp, policies[-1], truth, TEMPERATURE))
    return policies


def advantage(mdp: MDP, of: Array) -> Array:
    found = plan(mdp, of)
    return (found.q - found.v[:, None])[~mdp.terminal]


@pytest.mark.parametrize("terminal", [(), (SIDE**2 - 1,)])
@pytest.mark.parametrize("seed", range(3))
def test_the_optimal_policy_is_the_true_reward_s(seed: int, terminal: tuple[int, ...]) -> None:
    mdp, rng = eight(terminal=terminal), np.random.default_rng(seed)
    truth = rng.normal(size=(SIDE**2, 4))
    before, after = learner(mdp, truth, 1, rng)
    found = reward(mdp, before, after, TEMPERATURE)
    np.testing.assert_array_equal(plan(mdp, found).policy, plan(mdp, truth).policy)
    np.testing.assert_allclose(advantage(mdp, found), advantage(mdp, truth), atol=1e-13)


def test_the_rest_is_shaping() -> None:
    """r - r_true = -g(s) + gamma E[g(s')] with g = alpha log Z, the soft value of what the learner did before."""
    mdp, rng = eight(), np.random.default_rng(0)
    truth = rng.normal(size=(SIDE**2, 4))
    before, after = learner(mdp, truth, 1, rng)
    entropy = -(before * np.log(before)).sum(axis=1, keepdims=True)
    q = truth + mdp.discount * mdp.after(evaluate(mdp, before, truth + TEMPERATURE * entropy))
    potential = TEMPERATURE * np.log(np.exp(q / TEMPERATURE).sum(axis=1))
    difference = reward(mdp, before, after, TEMPERATURE) - truth
    np.testing.assert_allclose(difference, mdp.discount * mdp.after(potential) - potential[:, None], atol=1e-9)


def test_improvement_improves() -> None:
    mdp, rng = eight(), np.random.default_rng(0)
    truth = rng.normal(size=(SIDE**2, 4))
    soft = [evaluate(mdp, policy, truth - TEMPERATURE * np.log(policy)) for policy in learner(mdp, truth, 4, rng)]
    assert all((after >= before - 1e-9).all() for before, after in itertools.pairwise(soft))
    np.testing.assert_allclose(soft[-1], plan(mdp, truth, temperature=TEMPERATURE).v, atol=0.1)


def test_a_reward_of_states_is_recovered_but_for_a_constant() -> None:
    mdp, rng = eight(), np.random.default_rng(0)
    truth = rng.normal(size=SIDE**2)
    policies = learner(mdp, mdp.rewards(truth), 3, rng)
    steps = np.stack([reward(mdp, *pair, TEMPERATURE) for pair in itertools.pairwise(policies)])
    assert correlation(without_shaping(mdp, steps, np.eye(SIDE**2)), truth) > 1.0 - 1e-9


def test_from_what_was_seen_of_a_learner_who_is_not_good_yet() -> None:
    mdp, rng = eight(), np.random.default_rng(0)
    truth = rng.normal(size=SIDE**2)
    policies = learner(mdp, mdp.rewards(truth), 2, rng)

    def found(episodes: int) -> Array:
        counts = np.stack([choices(mdp, act(mdp, policy, episodes, rng, steps=20)) for policy in policies])
        seen = observed_policy(counts)
        steps = np.stack([reward(mdp, *pair, TEMPERATURE) for pair in itertools.pairwise(seen)])
        return without_shaping(mdp, steps, np.eye(SIDE**2), np.sqrt(counts[1:] * counts[:-1]))

    many = found(3000)
    assert correlation(many, truth) > 0.95 > correlation(found(30), truth)
    own = evaluate(mdp, plan(mdp, mdp.rewards(many)).policy, mdp.rewards(truth))
    assert own.mean() > evaluate(mdp, policies[-1], mdp.rewards(truth)).mean(), "better than the learner ever was"


def test_features_spare_most_of_what_must_be_seen() -> None:
    mdp, rng = eight(), np.random.default_rng(0)
    weights = rng.normal(size=16)
    policies = learner(mdp, mdp.rewards(blocks() @ weights), 2, rng)
    counts = np.stack([choices(mdp, act(mdp, policy, 200, rng, steps=20)) for policy in policies])
    seen = observed_policy(counts)
    steps = np.stack([reward(mdp, *pair, TEMPERATURE) for pair in itertools.pairwise(seen)])
    found = {name: features @ without_shaping(mdp, steps, features, np.sqrt(counts[1:] * counts[:-1]))
             for name, features in (("blocks", blocks()), ("states", np.eye(SIDE**2)))}
    agrees = {name: correlation(of, blocks() @ weights) for name, of in found.items()}
    assert agrees["blocks"] > agrees["states"] + 0.2, agrees


def test_a_learner_who_learns_nothing_wants_nothing() -> None:
    mdp = eight()
    found = reward(mdp, uniform(mdp), uniform(mdp), TEMPERATURE)
    assert np.ptp(found) < 1e-12 and abs(without_shaping(mdp, found[None], np.eye(SIDE**2))).max() < 1.0


def test_a_horizon_is_refused() -> None:
    mdp = gridworld(2, 2, discount=1.0, horizon=3)
    with pytest.raises(RewardbotError, match="has a horizon"):
        reward(mdp, uniform(mdp), uniform(mdp), 1.0)
