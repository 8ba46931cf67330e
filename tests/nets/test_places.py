"""What a camera sees of a thing by its colours: how large it is, where, and what stays when it moves sideways."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from rewardbot.nets.encoders import stored_encoder
from rewardbot.nets.places import LEVELS, MOMENTS, PlaceEncoder, colours, moments, opened, sideways
from rewardbot.nets.weights import named


def blob(x: int, y: int, width: int = 4, height: int = 2, size: int = 20) -> torch.Tensor:
    """Weights (1, size, size) of a thing whose upper left pixel is (x, y)."""
    weights = torch.zeros(1, size, size)
    weights[0, y : y + height, x : x + width] = 1.0
    return weights


def test_each_colour_has_its_number() -> None:
    image = torch.tensor([[0, 255, 16], [0, 255, 0], [15, 255, 0]], dtype=torch.uint8).view(1, 3, 1, 3)
    assert colours(image).ravel().tolist() == [0, LEVELS**3 - 1, LEVELS**2]
    assert torch.equal(colours(image), colours(image.float())), "as bytes and as numbers"


def test_size_centre_and_edges_by_hand() -> None:
    grid = np.linspace(-1.0, 1.0, 20)
    size, x, y, left, right, top, bottom, sides, ends = moments(blob(3, 0))[0].tolist()
    assert size == pytest.approx(np.log(8.0 / 400.0 * 80.0 + 0.02), abs=1e-3)
    assert (x, y) == pytest.approx((grid[3:7].mean(), grid[:2].mean()), abs=1e-3)
    assert (left, right, top, bottom) == pytest.approx((grid[3], grid[6], grid[0], grid[1]))
    assert (sides, ends) == pytest.approx((0.0, 0.5), abs=1e-3), "one of its two rows lies at the upper border"


def test_nothing_at_all_is_seen_as_small_and_finite() -> None:
    found = moments(torch.zeros(2, 8, 12))
    assert found.shape == (2, MOMENTS) and bool(torch.isfinite(found).all())
    assert float(found[0, 0]) < float(moments(blob(3, 3, 1, 1))[0, 0])


def test_a_thing_that_moves_sideways_is_corrected_alike() -> None:
    one, other = sideways(moments(blob(3, 5))), sideways(moments(blob(12, 5)))
    torch.testing.assert_close(one, other, rtol=0.0, atol=2e-3)
    assert not torch.allclose(one, sideways(moments(blob(3, 9)))), "but not one that is further away"


def test_the_encoder_is_stored_with_its_camera() -> None:
    torch.manual_seed(0)
    encoder = PlaceEncoder("front").eval()
    sight = encoder.sight
    with torch.no_grad():
        sight.table.copy_(torch.rand(LEVELS**3))  # type: ignore[operator]
        sight.onto.copy_(torch.randn(2, 3))
        sight.zero.fill_(0.3)  # type: ignore[operator]
    images = {name: torch.randint(0, 256, (3, 3, 10, 8), dtype=torch.uint8) for name in ("front", "wrist")}
    again = stored_encoder({"front": (10, 8), "wrist": (10, 8)}, named("encoder.encoder", encoder), "encoder.encoder")
    assert isinstance(again, PlaceEncoder) and again.names == ("front",)
    assert torch.equal(again(images), encoder(images)) and encoder(images).shape == (3, encoder.features)


def test_what_is_thin_is_not_the_thing() -> None:
    weights = torch.zeros(1, 20, 20)
    weights[0, 5:10, 5:10] = 1.0
    thing = weights.clone()
    weights[0, :, 15:17] = 1.0  # a finger
    assert torch.equal(opened(weights), thing)
    assert bool((opened(torch.rand(2, 9, 9)) <= 1.0).all()) and float(opened(torch.zeros(1, 5, 5)).abs().sum()) == 0.0
