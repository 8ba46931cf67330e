"""Maximum entropy: its gradient by finite differences, and the reward that it finds in exact visits and in demonstrations."""

from __future__ import annotations

import numpy as np
import pytest

from rewardbot.errors import RewardbotError
from rewardbot.tabular.demonstrations import Demonstrations, act, as_shown, demonstrated
from rewardbot.tabular.maxent_irl import MaxEntConfig, MaxEntReward, fit, likelihood
from rewardbot.tabular.mdp import MDP, Array, gridworld, occupancy, plan, uniform
from tests.tabular.worlds import SIDE, correlation, eight, value_lost

EXACT = MaxEntConfig(decay=0.0)
SEEDS = range(4)
DRAWS = range(10)


@pytest.mark.parametrize("settings", [{}, {"horizon": 6, "discount": 1.0}, {"terminal": [8]}])
@pytest.mark.parametrize("temperature", [0.3, 1.0])
def test_the_gradient_by_finite_differences(settings: dict[str, object], temperature: float) -> None:
    mdp = gridworld(3, 3, **{"slip": 0.2, "discount": 0.9, **settings})  # type: ignore[arg-type]
    rng = np.random.default_rng(0)
    phi, weights = rng.normal(size=(9, 4, 3)), rng.normal(size=3)
    expert = occupancy(mdp, mdp.policy(rng.dirichlet(np.ones(4), 9)))
    _, gradient = likelihood(mdp, phi, expert, weights, temperature)
    for index, step in enumerate(1e-5 * np.eye(3)):
        up, down = (likelihood(mdp, phi, expert, weights + sign * step, temperature)[0] for sign in (1.0, -1.0))
        assert gradient[index] == pytest.approx((up - down) / 2e-5, rel=1e-5, abs=1e-6)


def test_the_likelihood_is_that_of_what_was_done() -> None:
    """Where chance has no say, exactly."""
    mdp = gridworld(3, 3, discount=1.0, horizon=5)
    rng = np.random.default_rng(0)
    phi, weights = mdp.features(np.eye(9)), rng.normal(size=9)
    soft = plan(mdp, phi @ weights, temperature=1.0)
    shown = act(mdp, uniform(mdp), 30, rng)
    likely = np.log(soft.policy[np.arange(5), shown.states, shown.actions]).sum(axis=1).mean()
    assert likelihood(as_shown(mdp, shown), phi, demonstrated(mdp, shown), weights)[0] == pytest.approx(likely)


@pytest.mark.parametrize("settings", [{}, {"horizon": 20, "discount": 1.0}])
@pytest.mark.parametrize("seed", SEEDS)
def test_exact_visits_give_the_reward_of_every_state(seed: int, settings: dict[str, object]) -> None:
    """64 free numbers."""
    mdp = eight(**settings)
    truth = mdp.rewards(np.random.default_rng(seed).normal(size=SIDE**2))
    found = fit(mdp, np.eye(SIDE**2), occupancy(mdp, plan(mdp, truth, temperature=1.0).policy), EXACT)
    assert correlation(found.reward, truth) > 0.9995 and found.gap < 1e-3
    assert value_lost(mdp, truth, plan(mdp, found.reward).policy) < 1e-3


def from_demonstrations(seed: int, count: int) -> tuple[float, float]:
    """Correlation and normalised value lost with a reward of five features, learned from episodes of 20 steps."""
    rng = np.random.default_rng(seed)
    mdp, features = eight(horizon=20, discount=1.0), rng.normal(size=(SIDE**2, 5))
    weights = rng.normal(size=5)
    truth = mdp.rewards(features @ weights / np.linalg.norm(weights))
    shown = act(mdp, plan(mdp, truth, temperature=1.0).policy, count, rng)
    found = fit(as_shown(mdp, shown), features, demonstrated(mdp, shown))
    return correlation(found.reward, truth), value_lost(mdp, truth, plan(mdp, found.reward).policy)


def test_two_hundred_demonstrations_are_enough_and_twenty_are_not() -> None:
    many, few = (np.mean([from_demonstrations(seed, count) for seed in DRAWS], axis=0) for count in (200, 20))
    assert many[0] >= 0.99 and many[1] <= 0.007, many
    assert 0.82 <= few[0] < many[0] and few[1] > many[1], few


def test_the_expert_s_features_are_matched() -> None:
    rng = np.random.default_rng(0)
    mdp, features = eight(), rng.normal(size=(SIDE**2, 5))
    expert = occupancy(mdp, mdp.policy(rng.dirichlet(np.ones(4), SIDE**2)))
    found = fit(mdp, features, expert, EXACT)
    phi = mdp.features(features)
    np.testing.assert_allclose(np.tensordot(occupancy(mdp, found.policy) - expert, phi, 2), 0.0, atol=1e-5)


# Bad input.


def found_from(mdp: MDP, shown: Demonstrations) -> MaxEntReward:
    return fit(as_shown(mdp, shown), np.eye(mdp.states), demonstrated(mdp, shown))


def test_a_random_expert_wants_nothing() -> None:
    mdp = eight()
    found = fit(mdp, np.eye(SIDE**2), occupancy(mdp, uniform(mdp)))
    assert np.ptp(found.reward) < 1e-6
    np.testing.assert_allclose(found.policy, 0.25, atol=1e-6)


def test_one_demonstration_makes_its_own_states_the_best() -> None:
    mdp = gridworld(4, 4, discount=0.9)
    shown = Demonstrations(np.array([[0, 1, 2, 3] + [3] * 20]), np.array([[1] * 24]))
    found = found_from(mdp, shown)
    assert np.isfinite(found.reward).all() and found.reward[:, 0].argmax() == 3
    assert (found.policy[:3].argmax(axis=1) == 1).all()


def test_a_terminal_state_that_nobody_reaches_gets_no_reward() -> None:
    halves = np.zeros((4, 2, 4))
    halves[[0, 0, 1, 1, 2, 2], [0, 1] * 3, [0, 1, 0, 1, 2, 3]] = 1.0
    mdp = MDP(halves, discount=0.9, terminal=[3])
    found = found_from(mdp, Demonstrations(np.array([[0, 1, 1, 1, 1]]), np.array([[1, 1, 1, 1, 1]])))
    assert abs(found.reward[2:]).max() < 1e-6 and found.reward[1, 0] > found.reward[0, 0]


@pytest.mark.parametrize("expert", [np.zeros((3, 4)), np.full((64, 4), np.nan), np.full((64, 4), -1.0)])
def test_what_no_expert_visits(expert: Array) -> None:
    with pytest.raises(RewardbotError, match="expert's visits"):
        fit(eight(), np.eye(64), expert)
