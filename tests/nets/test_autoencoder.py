"""The autoencoder: its targets by hand, and that its encoder learns where a thing is."""

from __future__ import annotations

import pytest
import torch

from rewardbot.nets.autoencoder import LEAST_SPREAD, Autoencoder, AutoencoderConfig
from rewardbot.nets.encoders import Encoder


def ignore(share: float) -> None:
    """No progress shown."""


def squares(n: int, generator: torch.Generator) -> tuple[torch.Tensor, torch.Tensor]:
    """Images (n, 3, 24, 24) of a bright square on a dark ground, and its corners (n, 2)."""
    corners = torch.randint(2, 17, (n, 2), generator=generator)
    images = torch.full((n, 3, 24, 24), 30, dtype=torch.uint8)
    for image, (x, y) in zip(images, corners.tolist(), strict=True):
        image[:, y : y + 5, x : x + 5] = 220
    return images, corners.float()


def test_targets_are_small_images_in_units_of_their_spread() -> None:
    images = torch.zeros(2, 3, 4, 4, dtype=torch.uint8)
    images[1, 0, :2, :2] = 255  # one of four cells of one channel
    autoencoder = Autoencoder(AutoencoderConfig(size=2), Encoder({"front": (4, 4)}))
    targets = autoencoder.targets({"front": images})
    spread = 0.5**0.5  # of 0 and 1, unbiased
    assert targets.shape == (2, 12)
    assert targets[:, 0].tolist() == pytest.approx([-0.5 / (spread + LEAST_SPREAD), 0.5 / (spread + LEAST_SPREAD)])
    assert targets[:, 1:].abs().max() == 0, "what never changes is nothing"


def test_the_features_tell_where_the_square_is() -> None:
    """A linear readout from the trained features, judged on fresh images, against one from shuffled images."""
    generator = torch.Generator().manual_seed(0)
    torch.manual_seed(0)
    encoder = Encoder({"front": (24, 24)})
    autoencoder = Autoencoder(AutoencoderConfig(steps=120, batch=32, hidden=64, size=8), encoder)
    images, corners = squares(200, generator)
    first = autoencoder.reconstruction_loss({"front": images}, autoencoder.targets({"front": images})).item()
    assert autoencoder.fit({"front": images}, ignore, generator) < 0.6 * first
    fresh, wanted = squares(100, generator)
    with torch.no_grad():
        seen, judged = encoder({"front": images}), encoder({"front": fresh})

    def error(labels: torch.Tensor) -> float:
        ones = torch.ones(len(seen), 1)
        weights = torch.linalg.lstsq(torch.cat([seen, ones], 1), labels, driver="gelsd").solution
        return (torch.cat([judged, torch.ones(len(judged), 1)], 1) @ weights - wanted).abs().mean().item()

    assert error(corners) < 0.5 < 2.0 < error(corners[torch.randperm(len(corners), generator=generator)])
