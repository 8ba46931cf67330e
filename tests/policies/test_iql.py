"""Implicit Q-learning: its losses by hand, and a chain on which it joins what a clone cannot."""

from __future__ import annotations

from dataclasses import replace
from functools import cache

import numpy as np
import pytest
import torch
from torch import Tensor

from rewardbot.policies.iql import IQL, IQLConfig, expectile_loss
from tests.policies.stitching import AHEAD, BACK, CELLS, DISCOUNT, chain, one_hot, value_of_expectile

SMALL = IQLConfig(discount=DISCOUNT, hidden=32, rate=3e-3, target_step=0.05, critics=1, sharpness=30.0)
STEPS = 800


@cache
def learned(expectile: float) -> IQL:
    learner, data = IQL(replace(SMALL, expectile=expectile), CELLS, 1, seed=0), chain()
    for _ in range(STEPS):
        learner.update(data)
    return learner


def values(learner: IQL) -> np.ndarray:
    with torch.no_grad():
        return learner.value(torch.eye(CELLS)).squeeze(-1).numpy()


def test_the_expectile_loss_by_hand() -> None:
    assert expectile_loss(torch.tensor([2.0, -1.0]), 0.9).item() == pytest.approx((0.9 * 4.0 + 0.1 * 1.0) / 2)
    assert expectile_loss(torch.tensor([2.0, -1.0]), 0.5).item() == pytest.approx(0.5 * 2.5)


def test_the_value_is_the_expectile_of_the_data_s_actions() -> None:
    """In the first cell it rises from next to nothing of V* at tau = 1/2 to more than 0.92 of it at 0.99."""
    best = DISCOUNT ** np.arange(CELLS - 1, -1, -1.0)
    shares = [value_of_expectile(tau)[0] / best[0] for tau in (0.5, 0.7, 0.9, 0.99)]
    assert shares == sorted(shares) and shares[0] < 0.03 and shares[-1] >= 0.92, shares
    for tau in (0.5, 0.99):
        np.testing.assert_allclose(values(learned(tau)), value_of_expectile(tau), atol=0.02, err_msg=str(tau))
    assert values(learned(0.99))[0] / best[0] >= 0.92


def test_it_stitches_where_a_clone_does_not() -> None:
    """Both actions are in the data alike: a clone stands where it is."""
    ahead = [float(learned(0.99).act(one_hot(cell))[0]) for cell in range(CELLS)]
    assert min(ahead) > 0.5, ahead
    clone = IQL(replace(SMALL, sharpness=0.0), CELLS, 1, seed=0)
    for _ in range(200):
        clone.update(chain())
    assert max(abs(float(clone.act(one_hot(cell))[0])) for cell in range(CELLS)) < 0.5


def test_it_never_asks_about_an_action_outside_the_data() -> None:
    learner, data = IQL(SMALL, CELLS, 1, seed=0), chain()
    asked: list[Tensor] = []
    for critics in (learner.critic, learner.target):
        critics.register_forward_pre_hook(lambda module, given: asked.append(given[0].detach().clone()))
    learner.update(data)
    shown = {tuple(row.tolist()) for row in data.state_action}
    assert asked and all(tuple(row.tolist()) in shown for batch in asked for row in batch)
    assert {row[-1] for row in shown} == {BACK, AHEAD}


def test_a_timeout_is_bootstrapped_through_and_an_end_is_not() -> None:
    learner, data = IQL(SMALL, CELLS, 1, seed=0), chain()
    with torch.no_grad():
        q, after = learner.critic(data.state_action)[0], learner.value(data.next_state).squeeze(-1)
    target = data.reward + DISCOUNT * data.continues * after
    assert learner.critic_loss(data).item() == pytest.approx(0.5 * (q - target).square().mean().item(), rel=1e-5)
    assert target[-1] == 1.0 and data.continues[-1] == 0.0 and data.continues[:-1].all()


def test_the_same_seed_gives_the_same_learner() -> None:
    first, second = (IQL(SMALL, CELLS, 1, seed=3) for _ in range(2))
    for learner in (first, second):
        learner.update(chain())
    assert np.array_equal(first.act(one_hot(0)), second.act(one_hot(0)))
