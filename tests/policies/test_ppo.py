"""Advantages and the clipped loss against numbers worked out by hand, and that it learns."""

from __future__ import annotations

import math

import pytest
import torch
from torch import Tensor

from rewardbot.data.transitions import Transitions
from rewardbot.policies.ppo import PPO, PPOConfig, advantages


def test_advantages_by_hand() -> None:
    """gamma 0.5, lambda 0.5; two episodes: one of three steps that terminates, one of two that is cut off.

    delta = 1 + 0.5 * 4 - 2 = 1,   2 + 0.5 * 6 - 4 = 1,   3 + 0 - 6 = -3;     1 + 0.5 * 2 - 0 = 2,   0 + 0.5 * 8 - 2 = 2
    A_2 = -3,  A_1 = 1 + 0.25 * -3 = 0.25,  A_0 = 1 + 0.25 * 0.25 = 1.0625;   A_4 = 2,  A_3 = 2 + 0.25 * 2 = 2.5
    """
    found = advantages(
        reward=torch.tensor([1.0, 2.0, 3.0, 1.0, 0.0]), value=torch.tensor([2.0, 4.0, 6.0, 0.0, 2.0]),
        next_value=torch.tensor([4.0, 6.0, 99.0, 2.0, 8.0]), continues=torch.tensor([1.0, 1.0, 0.0, 1.0, 1.0]),
        last=torch.tensor([False, False, True, False, True]), discount=0.5, trace=0.5)
    assert found.tolist() == [1.0625, 0.25, -3.0, 2.5, 2.0]


@pytest.mark.parametrize("trace", [0.0, 1.0])
def test_advantages_at_both_ends_of_lambda(trace: float) -> None:
    """lambda 0: one step's error; lambda 1: the discounted return less the value."""
    reward, value = torch.tensor([1.0, 2.0, 4.0]), torch.tensor([10.0, 20.0, 30.0])
    found = advantages(reward, value, torch.tensor([20.0, 30.0, 0.0]), torch.tensor([1.0, 1.0, 0.0]),
                       torch.tensor([False, False, True]), discount=0.5, trace=trace)
    expected = [1 + 10 - 10, 2 + 15 - 20, 4 - 30] if trace == 0.0 else [1 + 1 + 1 - 10, 2 + 2 - 20, 4 - 30]
    assert found.tolist() == expected


class HandActor:
    """Gives each action the log-probability that it is told."""

    def __init__(self, log_prob: list[float]) -> None:
        self.given = torch.tensor(log_prob)

    def log_prob(self, state: Tensor, action: Tensor) -> Tensor:
        return self.given


def test_the_clipped_loss() -> None:
    """Ratios 2, 2, 0.5, 0.5 with advantages 1, -1, 1, -1: 1.2, -2, 0.5, -0.8 with eps 0.2; their mean is -0.275."""
    agent = PPO(PPOConfig(hidden=4), 1, 1)
    agent.actor = HandActor([math.log(2.0)] * 2 + [math.log(0.5)] * 2)  # type: ignore[assignment]
    batch = Transitions(torch.zeros(4, 5), 1, 1)
    loss = agent.actor_loss(batch, torch.zeros(4), torch.tensor([1.0, -1.0, 1.0, -1.0]))
    assert float(loss) == pytest.approx(0.275)


def test_it_learns_which_action_is_good_where() -> None:
    """Episodes of one step whose reward is -(a - s)^2: a = s is best."""
    draw = torch.Generator().manual_seed(0)
    agent = PPO(PPOConfig(rate=3e-3, epochs=4, hidden=32), 1, 1)
    for _ in range(25):
        state = 1.6 * torch.rand(256, 1, generator=draw) - 0.8
        with torch.no_grad():
            action = agent.actor.sample(state)[0]
        rows = torch.cat([state, action, -(action - state).square(), torch.zeros(256, 1), state], dim=-1)
        agent.update(Transitions(rows, 1, 1), torch.ones(256, dtype=torch.bool))
    state = torch.linspace(-0.8, 0.8, 9)[:, None]
    error = (torch.tanh(agent.actor(state)[0]) - state).abs().max().detach()
    assert float(error) < 0.2
