"""Bayesian IRL: the likelihood by hand, the sampler against a grid of numbers, and whether it knows how sure it is."""

from __future__ import annotations

import numpy as np
import pytest

from rewardbot.errors import RewardbotError
from rewardbot.tabular.bayesian_irl import BayesianConfig, effective_sample_size, log_likelihood, r_hat, sample
from rewardbot.tabular.demonstrations import act, choices
from rewardbot.tabular.mdp import MDP, Array, gridworld, plan
from tests.tabular.worlds import boltzmann, colours

SHORT = BayesianConfig(burn_in=200, steps=400)


def test_the_likelihood_is_a_boltzmann_demonstrator_s_who_knows_the_hard_values() -> None:
    """Staying where the reward is w, or leaving to where it is 0: Q* differ by w / (1 - gamma) less w, if w > 0."""
    mdp = MDP([[[1.0, 0.0], [0.0, 1.0]], [[0.0, 1.0], [0.0, 1.0]]], discount=0.5)
    phi, counts = mdp.features([[1.0], [0.0]]), np.array([[3.0, 1.0], [0.0, 7.0]])
    found, values = log_likelihood(mdp, phi, counts, np.array([[0.8], [-0.8]]), rationality=2.0)
    better = 1.0 / (1.0 + np.exp(-2.0 * 0.8))
    worse = 1.0 / (1.0 + np.exp(2.0 * 0.4))
    np.testing.assert_allclose(found, [3 * np.log(p) + np.log(1 - p) + 7 * np.log(0.5) for p in (better, worse)], atol=1e-4)
    np.testing.assert_allclose(values, [[1.6, 0.0], [-0.8, 0.0]], atol=1e-4)


def test_the_samples_are_those_of_the_posterior() -> None:
    """Of one weight, whose posterior is added up on a grid of numbers."""
    mdp = gridworld(2, 2, slip=0.2, discount=0.8)
    phi, counts = mdp.features([[0.0], [0.0], [0.0], [1.0]]), np.zeros((4, 4))
    counts[0] = [2, 4, 3, 2]
    at = np.linspace(-5.0, 5.0, 2001)
    log = log_likelihood(mdp, phi, counts, at[:, None], 5.0)[0] - at**2 / 2.0
    weight = np.exp(log - log.max())
    weight /= weight.sum()
    found = sample(mdp, phi, counts, BayesianConfig(burn_in=200, steps=2000, thin=2, chains=8))
    error = found.samples.std() / np.sqrt(found.effective[0])
    assert found.mean[0] == pytest.approx(weight @ at, abs=4 * error)
    quantiles = np.interp([0.05, 0.5, 0.95], np.cumsum(weight), at)
    assert np.quantile(found.samples, [0.05, 0.5, 0.95]) == pytest.approx(quantiles, abs=6 * error)
    assert found.r_hat[0] < 1.05 and found.effective[0] > 300 and 0.15 < found.acceptance < 0.6


def test_ninety_percent_intervals_hold_the_truth_as_often_as_they_say() -> None:
    """48 true rewards of a 5 x 5 grid with five colours, each with demonstrations of its own: 240 intervals."""
    mdp, rng = gridworld(5, 5, slip=0.1, discount=0.9), np.random.default_rng(0)
    features = colours(rng, 25)
    truth = rng.normal(size=(48, 5))
    experts = boltzmann(mdp, np.broadcast_to((truth @ features.T)[..., None], (48, 25, 4)), rationality=2.0)
    counts = np.stack([choices(mdp, act(mdp, expert, 5, rng, steps=10)) for expert in experts])
    found = sample(mdp, features, counts, BayesianConfig(rationality=2.0, chains=3, burn_in=200, steps=400))
    low, high = found.interval(0.9)
    assert 0.83 <= ((low <= truth) & (truth <= high)).mean() <= 0.98
    assert np.median(found.r_hat) < 1.1 and np.median(found.effective) > 40, (found.r_hat.max(), found.effective.min())


def test_what_was_demonstrated_is_known_and_nothing_else() -> None:
    """A colour that is in a part of the grid to which no way leads keeps its prior."""
    tensor = np.zeros((4, 2, 4))
    tensor[[0, 0, 1, 1, 2, 2, 3, 3], [0, 1] * 4, [0, 1, 0, 1, 2, 3, 2, 3]] = 1.0
    mdp = MDP(tensor, discount=0.5)
    counts = np.array([[5.0, 45.0], [5.0, 45.0], [0.0, 0.0], [0.0, 0.0]])
    found = sample(mdp, np.eye(4), counts, BayesianConfig(burn_in=300, steps=1500, chains=8))
    spread = found.samples.std(axis=0)
    difference = found.samples[:, 1] - found.samples[:, 0]
    assert difference.min() > 0.0 and difference.std() < 0.25
    np.testing.assert_allclose(spread[2:], 1.0, atol=0.2)


def test_data_sets_apart_and_together() -> None:
    mdp = gridworld(2, 2, discount=0.8)
    counts = np.zeros((2, 4, 4))
    counts[0, 0, 1] = counts[1, 0, 2] = 20.0
    found = sample(mdp, np.eye(4), counts, SHORT)
    assert found.chains.shape == (2, 4, 100, 4) and found.samples.shape == (2, 400, 4) and found.acceptance.shape == (2,)
    assert found.mean[0, 1] > found.mean[0, 2] and found.mean[1, 1] < found.mean[1, 2]
    alone = sample(mdp, np.eye(4), counts[0], SHORT)
    np.testing.assert_allclose(alone.mean, found.mean[0], atol=0.5)


def test_r_hat_and_effective_sample_size_of_chains_that_are_known() -> None:
    rng = np.random.default_rng(0)
    independent = rng.normal(size=(4, 500, 1))
    assert r_hat(independent)[0] == pytest.approx(1.0, abs=0.01)
    assert effective_sample_size(independent)[0] == pytest.approx(2000, rel=0.15)
    sluggish = np.zeros((4, 4000, 1))
    for step in range(1, 4000):
        sluggish[:, step] = 0.9 * sluggish[:, step - 1] + rng.normal(size=(4, 1))
    assert effective_sample_size(sluggish)[0] == pytest.approx(16_000 * (1 - 0.9) / (1 + 0.9), rel=0.2)
    apart = independent + np.array([0.0, 0.0, 3.0, 3.0])[:, None, None]
    assert r_hat(apart)[0] > 1.5 and effective_sample_size(apart)[0] < 20
    drifting = independent + np.linspace(0.0, 5.0, 500)[:, None]
    assert r_hat(drifting)[0] > 1.3, "each chain alone, in its halves"


# Bad input.


def test_a_random_expert_leaves_the_reward_flat() -> None:
    mdp = gridworld(3, 3, discount=0.9)
    found = sample(mdp, np.eye(9), np.full((9, 4), 50.0), BayesianConfig(burn_in=500, steps=500))
    assert np.ptp(found.mean) < 0.15


def test_one_demonstration_leaves_most_of_it_open() -> None:
    mdp = gridworld(3, 3, discount=0.9)
    shown = act(mdp, plan(mdp, mdp.rewards(np.eye(9)[8])).policy, 1, np.random.default_rng(0), steps=5)
    found = sample(mdp, np.eye(9), choices(mdp, shown), SHORT)
    assert np.isfinite(found.chains).all() and found.samples.std(axis=0).min() > 0.4


@pytest.mark.parametrize(("counts", "said"), [
    (np.zeros((3, 4)), r"shape \(3, 4\)"), (np.full((4, 4), np.nan), "no numbers from 0"), (-np.ones((4, 4)), "no numbers from 0")])
def test_choices_that_are_none(counts: Array, said: str) -> None:
    with pytest.raises(RewardbotError, match=said):
        sample(gridworld(2, 2, discount=0.9), np.eye(4), counts, SHORT)


def test_a_horizon_is_refused() -> None:
    with pytest.raises(RewardbotError, match="how many steps are left"):
        sample(gridworld(2, 2, discount=1.0, horizon=3), np.eye(4), np.zeros((4, 4)), SHORT)
