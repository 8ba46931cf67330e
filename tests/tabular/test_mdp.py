"""The planner against sums over all paths, by hand, and against itself; what is no MDP is refused."""

from __future__ import annotations

import itertools
import time

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scipy.sparse import csr_array

from rewardbot.errors import RewardbotError
from rewardbot.tabular import mdp as module
from rewardbot.tabular.mdp import DOWN, LEFT, MDP, RIGHT, UP, Array, evaluate, gridworld, occupancy, plan, uniform

TWO_WAYS = np.array([[[0.0, 1.0], [1.0, 0.0]], [[0.0, 1.0], [0.0, 1.0]]])
"""State 0: action 0 leads to state 1, action 1 stays; state 1 is where one stays."""


def random_mdp(seed: int, states: int = 4, actions: int = 2, *, horizon: int | None = None, terminal: tuple[int, ...] = ()) -> MDP:
    draw = np.random.default_rng(seed)
    chances = draw.dirichlet(np.ones(states), (states, actions))
    return MDP(chances, discount=1.0 if horizon else 0.9, horizon=horizon, start=draw.dirichlet(np.ones(states)), terminal=terminal)


def paths(mdp: MDP, length: int):
    """All states and actions of episodes that can happen, with the probability of start and dynamics together."""
    tensor = mdp.transitions.toarray().reshape(mdp.actions, mdp.states, mdp.states)

    def go_on(states: tuple[int, ...], actions: tuple[int, ...], chance: float):
        if mdp.terminal[states[-1]]:
            yield states, (*actions, 0), chance
            return
        for action in range(mdp.actions):
            if len(states) == length:
                yield states, (*actions, action), chance
                continue
            for after in np.flatnonzero(tensor[action, states[-1]]):
                yield from go_on((*states, int(after)), (*actions, action), chance * tensor[action, states[-1], after])

    for state in np.flatnonzero(mdp.start):
        yield from go_on((int(state),), (), float(mdp.start[state]))


# Against brute force.


@pytest.mark.parametrize("terminal", [(), (3,)])
@pytest.mark.parametrize("temperature", [0.5, 2.0])
def test_where_chance_has_no_say_soft_planning_sums_over_all_paths(terminal: tuple[int, ...], temperature: float) -> None:
    draw = np.random.default_rng(1)
    mdp = MDP(np.eye(4)[draw.integers(4, size=(4, 3))], discount=1.0, horizon=5, start=np.eye(4)[0], terminal=terminal)
    reward = draw.normal(size=(4, 3))
    found = plan(mdp, reward, temperature=temperature)
    all_paths = list(paths(mdp, 5))
    returns = np.array([reward[list(states), list(actions)].sum() for states, actions, _ in all_paths])
    weights = np.exp(returns / temperature)
    assert found.v[0, 0] == pytest.approx(temperature * np.log(weights.sum()), abs=1e-12)
    for (states, actions, _), weight in zip(all_paths, weights, strict=True):
        likely = np.prod([found.policy[step][at] for step, at in enumerate(zip(states, actions, strict=True))])
        assert likely == pytest.approx(weight / weights.sum(), abs=1e-12)
    visits = np.zeros((4, 3))
    for (states, actions, _), weight in zip(all_paths, weights / weights.sum(), strict=True):
        np.add.at(visits, (list(states), list(actions)), weight)
    np.testing.assert_allclose(occupancy(mdp, found.policy), visits, atol=1e-12)


@pytest.mark.parametrize("seed", range(3))
def test_occupancy_and_return_are_those_of_all_paths(seed: int) -> None:
    mdp, draw = random_mdp(seed, horizon=4, terminal=(2,)), np.random.default_rng(seed)
    policy = mdp.policy(draw.dirichlet(np.ones(2), (4, 4)))
    reward = draw.normal(size=(4, 2))
    visits, total = np.zeros((4, 2)), 0.0
    for states, actions, chance in paths(mdp, 4):
        likely = chance * np.prod([policy[step][at] for step, at in enumerate(zip(states, actions, strict=True))])
        np.add.at(visits, (list(states), list(actions)), likely)
        total += likely * reward[list(states), list(actions)].sum()
    np.testing.assert_allclose(occupancy(mdp, policy), visits, atol=1e-12)
    assert mdp.start @ evaluate(mdp, policy, reward) == pytest.approx(total, abs=1e-12)


def test_the_hard_plan_is_the_best_of_all_deterministic_policies() -> None:
    mdp, reward = random_mdp(2), np.random.default_rng(2).normal(size=(4, 2))
    best = max((evaluate(mdp, np.eye(2)[list(choice)], reward) for choice in itertools.product(range(2), repeat=4)), key=np.sum)
    np.testing.assert_allclose(plan(mdp, reward).v, best, atol=1e-10)


def test_the_soft_plan_gains_more_than_others_with_their_entropy() -> None:
    mdp, draw = random_mdp(3), np.random.default_rng(3)
    reward = draw.normal(size=(4, 2))
    found = plan(mdp, reward, temperature=0.7)

    def gain(policy: Array) -> Array:
        return evaluate(mdp, policy, reward - 0.7 * np.log(policy))

    np.testing.assert_allclose(gain(found.policy), found.v, atol=1e-10)
    for _ in range(20):
        assert (gain(draw.dirichlet(np.ones(2), 4)) <= found.v + 1e-10).all()


# By hand.


def test_two_ways_by_hand() -> None:
    mdp = MDP(TWO_WAYS, discount=0.5)
    found = plan(mdp, mdp.rewards([0.0, 1.0]))
    np.testing.assert_allclose(found.v, [1.0, 2.0])
    np.testing.assert_allclose(found.q, [[1.0, 0.5], [2.0, 2.0]])
    np.testing.assert_array_equal(found.policy, [[1.0, 0.0], [0.5, 0.5]])
    ends = MDP(TWO_WAYS, discount=0.5, terminal=[1])
    np.testing.assert_allclose(plan(ends, ends.rewards([0.0, 1.0])).v, [0.5, 1.0], err_msg="its reward, once")
    for limited in (MDP(TWO_WAYS, discount=1.0, horizon=3), MDP(TWO_WAYS, discount=1.0, horizon=3, terminal=[1])):
        worth = 2.0 if not limited.terminal.any() else 1.0
        assert plan(limited, limited.rewards([0.0, 1.0])).v[0, 0] == worth


def test_rewards_of_states_of_actions_and_of_where_they_lead() -> None:
    mdp = MDP([[[0.25, 0.75]], [[0.0, 0.0]]], discount=0.9, terminal=[1])
    np.testing.assert_array_equal(mdp.rewards([1.0, 2.0]), [[1.0], [2.0]])
    np.testing.assert_array_equal(mdp.rewards([[1.0], [2.0]]), [[1.0], [2.0]])
    np.testing.assert_allclose(mdp.rewards([[[4.0, 8.0]], [[5.0, 7.0]]]), [[7.0], [7.0]])


def test_a_gridworld_by_hand() -> None:
    mdp = gridworld(2, 3, slip=0.4, discount=0.9, start=[0, 0, 5], terminal=[5])
    tensor = mdp.transitions.toarray().reshape(4, 6, 6)
    np.testing.assert_allclose(tensor[RIGHT, 0], [0.2, 0.7, 0.0, 0.1, 0.0, 0.0], err_msg="up and left bump into the edge")
    np.testing.assert_allclose(tensor[UP, 4], [0.0, 0.7, 0.0, 0.1, 0.1, 0.1])
    assert not tensor[:, 5].any()
    np.testing.assert_allclose(mdp.start, [2 / 3, 0, 0, 0, 0, 1 / 3])
    straight = gridworld(3, 3, discount=0.9).transitions.toarray().reshape(4, 9, 9)
    assert [int(straight[action, 4].argmax()) for action in (UP, RIGHT, DOWN, LEFT)] == [1, 5, 7, 3]


# Against itself.


@settings(max_examples=30, deadline=None)
@given(seed=st.integers(0, 10**6), temperature=st.sampled_from([0.0, 0.1, 1.0]), ends=st.booleans(), scale=st.sampled_from([1, 1e6]))
def test_a_plan_is_a_fixed_point_and_its_occupancy_earns_its_value(seed: int, temperature: float, ends: bool, scale: float) -> None:
    mdp, draw = random_mdp(seed, 6, 3, terminal=(1,) if ends else ()), np.random.default_rng(seed)
    reward = scale * draw.normal(size=(2, 6, 3))
    found = plan(mdp, reward, temperature=temperature * scale)
    np.testing.assert_allclose(found.q, reward + mdp.discount * mdp.after(found.v), atol=1e-9 * scale)
    assert (abs(found.policy.sum(axis=-1) - 1.0) < 1e-12).all()
    visits = occupancy(mdp, found.policy)
    if temperature == 0.0:
        np.testing.assert_allclose((visits * reward).sum(axis=(1, 2)), found.v @ mdp.start, atol=1e-8 * scale)
    np.testing.assert_allclose(plan(mdp, reward, temperature=temperature * scale, guess=draw.normal(size=(2, 6))).v, found.v,
                               atol=1e-8 * scale)
    apart = [plan(mdp, one, temperature=temperature * scale).v for one in reward]
    np.testing.assert_allclose(found.v, apart, atol=1e-8 * scale)


@settings(max_examples=50, deadline=None)
@given(values=arrays(float, (3, 5), elements=st.floats(-1e6, 1e6)), temperature=st.floats(0.01, 100.0))
def test_the_soft_maximum_is_above_the_hard_one_by_log_n_at_most(values: Array, temperature: float) -> None:
    mdp = MDP(np.broadcast_to(np.eye(5)[:, None], (5, 3, 5)), discount=0.0)
    hard, soft = (plan(mdp, values.T, temperature=of).v for of in (0.0, temperature))
    slack = 1e-9 * max(1.0, float(abs(values).max()))
    assert (hard <= soft + slack).all() and (soft <= hard + temperature * np.log(3) + slack).all()


def test_sparse_and_dense_agree(monkeypatch: pytest.MonkeyPatch) -> None:
    small, reward = gridworld(6, 5, slip=0.2, discount=0.95, terminal=[29]), np.random.default_rng(0).normal(size=(2, 30, 4))
    assert isinstance(small.matrix, np.ndarray)
    monkeypatch.setattr(module, "DENSE_STATES", 1)
    sparse = gridworld(6, 5, slip=0.2, discount=0.95, terminal=[29])
    assert isinstance(sparse.matrix, csr_array)
    for temperature in (0.0, 0.5):
        one, other = (plan(mdp, reward, temperature=temperature) for mdp in (small, sparse))
        np.testing.assert_allclose(one.v, other.v, atol=1e-9)
        np.testing.assert_allclose(occupancy(small, one.policy), occupancy(sparse, one.policy), atol=1e-9)
        np.testing.assert_allclose(evaluate(small, one.policy, reward), evaluate(sparse, one.policy, reward), atol=1e-9)


@pytest.mark.parametrize("temperature", [0.0, 0.1])
@pytest.mark.parametrize("terminal", [(), (9999,)])
def test_ten_thousand_states_take_less_than_a_second(temperature: float, terminal: tuple[int, ...]) -> None:
    mdp = gridworld(100, 100, slip=0.2, discount=0.99, terminal=terminal)
    reward = mdp.rewards(np.where(np.arange(10_000) == 9999, 1.0, -0.01 * np.random.default_rng(0).random(10_000)))
    before = time.process_time()
    found = plan(mdp, reward, temperature=temperature)
    visits = occupancy(mdp, found.policy)
    assert time.process_time() - before < 1.0
    assert np.isfinite(found.v).all() and visits.sum() == pytest.approx(100.0) if not terminal else visits.sum() < 100.0


def test_rewards_without_bound_are_planned_for() -> None:
    """What a fit may try; the sweep after which nothing changes need not exist in floating point."""
    mdp = gridworld(8, 8, slip=0.2, discount=0.9)
    reward = mdp.rewards(1e15 * np.random.default_rng(0).normal(size=64))
    assert np.isfinite(plan(mdp, reward, temperature=1.0).policy).all()


def test_nobody_gets_to_the_terminal_state() -> None:
    """Two halves without a way; the second one ends."""
    halves = np.zeros((4, 1, 4))
    halves[[0, 1, 2], 0, [1, 0, 3]] = 1.0
    mdp = MDP(halves, discount=0.5, start=[1.0, 0.0, 0.0, 0.0], terminal=[3])
    np.testing.assert_allclose(plan(mdp, mdp.rewards([1.0, 1.0, 0.0, 9.0])).v, [2.0, 2.0, 4.5, 9.0])
    np.testing.assert_allclose(occupancy(mdp, uniform(mdp))[:, 0], [4 / 3, 2 / 3, 0.0, 0.0])


# What is no MDP.


@pytest.mark.parametrize(("change", "said"), [
    ({"transitions": 0.9 * TWO_WAYS}, r"action 0 in state 0 .* sum to 0\.9(.|\n)*together 1"),
    ({"transitions": np.array([[[0.0, 1.0], [1.0, 0.0]], [[0.0, 1.0], [-1.0, 2.0]]])}, "action 1 in state 1"),
    ({"transitions": np.where(TWO_WAYS == 1.0, np.nan, 0.0)}, "probabilities that sum to nan"),
    ({"transitions": np.ones((2, 2))}, r"shape \(2, 2\)"),
    ({"transitions": csr_array(np.ones((3, 2)))}, r"shape \(3, 2\)"),
    ({"discount": 1.0}, "discount is 1 and there is no horizon(.|\n)*Terminal states do not help"),
    ({"discount": 1.0, "terminal": [1]}, "discount is 1 and there is no horizon"),
    ({"discount": float("nan")}, "discount is nan"),
    ({"horizon": 0}, "horizon is 0"),
    ({"start": [0.5, 0.6]}, "first states are no distribution"),
    ({"terminal": [2]}, "Terminal state 2 does not exist"),
])
def test_what_is_no_mdp_is_refused(change: dict[str, object], said: str) -> None:
    with pytest.raises(RewardbotError, match=said):
        MDP(**{"transitions": TWO_WAYS, "discount": 0.9, **change})  # type: ignore[arg-type]


@pytest.mark.parametrize(("reward", "said"), [
    ([0.0, np.nan], "reward of state 1 is not a finite number"),
    ([0.0, 1.0, 2.0], r"reward has the shape \(3,\)"),
])
def test_rewards_that_are_none(reward: list[float], said: str) -> None:
    with pytest.raises(RewardbotError, match=said):
        MDP(TWO_WAYS, discount=0.9).rewards(reward)


def test_plans_and_policies_that_cannot_be() -> None:
    mdp = MDP(TWO_WAYS, discount=0.9)
    for reward, temperature, said in ((np.full((2, 2), np.inf), 0.0, "not a finite number"), (np.zeros(2), 0.0, r"shape \(2,\)"),
                                      (np.zeros((2, 2)), -1.0, "temperature is -1")):
        with pytest.raises(RewardbotError, match=said):
            plan(mdp, reward, temperature=temperature)
    for policy in (np.full((2, 2), 0.6), np.ones((3, 2))):
        with pytest.raises(RewardbotError, match="The policy"):
            occupancy(mdp, policy)
    with pytest.raises(RewardbotError, match="horizon is 3"):
        occupancy(MDP(TWO_WAYS, discount=1.0, horizon=3), np.full((2, 2, 2), 0.5))
    with pytest.raises(RewardbotError, match="features"):
        mdp.features(np.ones((3, 1)))
