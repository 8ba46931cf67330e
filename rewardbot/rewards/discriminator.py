"""One binary discriminator on image features, shared by the goal classifiers and the adversarial rewards."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from rewardbot.config import setting


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
