"""Conservative Q-learning: offline, with critics that hold of actions outside the data rather too little than too much.

Kumar, Zhou, Tucker and Levine 2020, Conservative Q-Learning for Offline Reinforcement Learning. To the error of the usual critic
comes a gap by which other actions must not look better than those of the data,

    min_Q  alpha E_s[log sum_a exp Q(s, a) - E_{a in data} Q(s, a)]  +  E[(Q - target)^2] / 2

In place of the soft maximum may stand E_{a ~ mu} Q for a policy mu: then alpha pushes its value below the truth, in proportion.
`CQL` is soft actor-critic with this critic, `DiscreteCQL` a double deep Q-network.

Learns from: a reward and recorded steps.
"""

from __future__ import annotations

import copy
import math
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from rewardbot.config import setting
from rewardbot.data.transitions import Transitions
from rewardbot.nets.adam import Adam
from rewardbot.nets.heads import mlp
from rewardbot.nets.optimisation import descend, follow
from rewardbot.policies.sac import SAC, SACConfig


@dataclass(frozen=True)
class CQLConfig(SACConfig):
    """Soft actor-critic's, and how conservative it is."""

    alpha: float = setting(5.0, "weight of the gap", min=0.0)
    sampled: int = setting(10, "actions that stand for all: so many even ones, as many of the policy here, and next", min=1)


@dataclass(frozen=True)
class DiscreteCQLConfig:
    """Of the Q-network."""

    batch: int = setting(256, "transitions per update", min=1)
    discount: float = setting(0.99, "discount per step", min=0.0, max=1.0)
    alpha: float = setting(1.0, "weight of the gap", min=0.0)
    hidden: int = setting(256, "width of the two hidden layers", min=1)
    rate: float = setting(3e-4, "learning rate", min=0.0)
    target_step: float = setting(0.005, "step of the target network towards the network", min=0.0, max=1.0)


def gap(q: Tensor, chosen: Tensor, policy: Tensor | None = None) -> Tensor:
    """E[log sum_a exp Q(s, a) - Q(s, a of the data)], or E[sum_a mu(a|s) Q(s, a) - Q(s, a of the data)].

    Args:
        q: of all actions, (N, A).
        chosen: the data's action, int (N,).
        policy: mu, (N, A).
    """
    others = q.logsumexp(-1) if policy is None else (policy * q).sum(-1)
    return (others - q.gather(-1, chosen.unsqueeze(-1)).squeeze(-1)).mean()


class CQL(SAC):
    """For actions in [-1, 1]; see `SAC`."""

    config: CQLConfig

    def critic_loss(self, batch: Transitions) -> Tensor:
        """Soft actor-critic's, and alpha times the gap of each critic; log sum exp by importance sampling."""
        usual = super().critic_loss(batch)
        count, size = self.config.sampled, batch.actions
        with torch.no_grad():
            even = torch.rand(count, len(batch.rows), size, device=self.device) * 2.0 - 1.0
            here, next_one = (self.actor.sample(state.expand(count, *state.shape)) for state in (batch.state, batch.next_state))
            actions = torch.cat([even, here[0], next_one[0]])
            density = torch.cat([torch.full(even.shape[:-1], -size * math.log(2.0), device=self.device), here[1], next_one[1]])
        state = batch.state.expand(3 * count, *batch.state.shape)
        q = self.critic(torch.cat([state, actions], dim=-1).flatten(0, 1)).unflatten(1, density.shape)
        others = (q - density).logsumexp(1) - math.log(3 * count)
        return usual + self.config.alpha * (others - self.critic(batch.state_action)).mean(-1).sum()


class DiscreteCQL:
    """For actions that are one-hot in the transitions.

    Args:
        config: see `DiscreteCQLConfig`.
        states, actions: length S of a state, and number A of actions.
        device: torch device.
        seed: of the network.
    """

    def __init__(
        self, config: DiscreteCQLConfig, states: int, actions: int, *, device: torch.device | str = "cpu", seed: int = 0
    ) -> None:
        self.config, self.device = config, torch.device(device)
        torch.manual_seed(seed)
        self.critic = mlp(states, config.hidden, actions).to(device)
        self.target = copy.deepcopy(self.critic).requires_grad_(False)
        self.optimiser = Adam(self.critic.parameters(), config.rate)

    @torch.no_grad()
    def act(self, state: NDArray[np.floating]) -> int:
        """The best action for one state (S,)."""
        return int(self.critic(torch.as_tensor(state, dtype=torch.float32, device=self.device)[None])[0].argmax())

    def loss(self, batch: Transitions) -> Tensor:
        """alpha gap + E[(Q(s, a) - r - gamma (1 - terminated) Q'(s', argmax_b Q(s', b)))^2] / 2 (double: van Hasselt et al. 2016)."""
        chosen, q = batch.state_action[:, batch.states :].argmax(-1), self.critic(batch.state)
        with torch.no_grad():
            best = self.critic(batch.next_state).argmax(-1, keepdim=True)
            after = self.target(batch.next_state).gather(-1, best).squeeze(-1)
            target = batch.reward + self.config.discount * batch.continues * after
        error = q.gather(-1, chosen.unsqueeze(-1)).squeeze(-1) - target
        return self.config.alpha * gap(q, chosen) + 0.5 * error.square().mean()

    def update(self, batch: Transitions) -> dict[str, Tensor]:
        """One update of network and target; returns metrics as tensors."""
        loss = self.loss(batch)
        descend(self.optimiser, loss)
        follow(self.target, self.critic, self.config.target_step)
        return {"loss": loss.detach()}
