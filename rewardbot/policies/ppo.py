"""Proximal policy optimisation from state vectors (PPO: Schulman et al. 2017): the on-policy learner.

    A_t = sum_k (gamma lambda)^k delta_{t+k},   delta_t = r_t + gamma (1 - terminated) V(s_{t+1}) - V(s_t)
    max_pi  E min(rho A, clip(rho, 1 - eps, 1 + eps) A) + beta entropy,   rho = pi(a|s) / pi_old(a|s)

Learns from: a reward.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from rewardbot.config import setting
from rewardbot.data.transitions import Transitions
from rewardbot.nets.adam import Adam
from rewardbot.nets.heads import mlp
from rewardbot.nets.optimisation import descend
from rewardbot.policies.sac import StateActor


@dataclass(frozen=True)
class PPOConfig:
    """Hyper-parameters."""

    discount: float = setting(0.99, "discount per step", min=0.0, max=1.0)
    trace: float = setting(0.95, "lambda of generalised advantage estimation", min=0.0, max=1.0)
    clip: float = setting(0.2, "largest change of a probability that is rewarded", min=0.0)
    epochs: int = setting(10, "passes over the steps of an update", min=1)
    batch: int = setting(64, "steps per gradient step", min=2)
    hidden: int = setting(64, "width of the two hidden layers of actor and critic", min=1)
    rate: float = setting(3e-4, "Adam learning rate", min=0.0)
    entropy: float = setting(0.0, "beta, weight of the entropy bonus", min=0.0)


def advantages(
    reward: Tensor, value: Tensor, next_value: Tensor, continues: Tensor, last: Tensor, discount: float, trace: float
) -> Tensor:
    """Generalised advantage estimation (Schulman et al. 2016) over episodes one after another, (N,).

    Args:
        reward, value, next_value: r_t, V(s_t) and V(s_{t+1}), (N,).
        continues: 1 - terminated, (N,). A timeout continues: the future is worth V(s_{t+1}).
        last: the last step of an episode, or of what was collected, bool (N,): no later delta belongs to it.
    """
    delta = reward + discount * continues * next_value - value
    found, following = torch.zeros_like(delta), torch.zeros(())
    for step in range(len(delta) - 1, -1, -1):
        following = delta[step] + discount * trace * (~last[step]) * following
        found[step] = following
    return found


class PPO:
    """Networks, optimisers and one `update`.

    Args:
        config: see `PPOConfig`.
        states, actions: lengths S of a state and A of an action.
        seed: of networks, actions and minibatches.
    """

    def __init__(self, config: PPOConfig, states: int, actions: int, *, seed: int = 0) -> None:
        self.config = config
        torch.manual_seed(seed)
        self.actor = StateActor(states, actions, config.hidden)
        self.critic = mlp(states, config.hidden, 1)
        self.actor_optimiser, self.critic_optimiser = (Adam(net.parameters(), config.rate) for net in (self.actor, self.critic))

    @torch.no_grad()
    def act(self, state: NDArray[np.floating], *, explore: bool) -> NDArray[np.float32]:
        """The action for one state (S,), float32 (A,) in [-1, 1]: a sample to explore, else the most likely one."""
        given = torch.as_tensor(state, dtype=torch.float32)[None]
        return (self.actor.sample(given)[0] if explore else torch.tanh(self.actor(given)[0]))[0].numpy()

    def value(self, state: Tensor) -> Tensor:
        """V(s), (N,)."""
        return self.critic(state).squeeze(-1)

    def actor_loss(self, batch: Transitions, log_prob: Tensor, advantage: Tensor) -> Tensor:
        """-E min(rho A, clip(rho) A) - beta entropy, with log pi_old and A of the batch, (N,)."""
        action = batch.state_action[:, batch.states :]
        ratio = (self.actor.log_prob(batch.state, action) - log_prob).exp()
        clipped = ratio.clamp(1.0 - self.config.clip, 1.0 + self.config.clip)
        loss = -torch.minimum(ratio * advantage, clipped * advantage).mean()
        return loss + self.config.entropy * self.actor.sample(batch.state)[1].mean() if self.config.entropy else loss

    def update(self, batch: Transitions, last: Tensor) -> dict[str, Tensor]:
        """Learns from steps of the present policy, with their reward.

        Args:
            batch: the steps of episodes, one after another.
            last: see `advantages`.
        """
        config, count = self.config, len(batch.rows)
        with torch.no_grad():
            value, next_value = self.value(batch.state), self.value(batch.next_state)
            gain = advantages(batch.reward, value, next_value, batch.continues, last, config.discount, config.trace)
            target = gain + value
            gain = (gain - gain.mean()) / (gain.std() + 1e-6)
            log_prob = self.actor.log_prob(batch.state, batch.state_action[:, batch.states :])
        actor_loss = critic_loss = torch.zeros(())
        for _ in range(config.epochs):
            for rows in torch.randperm(count).split(config.batch):
                some = Transitions(batch.rows[rows], batch.states, batch.actions)
                actor_loss = self.actor_loss(some, log_prob[rows], gain[rows])
                critic_loss = (self.value(some.state) - target[rows]).square().mean()
                descend(self.actor_optimiser, actor_loss)
                descend(self.critic_optimiser, critic_loss)
        return {"actor_loss": actor_loss.detach(), "critic_loss": critic_loss.detach(), "entropy": -log_prob.mean()}
