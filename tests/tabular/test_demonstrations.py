"""Demonstrations: made as their policy says, counted, and refused where they cannot have happened."""

from __future__ import annotations

import numpy as np
import pytest

from rewardbot.errors import RewardbotError
from rewardbot.tabular.demonstrations import END, Demonstrations, act, as_shown, choices, demonstrated, join
from rewardbot.tabular.mdp import MDP, RIGHT, gridworld, occupancy

ROW = gridworld(1, 4, discount=0.5, start=[0], terminal=[3])


def to_the_right(*lengths: int) -> Demonstrations:
    longest = max(lengths)
    states = np.array([[step if step < length else END for step in range(longest)] for length in lengths])
    return Demonstrations(states, np.where(states == END, END, RIGHT))


def test_counts_by_hand() -> None:
    shown = to_the_right(4, 2)
    assert len(shown) == 2 and shown.steps == 6
    np.testing.assert_array_equal(choices(ROW, shown)[:, RIGHT], [2, 2, 1, 0])
    # The first reaches the end; the second breaks off after two steps: 1.5 discounted ones, where it should have been 2.
    expected = np.zeros((4, 4))
    expected[:, RIGHT] = [(1.0 + 4 / 3) / 2, (0.5 + 0.5 * 4 / 3) / 2, 0.125, 0.0]
    expected[3, 0] = 0.0625
    np.testing.assert_allclose(demonstrated(ROW, shown), expected)


def test_some_of_them_and_all_of_them() -> None:
    both = join([to_the_right(4), to_the_right(2)])
    np.testing.assert_array_equal(both.states, to_the_right(4, 2).states)
    assert len(both[:1]) == 1 and both[[1]].steps == 2


@pytest.mark.parametrize("terminal", [(), (7,)])
def test_what_is_demonstrated_is_what_the_policy_visits(terminal: tuple[int, ...]) -> None:
    mdp = gridworld(3, 3, slip=0.3, discount=0.8, start=[0, 1], terminal=terminal)
    rng = np.random.default_rng(0)
    policy = mdp.policy(rng.dirichlet(np.ones(4), 9))
    shown = act(mdp, policy, 4000, rng, steps=40)
    np.testing.assert_allclose(demonstrated(mdp, shown), occupancy(mdp, policy), atol=0.05)
    np.testing.assert_allclose(as_shown(mdp, shown).start[:2], [0.5, 0.5], atol=0.03)


def test_a_policy_that_changes_with_time_until_the_horizon() -> None:
    mdp = gridworld(1, 3, discount=1.0, horizon=2, start=[0])
    policy = np.stack([np.eye(4)[[RIGHT] * 3], np.eye(4)[[3] * 3]])
    shown = act(mdp, policy, 1, np.random.default_rng(0))
    assert shown.states.tolist() == [[0, 1]] and shown.actions.tolist() == [[RIGHT, 3]]
    with pytest.raises(RewardbotError, match="has no end"):
        act(ROW, np.full((4, 4), 0.25), 1, np.random.default_rng(0))


@pytest.mark.parametrize(("states", "actions", "said"), [
    ([[]], [[]], "no demonstrations"),
    ([[0, 1]], [[0]], r"states \(1, 2\) and actions \(1, 1\)"),
    ([[0.0, 1.0]], [[1, 1]], "not whole numbers"),
    ([[0, END, 1]], [[1, 1, 1]], "gaps"),
    ([[END, 0]], [[1, 1]], "no first step"),
])
def test_what_are_no_demonstrations(states: list[list[float]], actions: list[list[int]], said: str) -> None:
    with pytest.raises(RewardbotError, match=said):
        Demonstrations(np.array(states), np.array(actions))


@pytest.mark.parametrize(("states", "actions", "said"), [
    ([[0, 4]], [[1, 1]], r"has state 4(.|\n)*0 to 3(.|\n)*another MDP"),
    ([[0, 1]], [[1, 4]], "has action 4"),
    ([[0, -2]], [[1, 1]], "has state -2"),
    ([[0, 2]], [[1, 1]], "from state 0 by action 1 to state 2 in step 0, which is impossible"),
    ([[3, 3]], [[1, 1]], "from state 3 .* impossible"),
])
def test_what_cannot_have_happened_here(states: list[list[int]], actions: list[list[int]], said: str) -> None:
    shown = Demonstrations(np.array(states), np.array(actions))
    for use in (choices, demonstrated):
        with pytest.raises(RewardbotError, match=said):
            use(ROW, shown)


def test_longer_than_the_horizon() -> None:
    with pytest.raises(RewardbotError, match="longer than the horizon, 2 steps"):
        choices(MDP(np.ones((1, 1, 1)), discount=1.0, horizon=2), Demonstrations(np.zeros((1, 3), int), np.zeros((1, 3), int)))
