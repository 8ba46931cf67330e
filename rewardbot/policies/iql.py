"""Implicit Q-learning: offline, and never asks what an action is worth that is not in the data.

Kostrikov, Nair and Levine 2022, Offline Reinforcement Learning with Implicit Q-Learning.

    V:   E[L_tau(Q'(s, a) - V(s))],  L_tau(u) = |tau - 1(u < 0)| u^2     the better actions of the data count more
    Q:   E[(r + gamma (1 - terminated) V(s') - Q(s, a))^2]
    pi:  E[-exp(beta (Q'(s, a) - V(s))) log pi(a|s)]                     advantage-weighted behaviour cloning

tau = 1/2 evaluates whoever acted; towards 1, V becomes the value of the best of what was done in each state, and so joins the good
parts of different episodes to one that nobody showed.

Learns from: a reward and recorded steps.
"""

from __future__ import annotations

import copy
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from rewardbot.config import setting
from rewardbot.data.transitions import Transitions
from rewardbot.nets.adam import Adam
from rewardbot.nets.heads import log_prob_squashed, mlp
from rewardbot.nets.optimisation import descend, follow
from rewardbot.policies.sac import StateActor, StateCritics


@dataclass(frozen=True)
class IQLConfig:
    """The paper's hyper-parameters for locomotion."""

    batch: int = setting(256, "transitions per update", min=1)
    discount: float = setting(0.99, "discount per step", min=0.0, max=1.0)
    expectile: float = setting(0.7, "tau: 0.5 is the mean of the data's actions, 1 their maximum", min=0.5, max=0.9999)
    sharpness: float = setting(3.0, "beta: how much more a better action is cloned", min=0.0)
    most: float = setting(100.0, "largest weight of a cloned action", min=1.0)
    critics: int = setting(2, "critics, whose minimum counts", min=1, max=100)
    hidden: int = setting(256, "width of the two hidden layers of each network", min=1)
    rate: float = setting(3e-4, "learning rate", min=0.0)
    target_step: float = setting(0.005, "step of the target critics towards the critics", min=0.0, max=1.0)


def expectile_loss(difference: Tensor, expectile: float) -> Tensor:
    """E[|tau - 1(u < 0)| u^2] of u = Q - V, (N,)."""
    return ((expectile - (difference < 0.0).to(difference.dtype)).abs() * difference.square()).mean()


class IQL:
    """Networks, optimisers and one `update`.

    Args:
        config: see `IQLConfig`.
        states, actions: lengths S of a state and A of an action.
        device: torch device.
        seed: of the networks.
    """

    def __init__(
        self, config: IQLConfig, states: int, actions: int, *, device: torch.device | str = "cpu", seed: int = 0
    ) -> None:
        self.config, self.device = config, torch.device(device)
        torch.manual_seed(seed)
        self.actor = StateActor(states, actions, config.hidden).to(device)
        self.value = mlp(states, config.hidden, 1).to(device)
        self.critic = StateCritics(config.critics, states + actions, config.hidden).to(device)
        self.target = copy.deepcopy(self.critic).requires_grad_(False)
        self.optimisers = {name: Adam(module.parameters(), config.rate)
                           for name, module in (("value", self.value), ("critic", self.critic), ("actor", self.actor))}

    @torch.no_grad()
    def act(self, state: NDArray[np.floating]) -> NDArray[np.float32]:
        """The most likely action for one state (S,), float32 (A,) in [-1, 1]."""
        given = torch.as_tensor(state, dtype=torch.float32, device=self.device)[None]
        return torch.tanh(self.actor(given)[0])[0].cpu().numpy()

    def advantage(self, batch: Transitions) -> Tensor:
        """min_e Q'_e(s, a) - V(s) of the data's actions, (N,)."""
        return self.target(batch.state_action).amin(0) - self.value(batch.state).squeeze(-1)

    def critic_loss(self, batch: Transitions) -> Tensor:
        """sum_e E (Q_e(s, a) - r - gamma (1 - terminated) V(s'))^2 / 2."""
        with torch.no_grad():
            target = batch.reward + self.config.discount * batch.continues * self.value(batch.next_state).squeeze(-1)
        return 0.5 * (self.critic(batch.state_action) - target).square().mean(-1).sum()

    def actor_loss(self, batch: Transitions, advantage: Tensor) -> Tensor:
        """-E[exp(beta A) log pi(a|s)] for the data's actions."""
        weight = (self.config.sharpness * advantage).exp().clamp(max=self.config.most)
        mean, log_std = self.actor(batch.state)
        return -(weight * log_prob_squashed(mean, log_std, batch.state_action[:, batch.states :])).mean()

    def update(self, batch: Transitions) -> dict[str, Tensor]:
        """One update of value, critics, actor and target critics; returns metrics as tensors."""
        advantage = self.advantage(batch)
        value_loss = expectile_loss(advantage, self.config.expectile)
        descend(self.optimisers["value"], value_loss)
        actor_loss = self.actor_loss(batch, advantage.detach())
        descend(self.optimisers["actor"], actor_loss)
        critic_loss = self.critic_loss(batch)
        descend(self.optimisers["critic"], critic_loss)
        follow(self.target, self.critic, self.config.target_step)
        return {"value_loss": value_loss.detach(), "critic_loss": critic_loss.detach(), "actor_loss": actor_loss.detach(),
                "advantage": advantage.detach().mean()}
