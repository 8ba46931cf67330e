"""When demonstrations are enough, and that a question about the riskiest state is worth more than one about any."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import binom

from rewardbot.errors import RewardbotError
from rewardbot.tabular.bayesian_irl import BayesianConfig, sample
from rewardbot.tabular.demonstrations import Demonstrations, act, choices
from rewardbot.tabular.mdp import MDP, Array, gridworld, plan, uniform
from rewardbot.tabular.sufficiency import SufficiencyConfig, assess, judge, losses, until_sufficient, value_at_risk
from tests.tabular.worlds import boltzmann, colours, value_lost

SAMPLER = BayesianConfig(burn_in=300, steps=500)
GRID = gridworld(5, 5, slip=0.1, discount=0.9)
FEATURES = colours(np.random.default_rng(0), 25)


def worlds(count: int, seed: int = 0) -> tuple[Array, Array, np.random.Generator]:
    """True rewards (N, S, A), and for each a demonstrator who errs now and then, (N, S, A)."""
    rng = np.random.default_rng(seed)
    truth = np.stack([GRID.rewards(FEATURES @ rng.normal(size=5)) for _ in range(count)])
    return truth, boltzmann(GRID, truth, SAMPLER.rationality), rng


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
    """Median of eight worlds, because in some there is little to gain, and a share of that is large; demonstrations of ten steps."""
    _, experts, rng = worlds(8)
    shown = [act(GRID, expert, 40, rng, steps=10) for expert in experts]
    counts = np.stack([choices(GRID, some[:count]) for count in (1, 3, 10, 40) for some in shown])
    posterior = sample(GRID, FEATURES, counts, SAMPLER)
    risks = np.array([judge(GRID, FEATURES, posterior[index]).risk for index in range(32)]).reshape(4, 8)
    median = np.median(risks, axis=1)
    assert (np.diff(median) < 0.0).all() and (median.round(3) <= [0.69, 0.06, 0.015, 0.003]).all(), median


@pytest.mark.parametrize("seed", range(2))
def test_it_stops_when_the_loss_is_small_and_then_it_is(seed: int) -> None:
    (truth,), (expert,), rng = worlds(1, seed)
    asked: list[int] = []

    def ask(state: int) -> Demonstrations:
        asked.append(state)
        return act(GRID, expert, 1, rng, steps=5, start=[state])

    *before, last = until_sufficient(GRID, FEATURES, ask(0), ask, SAMPLER, SufficiencyConfig(enough=0.05))
    assert last.sufficient and last.risk <= 0.05 and not any(one.sufficient for one in before)
    assert asked[1:] == [one.query for one in before]
    assert value_lost(GRID, truth, last.policy) <= 0.05


def test_asking_where_the_risk_is_largest_beats_asking_anywhere() -> None:
    """Equal counts of single steps; what is lost in truth, mean of twelve worlds after one to three questions."""
    truth, experts, _ = worlds(12)
    lost: dict[str, list[float]] = {}
    for name in ("riskiest", "any"):
        rng, lost[name] = np.random.default_rng(1), []
        counts = np.stack([choices(GRID, act(GRID, expert, 1, rng, steps=1, start=[0])) for expert in experts])
        for questions in range(4):
            posterior = sample(GRID, FEATURES, counts, BayesianConfig(chains=2, burn_in=150, steps=250, thin=2, seed=questions))
            for index, expert in enumerate(experts):
                found = judge(GRID, FEATURES, posterior[index])
                if questions:
                    lost[name].append(value_lost(GRID, truth[index], found.policy))
                state = found.query if name == "riskiest" else int(rng.integers(25))
                counts[index] += choices(GRID, act(GRID, expert, 1, rng, steps=1, start=[state]))
    assert np.mean(lost["riskiest"]) < 0.8 * np.mean(lost["any"]), {name: np.mean(of) for name, of in lost.items()}


def test_a_random_expert_is_never_sure_to_be_understood() -> None:
    """Whoever chooses by chance has no reward that could be worth much: what is lost is a large share of next to nothing."""
    shown = act(GRID, uniform(GRID), 10, np.random.default_rng(0), steps=10)
    found = assess(GRID, FEATURES, shown, SAMPLER)
    best = plan(GRID, GRID.features(FEATURES) @ found.posterior.mean).v
    assert np.isfinite(found.risk) and not found.sufficient and np.ptp(best) < 1.0
