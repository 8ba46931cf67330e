"""Soft actor-critic from state vectors, with automatic temperature (SAC: Haarnoja et al. 2018, Soft Actor-Critic Algorithms and
Applications). A baseline for speed and for tasks without cameras; the reward is the environment's.

Learns from: a reward.
"""

from __future__ import annotations

import copy
import math
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from rewardbot.config import setting
from rewardbot.data.transitions import Transitions
from rewardbot.nets.adam import Adam
from rewardbot.nets.heads import log_prob_squashed, mlp, sample_squashed
from rewardbot.nets.optimisation import descend, follow

LOG_STD_RANGE = (-20.0, 2.0)


@dataclass(frozen=True)
class SACConfig:
    """The paper's hyper-parameters, which are Stable-Baselines3's defaults too."""

    batch: int = setting(256, "transitions per update", min=1)
    discount: float = setting(0.99, "discount per step", min=0.0, max=1.0)
    critics: int = setting(2, "critics, whose minimum counts", min=1, max=100)
    hidden: int = setting(256, "width of the two hidden layers of actor and critics", min=1)
    norm: bool = setting(False, "LayerNorm in the critics, which keeps them from believing in what they never saw (RLPD)")
    rate: float = setting(3e-4, "learning rate of critics, actor and temperature", min=0.0)
    target_step: float = setting(0.005, "step of the target critics towards the critics", min=0.0, max=1.0)
    entropy_per_action: float = setting(-1.0, "entropy that the temperature aims at, per action dimension [nat]")
    temperature: float = setting(0.0, "a temperature that stays; 0: it aims at that entropy", min=0.0)
    first_temperature: float = setting(1.0, "where one that aims at it begins: at a twentieth of the best reward of a step "
                                       "that reward counts from the beginning", min=1e-6)


class StateActor(nn.Module):
    """a = tanh(mu(s) + sigma(s) eps). (N, S) -> (N, A)."""

    def __init__(self, states: int, actions: int, hidden: int) -> None:
        super().__init__()
        self.body = mlp(states, hidden, 2 * actions)

    def forward(self, state: Tensor) -> tuple[Tensor, Tensor]:
        """Mean and log standard deviation before the tanh, each (N, A)."""
        mean, log_std = self.body(state).chunk(2, dim=-1)
        return mean, log_std.clamp(*LOG_STD_RANGE)

    def sample(self, state: Tensor) -> tuple[Tensor, Tensor]:
        """Reparameterised actions (N, A) and their log-probabilities (N,)."""
        return sample_squashed(*self(state))

    def log_prob(self, state: Tensor, action: Tensor) -> Tensor:
        """log pi(a|s) of given actions, (N,); see `log_prob_squashed`."""
        mean, log_std = self(state)
        return log_prob_squashed(mean, log_std, action)


class StateCritics(nn.ModuleList):
    """Q_e(s, a). A loop: on a processor it is quicker than one batched product, see `rewardbot bench learner`."""

    def __init__(self, members: int, inputs: int, hidden: int, *, norm: bool = False) -> None:
        super().__init__(mlp(inputs, hidden, 1, norm=norm) for _ in range(members))

    def forward(self, state_action: Tensor) -> Tensor:
        """(N, S + A) -> (E, N)."""
        return torch.stack([member(state_action).squeeze(-1) for member in self])


class SAC:
    """Networks, optimisers and one `update`. Nothing in it waits for the device.

    Args:
        config: see `SACConfig`.
        states, actions: lengths S of a state and A of an action.
        device: torch device.
        seed: seed of the networks; sampled actions go on from there.
    """

    def __init__(
        self, config: SACConfig, states: int, actions: int, *, device: torch.device | str = "cpu", seed: int = 0
    ) -> None:
        self.config, self.device = config, torch.device(device)
        torch.manual_seed(seed)
        self.actor = StateActor(states, actions, config.hidden).to(device)
        self.critic = StateCritics(config.critics, states + actions, config.hidden, norm=config.norm).to(device)
        self.target = copy.deepcopy(self.critic).requires_grad_(False)
        first = math.log(config.temperature or config.first_temperature)
        self.log_temperature = torch.full((), first, device=device, requires_grad=True)
        self.target_entropy = config.entropy_per_action * actions
        self.critic_optimiser = Adam(self.critic.parameters(), config.rate)
        self.actor_optimiser = Adam([*self.actor.parameters(), self.log_temperature], config.rate)

    @torch.no_grad()
    def act(self, state: NDArray[np.floating], *, explore: bool) -> NDArray[np.float32]:
        """The action for one state (S,), float32 (A,) in [-1, 1]: a sample to explore, else the most likely one."""
        given = torch.as_tensor(state, dtype=torch.float32, device=self.device)[None]
        action = self.actor.sample(given)[0] if explore else torch.tanh(self.actor(given)[0])
        return action[0].cpu().numpy()

    @property
    def temperature(self) -> Tensor:
        """alpha, without gradient."""
        return self.log_temperature.detach().exp()

    def critic_loss(self, batch: Transitions) -> Tensor:
        """sum_e E (Q_e(s, a) - y)^2 / 2 with y = r + gamma (1 - terminated) (min_e Q'_e(s', a') - alpha log pi(a'|s')), a' ~ pi."""
        with torch.no_grad():
            action, log_prob = self.actor.sample(batch.next_state)
            value = self.target(torch.cat([batch.next_state, action], dim=-1)).amin(0) - self.temperature * log_prob
            target = batch.reward + self.config.discount * batch.continues * value
        return 0.5 * (self.critic(batch.state_action) - target).square().mean(-1).sum()

    def actor_loss(self, batch: Transitions) -> tuple[Tensor, Tensor]:
        """E[alpha log pi(a|s) - min_e Q_e(s, a)], a ~ pi, and log pi for the temperature."""
        action, log_prob = self.actor.sample(batch.state)
        value = self.critic(torch.cat([batch.state, action], dim=-1)).amin(0)
        return (self.temperature * log_prob - value).mean(), log_prob.detach()

    def temperature_loss(self, log_prob: Tensor) -> Tensor:
        """-log alpha E[log pi + target entropy]; 0 for a temperature that stays."""
        if self.config.temperature:
            return 0.0 * self.log_temperature
        return -(self.log_temperature * (log_prob + self.target_entropy).mean())

    def update(self, batch: Transitions) -> dict[str, Tensor]:
        """One update of critics, actor, temperature and target critics; returns metrics as tensors."""
        critic_loss = self.critic_loss(batch)
        descend(self.critic_optimiser, critic_loss)
        # The critics only lead the gradient on; their own would be thrown away, and is an eighth of all work.
        self.critic.requires_grad_(False)
        actor_loss, log_prob = self.actor_loss(batch)
        descend(self.actor_optimiser, actor_loss + self.temperature_loss(log_prob))
        self.critic.requires_grad_(True)
        follow(self.target, self.critic, self.config.target_step)
        return {"critic_loss": critic_loss.detach(), "actor_loss": actor_loss.detach(), "entropy": -log_prob.mean(),
                "temperature": self.temperature}
