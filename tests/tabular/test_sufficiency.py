"""When demonstrations are enough, and that a question about the riskiest state is worth more than one about any."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from scipy.stats import binom

from rewardbot.errors import RewardbotError
from rewardbot.tabular.bayesian_irl import BayesianConfig
from rewardbot.tabular.demonstrations import Demonstrations, act, join
from rewardbot.tabular.mdp import MDP, Array, gridworld, plan, uniform
from rewardbot.tabular.sufficiency import SufficiencyConfig, assess, losses, until_sufficient, value_at_risk
from tests.tabular.worlds import boltzmann, colours, value_lost

SAMPLER = BayesianConfig(burn_in=300, steps=500)
GRID = gridworld(5, 5, slip=0.1, discount=0.9)


def world(seed: int) -> tuple[Array, Array, Array, np.random.Generator]:
    """Features, true reward, and a demonstrator who errs now and then."""
    rng = np.random.default_rng(seed)
    features = colours(rng, 25)
    truth = GRID.rewards(features @ rng.normal(size=5))
    return features, truth, boltzmann(GRID, truth, SAMPLER.rationality), rng


def test_the_loss_by_hand() -> None:
    """Staying in state 0, whose reward is 1, is worth 2; leaving 1, and nothing afterwards. Chance does either."""
    mdp = MDP([[[1.0, 0.0], [0.0, 1.0]], [[0.0, 1.0], [0.0, 1.0]]], discount=0.5, start=[1.0, 0.0])
    phi, leave = mdp.features([[1.0], [0.0]]), np.array([[0.0, 1.0], [0.0, 1.0]])
    lost, possible = losses(mdp, phi, np.array([[1.0], [-1.0]]), leave)
    np.testing.assert_allclose(lost, [[1.0, 0.0], [0.0, 0.0]], atol=1e-9)
    np.testing.assert_allclose(possible, [[2.0 - 4 / 3, 0.0], [-1.0 + 4 / 3, 0.0]], atol=1e-9)


def test_the_value_at_risk_is_a_quantile_and_its_bound_holds() -> None:
    rng, config = np.random.default_rng(0), SufficiencyConfig()
    values = rng.random((100, 4000))
    bounds = value_at_risk(values, config)
    assert (bounds >= 0.95).mean() == pytest.approx(binom.cdf(99 - 1, 100, 0.95), abs=0.01), "with 100 samples it is the next to last"
    assert (bounds >= 0.95).mean() >= config.confidence
    assert value_at_risk(np.linspace(0.0, 1.0, 100_001), config) == pytest.approx(0.95, abs=0.005)
    with pytest.raises(RewardbotError, match=r"20 samples say nothing about the 0\.95 quantile"):
        value_at_risk(rng.random(20), config)


def test_the_risk_falls_with_the_number_of_demonstrations() -> None:
    """Mean of four worlds; the demonstrations are ten steps long."""
    counts, risks = (1, 3, 10, 40), []
    for seed in range(4):
        features, _, expert, rng = world(seed)
        shown = act(GRID, expert, 40, rng, steps=10)
        risks.append([assess(GRID, features, shown[:count], SAMPLER).risk for count in counts])
    mean = np.mean(risks, axis=0)
    assert (np.diff(mean) < 0.0).all() and (mean <= [0.69, 0.06, 0.015, 0.003]).all(), mean


@pytest.mark.parametrize("seed", range(3))
def test_it_stops_when_the_loss_is_small_and_then_it_is(seed: int) -> None:
    features, truth, expert, rng = world(seed)

    def ask(state: int) -> Demonstrations:
        return act(GRID, expert, 1, rng, steps=3, start=[state])

    *before, last = until_sufficient(GRID, features, ask(0), ask, SAMPLER, SufficiencyConfig(enough=0.05))
    assert last.sufficient and last.risk <= 0.05 and not any(one.sufficient for one in before)
    assert [one.demonstrations for one in [*before, last]] == list(range(1, len(before) + 2))
    assert value_lost(GRID, truth, last.policy) <= 0.05


def test_asking_where_the_risk_is_largest_beats_asking_anywhere() -> None:
    """Equal counts, one step in each answer; mean risk over six worlds and all numbers of questions."""
    asked: dict[str, list[float]] = {"riskiest": [], "any": []}
    for seed in range(6):
        features, _, expert, _ = world(seed)
        for name, of in asked.items():
            rng = np.random.default_rng([seed, 1])
            shown = act(GRID, expert, 1, rng, steps=1, start=[0])
            for _ in range(10):
                found = assess(GRID, features, shown, replace(SAMPLER, burn_in=200, steps=300))
                of.append(found.risk)
                state = found.query if name == "riskiest" else int(rng.integers(25))
                shown = join([shown, act(GRID, expert, 1, rng, steps=1, start=[state])])
    assert np.mean(asked["riskiest"]) < 0.95 * np.mean(asked["any"]), {name: np.mean(of) for name, of in asked.items()}


def test_a_random_expert_is_never_sure_to_be_understood() -> None:
    """Whoever chooses by chance has no reward that could be worth much: what is lost is a large share of next to nothing."""
    features, *_, rng = world(0)
    found = assess(GRID, features, act(GRID, uniform(GRID), 10, rng, steps=10), SAMPLER)
    best = plan(GRID, GRID.features(features) @ found.posterior.mean).v
    assert np.isfinite(found.risk) and np.ptp(best) < 1.0
