"""One binary discriminator, shared by the goal classifiers and the adversarial rewards, and the rewards that its logit makes."""

from __future__ import annotations

from abc import abstractmethod
from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from rewardbot.config import setting
from rewardbot.data.transitions import Transitions
from rewardbot.errors import ConfigError
from rewardbot.nets.adam import Adam
from rewardbot.nets.optimisation import descend
from rewardbot.rewards.base import RewardModel

Head = Literal["positive", "negative", "log_odds"]
"""How a reward is made of D: -log(1 - D), log D, or log D - log(1 - D)."""


@dataclass(frozen=True)
class DiscriminatorConfig:
    """Regularised hard: a hundred success images against thousands of visited states are easily learned by heart."""

    hidden: int = setting(64, "hidden width", min=1)
    dropout: float = setting(0.2, "dropout of input and hidden layer", min=0.0, max=0.9)
    noise: float = setting(0.1, "noise on standardised features", min=0.0)
    smoothing: float = setting(0.05, "label smoothing: labels are s and 1 - s", min=0.0, max=0.49)
    mixup: bool = setting(True, "mix random pairs and their labels (mixup: Zhang et al. 2018)")
    batch: int = setting(128, "positives, and as many negatives, per step", min=1)
    learning_rate: float = setting(5e-4, "AdamW learning rate", min=0.0)
    weight_decay: float = setting(1e-2, "AdamW weight decay", min=0.0)


class Discriminator(nn.Module):
    """logit D(x). With balanced batches its optimum is log p_positive(x) - log p_negative(x).

    Args:
        config: see `DiscriminatorConfig`.
        features: length of the input.
    """

    def __init__(self, config: DiscriminatorConfig, features: int) -> None:
        super().__init__()
        self.config = config
        self.register_buffer("mean", torch.zeros(features))
        self.register_buffer("std", torch.ones(features))
        self.body = nn.Sequential(
            nn.Dropout(config.dropout), nn.Linear(features, config.hidden), nn.LayerNorm(config.hidden), nn.ReLU(),
            nn.Dropout(config.dropout), nn.Linear(config.hidden, 1),
        )

    def set_scale(self, features: Tensor) -> None:
        """Standardises with the mean and spread of `features` (N, F)."""
        self.mean.copy_(features.mean(0))  # type: ignore[operator]
        self.std.copy_(features.std(0) + 1e-3)  # type: ignore[operator]

    def forward(self, features: Tensor) -> Tensor:
        """(N, F) -> logits (N,)."""
        return self.body((features - self.mean) / self.std).squeeze(-1)  # type: ignore[operator]

    def bce_loss(self, positives: Tensor, negatives: Tensor) -> Tensor:
        """Balanced binary cross-entropy with mixup and smoothed labels. Equally many positives as negatives.

        With x = l x_i + (1 - l) x_j, l ~ U(0, 1) (that is beta(1, 1)), and labels mixed alike.
        """
        if len(positives) != len(negatives):
            raise ValueError(f"{len(positives)} positives and {len(negatives)} negatives: balance them before the loss.")
        smoothing = self.config.smoothing
        x = torch.cat([positives, negatives])
        label = torch.full((len(x),), 1.0 - smoothing, device=x.device)
        label[len(positives) :] = smoothing
        x = x + self.config.noise * self.std * torch.randn_like(x)  # type: ignore[operator]
        if self.config.mixup:
            other = torch.randperm(len(x), device=x.device)
            share = torch.rand(len(x), device=x.device)
            x = share[:, None] * x + (1.0 - share[:, None]) * x[other]
            label = share * label + (1.0 - share) * label[other]
        return F.binary_cross_entropy_with_logits(self(x), label)

    def slope_penalty(self, positives: Tensor, negatives: Tensor) -> Tensor:
        """E max(0, |d logit / dx| - 1)^2 at random places between a positive and a negative, (N, F) each, x in spreads.

        It keeps the logit from jumping between what the expert and what the policy does, so that it says which way is better
        (Gulrajani et al. 2017; one-sided, so that a logit that need not rise is left in peace: Petzka et al. 2018).
        """
        share = torch.rand(len(positives), 1, device=positives.device)
        between = (share * positives + (1.0 - share) * negatives).detach().requires_grad_()
        slope, = torch.autograd.grad(self(between).sum(), between, create_graph=True)
        return F.relu((slope * self.std).norm(dim=-1) - 1.0).square().mean()  # type: ignore[operator]


def balanced_bce(positive: Tensor, negative: Tensor) -> Tensor:
    """-(E log D(positive) + E log(1 - D(negative))) / 2, from logits."""
    return 0.5 * (F.softplus(-positive).mean() + F.softplus(negative).mean())


def head(logit: Tensor, name: Head) -> Tensor:
    """The reward of a logit z = log D - log(1 - D), stable for large |z|.

    -log(1 - D) = log(1 + e^z) is never negative, so that each step is worth having. log D = -log(1 + e^-z) is never positive, so that
    each step costs.
    """
    if name == "positive":
        return F.softplus(logit)
    return -F.softplus(-logit) if name == "negative" else logit


def check_horizon(name: Head) -> None:
    """To be called where an episode can end early, that is, otherwise than by a timeout.

    Raises:
        ConfigError: the head needs a fixed horizon.
    """
    does = {"positive": "-log(1 - D) is never negative and rewards staying alive, whatever the policy does then",
            "negative": "log D is never positive and rewards ending early"}
    if name in does:
        raise ConfigError(f"The reward head '{name}' needs episodes of one length, and here they end early: {does[name]}.",
                          valid="Where episodes end early: log_odds, which is log D - log(1 - D) and takes both signs.",
                          next_step="Choose that head, or an environment without early ends.")


class AdversarialReward(RewardModel):
    """A reward that is what tells the expert's steps from the policy's: how GAIL and AIRL learn.

    Attributes:
        optimiser: of whatever the logit is made of.
    """

    optimiser: Adam

    @abstractmethod
    def logit(self, batch: Transitions) -> Tensor:
        """log D - log(1 - D), (N,)."""

    @abstractmethod
    def loss(self, expert: Transitions, visited: Transitions) -> Tensor:
        """What a step descends; D is to be 1 for the expert and 0 for the policy."""

    def step(self, expert: Transitions, visited: Transitions) -> dict[str, Tensor]:
        """One gradient step on a batch of demonstrated and one of visited transitions, of equal size."""
        loss = self.loss(expert, visited)
        descend(self.optimiser, loss)
        self.version += 1
        return {"discriminator_loss": loss.detach(), "expert_d": self.probability(expert).mean(),
                "policy_d": self.probability(visited).mean()}

    @torch.no_grad()
    def probability(self, batch: Transitions) -> Tensor:
        """D, the probability that the expert did this, (N,)."""
        return torch.sigmoid(self.logit(batch))
