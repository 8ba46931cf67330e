"""Projection and multiplicative weights match an expert's features; what that says about values."""

from __future__ import annotations

import time
from functools import cache

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rewardbot.errors import RewardbotError
from rewardbot.tabular.demonstrations import act, demonstrated
from rewardbot.tabular.feature_matching import (
    Match,
    MultiplicativeWeights,
    Projection,
    Rule,
    feature_expectations,
    match,
)
from rewardbot.tabular.mdp import MDP, Array, occupancy, plan, uniform
from tests.tabular.worlds import blocks, eight, value_lost

ROUNDS = {"projection": 60, "multiplicative": 150}
RULES: dict[str, Rule] = {"projection": Projection(), "multiplicative": MultiplicativeWeights(0.1)}


@cache
def matched(rule: str, seed: int) -> tuple[MDP, Array, Array, Match]:
    """The MDP, the true reward, mu_E and what was found for an expert whose reward is linear in macro-cells."""
    mdp = eight()
    weights = np.random.default_rng(seed).normal(size=16)
    truth = mdp.rewards(blocks() @ weights / abs(weights).sum())
    expert = feature_expectations(mdp, blocks(), occupancy(mdp, plan(mdp, truth).policy))
    return mdp, truth, expert, match(mdp, blocks(), expert, RULES[rule], rounds=ROUNDS[rule])


@pytest.mark.parametrize("seed", range(5))
def test_projection_closes_the_margin_in_60_rounds(seed: int) -> None:
    """Here it begins at about 5."""
    *_, found = matched("projection", seed)
    assert found.margins[0] > 1.5 and found.margins[-1] <= 0.03
    assert (np.diff(found.margins) <= 1e-12).all(), "the nearest point on a line is never farther"


@pytest.mark.parametrize("seed", range(5))
def test_multiplicative_weights_match_every_feature_in_150_rounds(seed: int) -> None:
    """In Syed and Schapire's units, (1 - gamma) mu, which lie between 0 and 1."""
    mdp, _, _, found = matched("multiplicative", seed)
    assert (1.0 - mdp.discount) * found.margins[-1] <= 0.01
    assert (abs(found.weights).sum(axis=1) <= 1.0 + 1e-12).all()


@pytest.mark.parametrize("rule", RULES)
def test_the_mixture_is_as_good_as_the_expert_and_in_time(rule: str) -> None:
    before = time.process_time()
    matched.cache_clear()
    mdp, truth, _expert, found = matched(rule, 0)
    assert time.process_time() - before < 2.0
    gap = float(abs((occupancy(mdp, plan(mdp, truth).policy) - found.visits) * truth).sum())
    best, random = ((occupancy(mdp, of) * truth).sum() for of in (plan(mdp, truth).policy, uniform(mdp)))
    assert (best - (found.visits * truth).sum()) / (best - random) < 0.03, gap
    np.testing.assert_allclose(found.features, feature_expectations(mdp, blocks(), found.visits))


@settings(max_examples=50, deadline=None)
@given(seed=st.integers(0, 10**6))
def test_the_gap_of_values_is_no_larger_than_that_of_features(seed: int) -> None:
    """For any reward, not only the true one, with ||w||_1 <= 1."""
    *_, expert, found = matched("projection", 0)
    weights = np.random.default_rng(seed).normal(size=16)
    weights /= abs(weights).sum()
    assert abs(weights @ expert - weights @ found.features) <= abs(expert - found.features).max() + 1e-12


@pytest.mark.parametrize("rule", RULES)
def test_the_mixture_is_that_of_its_policies(rule: str) -> None:
    mdp, _, expert, _ = matched(rule, 0)
    found = match(mdp, blocks(), expert, RULES[rule], rounds=5)
    assert found.policies.shape == (6, 64, 4) and found.weights.shape == (5, 16) and found.margins.shape == (6,)
    assert found.shares.sum() == pytest.approx(1.0) and (found.shares >= 0.0).all()
    np.testing.assert_allclose(found.visits, np.tensordot(found.shares, occupancy(mdp, found.policies), axes=1), atol=1e-12)


def test_with_a_horizon_and_from_demonstrations() -> None:
    mdp = eight(horizon=15, discount=1.0)
    rng = np.random.default_rng(0)
    truth = mdp.rewards(blocks() @ rng.normal(size=16))
    expert = feature_expectations(mdp, blocks(), demonstrated(mdp, act(mdp, plan(mdp, truth).policy, 200, rng)))
    found = match(mdp, blocks(), expert, Projection(), rounds=30, enough=0.5)
    assert found.margins[-1] <= 0.5 < found.margins[-2] and found.policies.shape[1:] == (15, 64, 4)


def test_a_random_expert_is_matched_at_once() -> None:
    mdp = eight()
    found = match(mdp, blocks(), feature_expectations(mdp, blocks(), occupancy(mdp, uniform(mdp))), Projection(), enough=1e-9)
    assert len(found.weights) == 0 and found.margins[0] < 1e-9
    np.testing.assert_allclose(found.visits, occupancy(mdp, uniform(mdp)))


def test_one_demonstration_is_matched_as_well_as_it_can_be() -> None:
    mdp, truth, *_ = matched("projection", 0)
    shown = act(mdp, plan(mdp, truth).policy, 1, np.random.default_rng(0), steps=50)
    start = MDP(mdp.transitions, discount=0.9, start=np.eye(64)[shown.states[0, 0]])
    found = match(start, blocks(), feature_expectations(mdp, blocks(), demonstrated(mdp, shown)), Projection())
    assert found.margins[-1] < found.margins[0] and value_lost(start, truth, found.policies[-1]) < 1.0


@pytest.mark.parametrize(("expert", "rounds", "said"), [
    (np.zeros(3), 5, r"shape \(3,\)"), (np.full(16, np.nan), 5, "finite"), (np.zeros(16), 0, "0 rounds")])
def test_what_cannot_be_matched(expert: Array, rounds: int, said: str) -> None:
    with pytest.raises(RewardbotError, match=said):
        match(eight(), blocks(), expert, Projection(), rounds=rounds)
