"""The losses of SAC against numbers worked out by hand, how its weights move, and that it learns to swing up a pendulum."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable
from typing import Any

import gymnasium
import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from torch import Tensor

from rewardbot.data.transitions import TransitionReplay, Transitions
from rewardbot.policies.sac import SAC, SACConfig

STATES, ACTIONS = 2, 1
CONFIG = SACConfig(hidden=8, discount=0.9)


class HandActor:
    """Acts as it is told, with a log-probability that is told too."""

    def __init__(self, action: list[list[float]], log_prob: list[float]) -> None:
        self.action, self.log_prob = torch.tensor(action), torch.tensor(log_prob)

    def sample(self, state: Tensor) -> tuple[Tensor, Tensor]:
        return self.action, self.log_prob


def hand_critic(*gains: float) -> Any:
    """Q_e = gain_e (sum of state and action)."""
    return lambda state_action: torch.tensor(gains)[:, None] * state_action.sum(-1)


def by_hand(actor: HandActor, critic: Any, target: Any = None, temperature: float = 0.5) -> SAC:
    agent = SAC(CONFIG, STATES, ACTIONS)
    agent.actor, agent.critic, agent.target = actor, critic, target  # type: ignore[assignment]
    agent.log_temperature = torch.tensor(math.log(temperature), requires_grad=True)
    return agent


#                   state       action reward continues next state
HAND = Transitions(torch.tensor([[1.0, 1.0, 0.5, 2.0, 1.0, 3.0, 0.0],
                                 [2.0, 0.0, -1.0, 0.25, 0.0, 4.0, 1.0]]), STATES, ACTIONS)


def random_batch(n: int = 16) -> Transitions:
    draw = torch.Generator().manual_seed(0)
    return Transitions(torch.randn(n, 2 * STATES + ACTIONS + 2, generator=draw), STATES, ACTIONS)


def test_critic_loss() -> None:
    """y = r + 0.9 continues (min_e Q'_e(s', a') - 0.5 log pi).

    Q' sums: 3 + 0 + 1 = 4 and 4 + 1 - 1 = 4; gains 2 and 1.5, so the minimum is 6. Backup with log pi = 2: 6 - 1 = 5.
    y: 2 + 0.9 * 5 = 6.5, and 0.25 at the end. Q sums 2.5 and 1; gains 2 and 3: (5, 2) and (7.5, 3).
    """
    agent = by_hand(HandActor([[1.0], [-1.0]], [2.0, 2.0]), hand_critic(2.0, 3.0), hand_critic(2.0, 1.5))
    expected = 0.5 * (((5 - 6.5) ** 2 + (2 - 0.25) ** 2) / 2 + ((7.5 - 6.5) ** 2 + (3 - 0.25) ** 2) / 2)
    assert float(agent.critic_loss(HAND)) == pytest.approx(expected, rel=1e-6)


def test_actor_loss() -> None:
    """Sums 1 + 1 + 0.5 = 2.5 and 2 + 0 - 3 = -1. The minimum over gains 2 and 3: 5 and -3. Entropy: 0.5 * (2, -1)."""
    agent = by_hand(HandActor([[0.5], [-3.0]], [2.0, -1.0]), hand_critic(2.0, 3.0))
    loss, log_prob = agent.actor_loss(HAND)
    assert log_prob.tolist() == [2.0, -1.0]
    assert float(loss) == pytest.approx(((1.0 - 5.0) + (-0.5 + 3.0)) / 2, rel=1e-6)


def test_temperature_loss() -> None:
    """Its gradient is -(mean log pi + target entropy): entropy below the target raises the temperature."""
    agent = SAC(SACConfig(hidden=8, entropy_per_action=-1.0), STATES, actions=3)
    agent.temperature_loss(torch.tensor([4.0, 6.0])).backward()
    assert agent.log_temperature.grad is not None
    assert float(agent.log_temperature.grad) == pytest.approx(-(5.0 - 3.0))
    assert float(agent.temperature) == 1.0


def test_layer_norm_bounds_the_critics_far_from_what_they_saw() -> None:
    far = torch.randn(64, STATES + ACTIONS, generator=torch.Generator().manual_seed(0)) * 1e4
    bounded, free = (SAC(dataclasses.replace(CONFIG, norm=norm), STATES, ACTIONS).critic(far).detach().abs().max()
                     for norm in (True, False))
    assert float(bounded) < 10.0 < 100.0 < float(free)


def test_a_temperature_that_stays() -> None:
    agent = SAC(SACConfig(hidden=8, rate=0.1, temperature=0.5), STATES, ACTIONS)
    agent.update(random_batch())
    assert float(agent.temperature) == pytest.approx(0.5)


@pytest.mark.parametrize(("first", "least", "most"), [(0.05, 0.95, 1.0), (1.0, 0.4, 0.75)])
def test_a_reward_of_at_most_one_counts_from_the_beginning_where_the_first_temperature_is_low(
    first: float, least: float, most: float
) -> None:
    """A quarter of all actions is worth 1, the others nothing. At temperature 1 the softly best policy takes them in
    e / (e + 3) = 0.48 of all cases, at 0.05 always; 200 updates move neither temperature far.
    """
    agent = SAC(SACConfig(hidden=16, batch=64, rate=3e-3, discount=0.9, first_temperature=first), 1, 1)
    assert float(agent.temperature) == pytest.approx(first)
    draw, none = torch.Generator().manual_seed(0), torch.zeros(64, 1)
    for _ in range(200):
        action = 2.0 * torch.rand(64, 1, generator=draw) - 1.0
        agent.update(Transitions(torch.cat([none, action, (action > 0.5).float(), none + 1.0, none], -1), 1, 1))
    assert float(agent.temperature) != pytest.approx(first), "it aims at its entropy"
    action, _ = agent.actor.sample(torch.zeros(2000, 1))
    assert least <= float((action > 0.5).float().mean()) <= most


def test_gradients_go_where_they_belong() -> None:
    agent = SAC(CONFIG, STATES, ACTIONS)
    agent.critic_loss(random_batch()).backward()
    assert all(p.grad is None for p in [*agent.actor.parameters(), *agent.target.parameters(), agent.log_temperature])
    assert all(p.grad is not None and p.grad.abs().sum() > 0 for p in agent.critic.parameters())
    gradients = [p.grad for p in agent.critic.parameters()]
    agent.update(random_batch())
    assert all(p.grad is not None and p.grad.abs().sum() > 0 for p in agent.actor.parameters())
    assert all(p.requires_grad for p in agent.critic.parameters())
    # The actor's loss added nothing to the critics' gradients: they are those of the critic's loss with the same noise.
    again = SAC(CONFIG, STATES, ACTIONS)
    again.critic_loss(random_batch()).backward()
    torch.testing.assert_close(gradients, [p.grad for p in again.critic.parameters()])


def test_the_actors_update_leaves_the_critics_alone() -> None:
    agent = SAC(SACConfig(hidden=8, rate=1e-2), STATES, ACTIONS)
    torch.manual_seed(5)
    agent.update(random_batch())
    alone = SAC(SACConfig(hidden=8, rate=1e-2), STATES, ACTIONS)
    torch.manual_seed(5)
    alone.critic_optimiser.zero_grad()
    alone.critic_loss(random_batch()).backward()
    alone.critic_optimiser.step()
    for ours, expected in zip(agent.critic.parameters(), alone.critic.parameters(), strict=True):
        assert torch.equal(ours, expected)


def test_the_target_follows() -> None:
    agent = SAC(SACConfig(hidden=8, target_step=0.25), STATES, ACTIONS)
    before = [p.clone() for p in agent.target.parameters()]
    agent.update(random_batch())
    for old, new, critic in zip(before, agent.target.parameters(), agent.critic.parameters(), strict=True):
        torch.testing.assert_close(new, 0.75 * old + 0.25 * critic)


def test_actions() -> None:
    agent = SAC(CONFIG, STATES, ACTIONS)
    state = np.array([0.3, -0.7])
    best = agent.act(state, explore=False)
    assert best.shape == (ACTIONS,) and best.dtype == np.float32
    assert np.array_equal(best, agent.act(state, explore=False))
    samples = np.concatenate([agent.act(state, explore=True) for _ in range(50)])
    assert np.abs(samples).max() <= 1.0 and samples.std() > 0.2


def swing(act: Callable[[NDArray[np.float32]], NDArray[np.float32]], episodes: int = 10) -> float:
    """Mean return over fixed start states of Pendulum-v1."""
    env, total = gymnasium.make("Pendulum-v1"), 0.0
    for episode in range(episodes):
        state, _ = env.reset(seed=1000 + episode)
        ended = False
        while not ended:
            state, reward, _, ended, _ = env.step(2.0 * act(state))
            total += float(reward)
    return total / episodes


@pytest.mark.slow
def test_it_learns_to_swing_up_a_pendulum() -> None:
    """4,000 steps with an update each. A controller that acts at random gets about -1300, a perfect one about -150."""
    draw = np.random.default_rng(0)
    assert swing(lambda state: draw.uniform(-1, 1, 1).astype(np.float32)) < -1000
    agent = SAC(SACConfig(hidden=64, batch=128, rate=2e-3, discount=0.97), 3, 1)
    replay = TransitionReplay(4000, 3, 1)
    env = gymnasium.make("Pendulum-v1")
    state, _ = env.reset(seed=0)
    for step in range(4000):
        warm = step < 200
        action = draw.uniform(-1, 1, 1).astype(np.float32) if warm else agent.act(state, explore=True)
        after, reward, terminated, truncated, _ = env.step(2.0 * action)
        replay.add(state, action, 0.1 * float(reward), after, terminated=terminated)
        state = env.reset()[0] if truncated else after
        if not warm:
            agent.update(replay.sample(agent.config.batch))
    assert swing(lambda state: agent.act(state, explore=False)) > -250
