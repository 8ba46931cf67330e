"""Conservative Q-learning: the gap by hand, a bound of the value on small MDPs, and data that a plain critic is too fond of."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest
import torch
from torch import Tensor

from rewardbot.data.transitions import Transitions
from rewardbot.policies.cql import CQL, CQLConfig, DiscreteCQL, DiscreteCQLConfig, gap
from tests.policies.stitching import CELLS, DISCOUNT, chain, one_hot

STATES, ACTIONS, SAMPLES = 20, 4, 400


def test_the_gap_by_hand() -> None:
    q, chosen = torch.tensor([[0.0, 1.0], [2.0, 2.0]], requires_grad=True), torch.tensor([1, 0])
    assert gap(q, chosen).item() == pytest.approx((math.log(1 + math.e) - 1.0 + math.log(2.0)) / 2)
    assert gap(q, chosen, torch.tensor([[0.5, 0.5], [1.0, 0.0]])).item() == pytest.approx((0.5 - 1.0 + 0.0) / 2)
    gap(q, chosen).backward()
    up = math.e / (1 + math.e)
    assert q.grad is not None
    assert q.grad.flatten().tolist() == pytest.approx([(1 - up) / 2, (up - 1) / 2, -0.25, 0.25]), "softmax less the data, over N"


def evaluated(seed: int, alphas: tuple[float, ...]) -> tuple[Tensor, list[Tensor]]:
    """True value of a policy in each state of a random MDP, and by conservative evaluation on few samples for each alpha, (S,)."""
    draw = np.random.default_rng(seed)
    dynamics, truth = draw.dirichlet(np.ones(STATES), (STATES, ACTIONS)), draw.normal(size=(STATES, ACTIONS))
    policy, behaviour = (torch.from_numpy(draw.dirichlet(np.full(ACTIONS, of), STATES)) for of in (0.5, 3.0))
    along = np.einsum("sa,sat->st", policy.numpy(), dynamics)
    true = np.linalg.solve(np.eye(STATES) - DISCOUNT * along, (policy.numpy() * truth).sum(axis=1))
    # Each action once, so that the data can say something of all.
    state = np.concatenate([np.repeat(np.arange(STATES), ACTIONS), draw.integers(STATES, size=SAMPLES)])
    some = [draw.choice(ACTIONS, p=behaviour[one].numpy()) for one in state[STATES * ACTIONS :]]
    action = np.concatenate([np.tile(np.arange(ACTIONS), STATES), some])
    after = torch.tensor([draw.choice(STATES, p=dynamics[s, a]) for s, a in zip(state, action, strict=True)])
    reward = torch.from_numpy(truth[state, action] + 0.1 * draw.normal(size=len(state)))
    states, actions = torch.from_numpy(state), torch.from_numpy(action)
    share = torch.zeros(STATES, ACTIONS, dtype=torch.float64)
    share.index_put_((states, actions), torch.full((len(state),), 1.0 / len(state), dtype=torch.float64), accumulate=True)
    found = []
    for alpha in alphas:
        q = torch.zeros(STATES, ACTIONS, dtype=torch.float64, requires_grad=True)
        for _ in range(250):
            target = reward + DISCOUNT * (policy * q).sum(-1).detach()[after]
            rows = q[states]
            error = rows.gather(-1, actions[:, None])[:, 0] - target
            loss = alpha * gap(rows, actions, policy[states]) + 0.5 * error.square().mean()
            (slope,) = torch.autograd.grad(loss, q)
            # Newton's step on a quadratic whose second derivative is each entry's share of the data.
            q = (q - slope / share).detach().requires_grad_(True)
        found.append((policy * q).sum(-1).detach())
    return torch.from_numpy(true), found


def test_the_value_is_bounded_from_below_in_proportion_to_alpha() -> None:
    """Eight MDPs: with alpha = 0 the value is too high in many states, by chance; from 1/2 on in none."""
    hopeful: list[float] = []
    for seed in range(8):
        true, (none, half, whole) = evaluated(seed, (0.0, 0.5, 1.0))
        hopeful.append(float((none > true).double().mean()))
        assert (half <= true).all() and (whole <= true).all()
        torch.testing.assert_close(none - whole, 2.0 * (none - half), rtol=1e-6, atol=1e-6)
    assert 0.1 < np.mean(hopeful) < 0.9, hopeful


def one_of_two(data: Transitions) -> Transitions:
    """The chain's actions as one-hot: back, ahead."""
    action = torch.nn.functional.one_hot((data.rows[:, CELLS] > 0.0).long(), 2)
    return Transitions(torch.cat([data.rows[:, :CELLS], action, data.rows[:, CELLS + 1 :]], dim=1), CELLS, 2)


def test_it_stitches() -> None:
    """Of a walk by chance the best is left: ahead in every cell."""
    learner = DiscreteCQL(DiscreteCQLConfig(discount=DISCOUNT, alpha=0.01, hidden=32, rate=3e-3, target_step=0.1), CELLS, 2, seed=0)
    data = one_of_two(chain())
    for _ in range(800):
        learner.update(data)
    assert [learner.act(one_hot(cell)) for cell in range(CELLS)] == [1] * CELLS


def test_what_is_not_in_the_data_looks_no_better() -> None:
    """Half the circle of actions is shown, and the better the nearer its edge; beyond, a plain critic hopes on."""
    draw = torch.Generator().manual_seed(0)
    action = torch.rand(200, 1, generator=draw) - 1.0
    rows = torch.cat([torch.zeros(200, 1), action, action + 1.0, torch.zeros(200, 1), torch.zeros(200, 1)], dim=1)
    data = Transitions(rows, 1, 1)

    def beyond(alpha: float) -> float:
        learner = CQL(CQLConfig(alpha=alpha, sampled=4, hidden=32, rate=3e-3, critics=1), 1, 1, seed=0)
        for _ in range(200):
            learner.update(data)
        with torch.no_grad():
            q = learner.critic(torch.tensor([[0.0, -0.05], [0.0, 0.9]]))[0]
        return float(q[1] - q[0])

    assert beyond(0.0) > 0.1 and beyond(5.0) < -0.1


def test_without_alpha_it_is_soft_actor_critic() -> None:
    learner = CQL(replace(CQLConfig(hidden=16), alpha=0.0), CELLS, 1, seed=0)
    torch.manual_seed(1)
    found = learner.critic_loss(chain())
    torch.manual_seed(1)
    assert found.item() == super(CQL, learner).critic_loss(chain()).item()
