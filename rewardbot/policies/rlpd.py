"""Reinforcement learning with prior data (RLPD: Ball et al. 2023): soft actor-critic, a LayerNorm ensemble of critics, and half of
each batch from demonstrations. Its image latent and its policy start from behaviour cloning, whose pull fades.

Learns from: a reward and demonstrations.
"""

from __future__ import annotations

import copy
import math
from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from rewardbot.config import setting
from rewardbot.data.replay import Batch
from rewardbot.nets.adam import Adam
from rewardbot.nets.heads import EnsembleCritic, SquashedGaussianPolicy
from rewardbot.nets.optimisation import descend, follow
from rewardbot.policies.bc import BCConfig, cloning_loss, fit_policy
from rewardbot.types import Metrics


@dataclass(frozen=True)
class RLPDConfig:
    """Hyper-parameters of the learner."""

    batch: int = setting(64, "transitions from demonstrations, and as many from the policy, per update", min=1)
    discount: float = setting(0.95, "discount per control period", min=0.0, max=1.0)
    critics: int = setting(4, "critics in the ensemble", min=2, max=100)
    hidden: int = setting(128, "hidden width of critics", min=1)
    latent: int = setting(64, "image latent of critics", min=1)
    critic_rate: float = setting(5e-4, "critic learning rate", min=0.0)
    actor_rate: float = setting(2e-4, "actor learning rate", min=0.0)
    temperature_rate: float = setting(1e-3, "temperature learning rate", min=0.0)
    target_step: float = setting(0.01, "step of the target critics towards the critics", min=0.0, max=1.0)
    average_step: float = setting(0.005, "step of the averaged policy, which is deployed", min=0.0, max=1.0)
    actor_every: int = setting(2, "critic updates per actor update", min=1)
    actor_after: int = setting(500, "critic updates before the first actor update", min=0)
    target_entropy: float = setting(-4.0, "entropy that the temperature aims at [nat]")
    from_bc: bool = setting(True, "start from behaviour cloning's policy; false: from an untrained one")
    bc_weight: float = setting(5.0, "weight of behaviour cloning at the start", min=0.0)
    bc_final: float = setting(0.1, "weight of behaviour cloning in the end", min=0.0)
    bc_updates: int = setting(5000, "updates over which the weight falls", min=1)
    stay: float = setting(0.0, "weight of doing about what behaviour cloning's policy does, wherever the policy gets to: for where "
                               "that is good, and the reward is not sure", min=0.0)


class RLPD:
    """The learner's networks, optimisers and one `update`.

    Args:
        config: see `RLPDConfig`.
        policy: behaviour cloning's policy to start from; it is copied.
        features, proprio, actions: lengths of image features, proprioception and action.
    """

    def __init__(self, config: RLPDConfig, policy: SquashedGaussianPolicy, features: int, proprio: int, actions: int) -> None:
        self.config = config
        self.actor = copy.deepcopy(policy).eval().requires_grad_(True)
        if not config.from_bc:
            self.actor.forget()
        self.average = copy.deepcopy(self.actor).requires_grad_(False)
        self.clone = copy.deepcopy(policy).eval().requires_grad_(False)
        self.critic = EnsembleCritic(config.critics, features, proprio + actions, config.latent, config.hidden)
        self.device = next(policy.parameters()).device
        self.critic.to(self.device)
        self.target = copy.deepcopy(self.critic).requires_grad_(False)
        self.log_temperature = torch.tensor(math.log(0.05), device=self.device, requires_grad=True)
        self.critic_optimiser = Adam(self.critic.parameters(), config.critic_rate)
        self.actor_optimiser = Adam(self.actor.parameters(), config.actor_rate)
        self.temperature_optimiser = Adam([self.log_temperature], config.temperature_rate)
        self.updates = 0
        # `bc_weight` where a captured graph finds it.
        self.pull = torch.tensor(config.bc_weight, device=self.device)

    @property
    def parts(self) -> dict[str, nn.Module]:
        """Of a checkpoint."""
        return {"actor": self.actor, "average": self.average, "clone": self.clone, "critic": self.critic, "target": self.target}

    @property
    def optimisers(self) -> dict[str, Adam]:
        """Of a checkpoint."""
        return {"critic": self.critic_optimiser, "actor": self.actor_optimiser, "temperature": self.temperature_optimiser}

    @property
    def bc_weight(self) -> float:
        """The present weight of behaviour cloning: falls linearly from `bc_weight` to `bc_final`."""
        config = self.config
        share = min(1.0, self.updates / config.bc_updates)
        return config.bc_weight + share * (config.bc_final - config.bc_weight)

    def critic_loss(self, batch: Batch, reward: Tensor) -> Tensor:
        """E (Q_e(s, a) - r - gamma (1 - terminated) min_{two of E} Q'(s', a'))^2, a' ~ pi. No entropy in the backup."""
        with torch.no_grad():
            action, _ = self.actor.sample(batch.next_features, batch.next_proprio)
            values = self.target(batch.next_features, self.actor.normalise(batch.next_proprio), action)
            pair = torch.randperm(self.config.critics, device=self.device)[:2]
            target = reward + self.config.discount * batch.continues * values[pair].amin(0)
        q = self.critic(batch.features, self.actor.normalise(batch.proprio), batch.actions)
        return (q - target).square().mean()

    def actor_loss(self, batch: Batch, demonstrations: Batch) -> tuple[Tensor, Tensor]:
        """E[alpha log pi(a|s) - Q(s, a) / |Q|] + w E_demo ||tanh(mu(s)) - a||^2 + stay E ||tanh(mu(s)) - tanh(mu_BC(s))||^2, and
        log pi for the temperature.
        """
        action, log_prob = self.actor.sample(batch.features, batch.proprio)
        q = self.critic(batch.features, self.actor.normalise(batch.proprio), action).mean(0)
        scale = q.detach().abs().mean().clamp(min=1e-3)
        loss = (self.log_temperature.exp().detach() * log_prob - q / scale).mean()
        cloned = self.actor.mode(demonstrations.features, demonstrations.proprio)
        loss = loss + self.pull * cloning_loss(cloned, demonstrations.actions)
        if self.config.stay:
            done = self.actor.mode(batch.features, batch.proprio)
            loss = loss + self.config.stay * cloning_loss(done, self.clone.mode(batch.features, batch.proprio))
        return loss, log_prob.detach()

    def temperature_loss(self, log_prob: Tensor) -> Tensor:
        """-log alpha E[log pi + target entropy]."""
        return -(self.log_temperature * (log_prob + self.config.target_entropy).mean())

    def update(self, demonstrations: Batch, batch: Batch, reward: Tensor) -> dict[str, Tensor]:
        """One critic update, and every so often one of the actor. `batch` holds the demonstrations' half too.

        Returns:
            Metrics as tensors, so that nothing waits for the device.
        """
        metrics = self.update_critic(batch, reward)
        return metrics | self.update_actor(batch, demonstrations) if self.count() else metrics

    def count(self) -> bool:
        """Counts one critic update and says whether one of the actor is due with it."""
        self.updates += 1
        self.pull.fill_(self.bc_weight)
        return self.updates > self.config.actor_after and self.updates % self.config.actor_every == 0

    def update_critic(self, batch: Batch, reward: Tensor) -> dict[str, Tensor]:
        """One update of critics and target critics. All of it happens on the device, as in `update_actor`."""
        loss = self.critic_loss(batch, reward)
        descend(self.critic_optimiser, loss)
        follow(self.target, self.critic, self.config.target_step)
        return {"critic_loss": loss.detach(), "reward": reward.mean()}

    def update_actor(self, batch: Batch, demonstrations: Batch) -> dict[str, Tensor]:
        """One update of policy, temperature and averaged policy."""
        self.critic.requires_grad_(False)
        loss, log_prob = self.actor_loss(batch, demonstrations)
        descend(self.actor_optimiser, loss)
        self.critic.requires_grad_(True)
        descend(self.temperature_optimiser, self.temperature_loss(log_prob))
        follow(self.average, self.actor, self.config.average_step)
        return {"actor_loss": loss.detach(), "entropy": -log_prob.mean(), "temperature": self.log_temperature.detach().exp()}

    def imitate(self, sample: Callable[[int], Batch], config: BCConfig) -> None:
        """Clones what `sample` draws, from the averaged policy on, and goes on from there; see `fit_policy`."""
        policy = copy.deepcopy(self.average).requires_grad_(True)
        fit_policy(policy, sample, config)
        for other in (self.actor, self.average, self.clone):
            other.load_state_dict(policy.state_dict())


def to_floats(metrics: dict[str, Tensor]) -> Metrics:
    """Waits for the device and reads the numbers."""
    return {name: float(value) for name, value in metrics.items()}
