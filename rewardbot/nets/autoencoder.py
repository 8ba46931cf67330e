"""What there is to see, learned from images alone: an encoder that must tell a decoder what differs from image to image.

Finn et al. 2016, Deep Spatial Autoencoders for Visuomotor Learning.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from rewardbot.config import setting
from rewardbot.nets.encoders import Encoder
from rewardbot.nets.optimisation import train

LEAST_SPREAD = 0.03
"""Added to a pixel's spread, so that its noise does not count as much as a thing that moves."""


@dataclass(frozen=True)
class AutoencoderConfig:
    """Hyper-parameters."""

    steps: int = setting(800, "gradient steps", min=1)
    batch: int = setting(64, "images of each camera per step", min=1)
    learning_rate: float = setting(2e-3, "peak of the one-cycle schedule", min=0.0)
    weight_decay: float = setting(1e-4, "AdamW weight decay", min=0.0)
    hidden: int = setting(256, "hidden width of the decoder", min=1)
    size: int = setting(16, "side of the reconstructed images [px]", min=1)


class Autoencoder(nn.Module):
    """An encoder and a decoder that is thrown away.

    Args:
        config: see `AutoencoderConfig`.
        encoder: trained in place.
    """

    def __init__(self, config: AutoencoderConfig, encoder: Encoder) -> None:
        super().__init__()
        self.config, self.encoder = config, encoder
        self.decoder = nn.Sequential(
            nn.Linear(encoder.features, config.hidden), nn.ReLU(inplace=True),
            nn.Linear(config.hidden, len(encoder.names) * 3 * config.size**2),
        )

    def targets(self, images: dict[str, Tensor]) -> Tensor:
        """Small images in units of each pixel's spread over all of them, camera name -> uint8 (N, 3, H, W) to (N, D).

        What never changes is thereby nothing, and a small thing that moves counts like a large one.
        """
        small = torch.cat([F.adaptive_avg_pool2d(images[name].float() / 255.0, self.config.size).flatten(1)
                           for name in self.encoder.names], dim=1)
        return (small - small.mean(0)) / (small.std(0) + LEAST_SPREAD)

    def reconstruction_loss(self, images: dict[str, Tensor], targets: Tensor) -> Tensor:
        """E ||d(e(x)) - x'||^2 over pixels."""
        return F.mse_loss(self.decoder(self.encoder(images)), targets)

    def fit(self, images: dict[str, Tensor], progress: Callable[[float], None], generator: torch.Generator) -> float:
        """Trains on `images`, camera name -> uint8 (N, 3, H, W); returns the last tenth's mean loss."""
        config, targets = self.config, self.targets(images)

        def loss_of_a_batch() -> Tensor:
            rows = torch.randint(len(targets), (config.batch,), generator=generator, device=targets.device)
            return self.reconstruction_loss({name: image[rows] for name, image in images.items()}, targets[rows])

        return train(self, loss_of_a_batch, steps=config.steps, rate=config.learning_rate, weight_decay=config.weight_decay,
                     progress=progress)
