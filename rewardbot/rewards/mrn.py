"""Meta-Reward-Net: the reward is right if the critic that learns from it prefers what the operator prefers.

Liu, Bai, Du and Yang 2022, Meta-Reward-Net: Implicitly Differentiable Reward Learning for Preference-based RL.

    inner:  theta'(psi) = theta - alpha grad_theta E[(Q_theta(s, a) - r_psi(s, a) - gamma (1 - terminated) V(s'))^2] / 2
    outer:  min_psi  E[-log P(order | Q_theta'(psi)(s_0, a_0))],  s_0, a_0 the first step of each clip

The ordinary fit to the answers stays; every so often during learning one outer step is taken.

Learns from: rankings and ratings.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.func import functional_call

from rewardbot.config import setting
from rewardbot.nets.adam import Adam
from rewardbot.rewards.comparisons import Comparisons
from rewardbot.rewards.plackett_luce import log_likelihood
from rewardbot.rewards.preference import PreferenceConfig, PreferenceReward, RewardEnsemble


@dataclass(frozen=True)
class MRNConfig(PreferenceConfig):
    """Hyper-parameters."""

    critic_rate: float = setting(3e-4, "alpha, step of the inner, plain gradient descent", min=0.0)
    meta_rate: float = setting(3e-4, "Adam learning rate of the outer steps", min=0.0)


@dataclass(frozen=True)
class CriticBatch:
    """What the critic learns from in the inner step.

    Attributes:
        inputs: what critic and reward see of N transitions, (N, D).
        future: gamma (1 - terminated) V(s') as the learner estimates it, without gradient, (N,).
    """

    inputs: Tensor
    future: Tensor


class MetaRewardNet(PreferenceReward):
    """The preference trainer with outer steps, see the module.

    After them the reward depends on the critic, too, so that the ledger alone does not give it again; the next fit begins anew.
    A critic is a module that takes what the reward sees, (N, D), and gives the values of E critics, (E, N); their minimum counts.
    """

    config: MRNConfig
    _optimiser: tuple[RewardEnsemble, Adam] | None = None

    def critic_after_step(self, critic: nn.Module, batch: CriticBatch) -> dict[str, Tensor]:
        """theta'(psi), by name: the critic's parameters after one step on the present reward, differentiable by the reward's."""
        parameters = dict(critic.named_parameters())
        target = self.network.normalised(batch.inputs).mean(0) + batch.future
        loss = 0.5 * (critic(batch.inputs) - target).square().mean(-1).sum()
        gradients = torch.autograd.grad(loss, list(parameters.values()), create_graph=True)
        return {name: value - self.config.critic_rate * gradient
                for (name, value), gradient in zip(parameters.items(), gradients, strict=True)}

    def meta_loss(self, critic: nn.Module, batch: CriticBatch, data: Comparisons) -> Tensor:
        """E[-w log P(order | Q_theta'(psi)(s_0, a_0))] of all answers in `data`."""
        first = data.clips.steps[data.options, 0]
        values = functional_call(critic, self.critic_after_step(critic, batch), (first.flatten(0, 1),)).amin(0)
        return -(data.weight * log_likelihood(values.view(data.options.shape), data.place)).mean()

    def meta_step(self, critic: nn.Module, batch: CriticBatch, data: Comparisons) -> Tensor:
        """One outer step of the reward; the critic stays as it is. Returns the loss before it, without gradient."""
        if self._optimiser is None or self._optimiser[0] is not self.network:
            self._optimiser = self.network, Adam(self.network.parameters(), self.config.meta_rate)
        loss = self.meta_loss(critic, batch, data)
        gradients = torch.autograd.grad(loss, list(self.network.parameters()))
        for parameter, gradient in zip(self.network.parameters(), gradients, strict=True):
            parameter.grad = gradient
        self._optimiser[1].step()
        return loss.detach()
