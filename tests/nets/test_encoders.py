"""What an encoder sees: positions of features, images moved but never changed, cameras in the order of their names."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from rewardbot.nets.encoders import Encoder, SpatialSoftmax, random_shift, to_tensors


def test_one_peak_is_where_it_is() -> None:
    points = SpatialSoftmax(1, 3, 5)
    maps = torch.zeros(1, 1, 3, 5)
    maps[0, 0, 2, 1] = 50.0  # last row, second of five columns
    assert points(maps)[0].tolist() == pytest.approx([-0.5, 1.0, 50.0], abs=1e-5)


def test_positions_and_strength_by_hand() -> None:
    """Two channels of 2 x 3: softmax weights are ratios of e, expected positions their sums over the grid."""
    points = SpatialSoftmax(2, 2, 3)
    with torch.no_grad():
        points.log_beta[1] = math.log(2.0)
    maps = torch.zeros(1, 2, 2, 3)
    maps[0, :, 0, 2] = 1.0  # first row (y = -1), last column (x = 1)
    x1, y1, x2, y2, strength1, strength2 = points(maps)[0].tolist()
    e, e2 = math.e, math.e**2  # the second channel's map is sharpened by beta = 2
    assert (x1, y1) == pytest.approx(((e - 1) / (e + 5), (3 - 2 - e) / (e + 5)))
    assert (x2, y2) == pytest.approx(((e2 - 1) / (e2 + 5), (3 - 2 - e2) / (e2 + 5)))
    assert (strength1, strength2) == pytest.approx((e / (e + 5), e2 / (e2 + 5)))


def test_an_even_map_is_in_the_middle() -> None:
    assert SpatialSoftmax(1, 4, 6)(torch.full((1, 1, 4, 6), 3.0))[0].tolist() == pytest.approx([0.0, 0.0, 3.0], abs=1e-6)


@given(st.integers(8, 33), st.integers(8, 33))
@settings(max_examples=15, deadline=None)
def test_any_camera_size(height: int, width: int) -> None:
    encoder = Encoder({"front": (height, width)})
    assert encoder({"front": torch.zeros(2, 3, height, width, dtype=torch.uint8)}).shape == (2, encoder.features)


def test_cameras_stand_in_the_order_of_their_names() -> None:
    encoder = Encoder({"wrist": (8, 12), "front": (10, 8)}).eval()
    images = {"wrist": torch.randint(0, 256, (2, 3, 8, 12)), "front": torch.randint(0, 256, (2, 3, 10, 8))}
    features = encoder(images)
    assert encoder.names == ("front", "wrist")
    half = encoder.features // 2
    assert torch.equal(features[:, :half], encoder.cameras["front"](images["front"]))
    assert torch.equal(features[:, half:], encoder.cameras["wrist"](images["wrist"]))
    assert torch.equal(features, encoder(dict(reversed(images.items()))))


def test_an_image_is_seen_alike_as_bytes_and_as_numbers() -> None:
    encoder = Encoder({"front": (8, 8)}).eval()
    image = np.random.default_rng(0).integers(0, 256, (8, 8, 3), dtype=np.uint8)
    single, batch = to_tensors({"front": image})["front"], to_tensors({"front": image[None]})["front"]
    assert single.shape == (1, 3, 8, 8) and single.dtype == torch.uint8 and torch.equal(single, batch)
    assert single[0, 2, 1, 5] == image[1, 5, 2]
    assert torch.equal(encoder({"front": single}), encoder({"front": single.float()}))


def test_no_shift_changes_nothing() -> None:
    images = torch.rand(3, 3, 7, 5)
    assert random_shift(images, 0) is images


@given(st.integers(1, 4), st.integers(0, 2**31))
@settings(max_examples=25, deadline=None)
def test_a_shift_is_a_translation(pixels: int, seed: int) -> None:
    """Pixels tell where they come from: each image is moved as a whole, and the border is repeated."""
    height, width = 9, 6
    rows, columns = torch.meshgrid(torch.arange(height), torch.arange(width), indexing="ij")
    image = torch.stack([rows, columns, torch.full_like(rows, 7)]).float()
    images = torch.stack([image + 100 * n for n in range(8)])
    moved = random_shift(images, pixels, torch.Generator().manual_seed(seed)) - 100 * torch.arange(8.0)[:, None, None, None]
    for shifted in moved:
        found = {(int(a - b), int(c - d)) for a, b, c, d in zip(
            *(x.flatten() for x in (shifted[0], rows, shifted[1], columns)), strict=True)
            if 0 < a < height - 1 and 0 < c < width - 1}  # on the border the source is clamped
        assert len(found) == 1
        down, right = found.pop()
        assert max(abs(down), abs(right)) <= pixels
        assert torch.equal(shifted[0], (rows + down).clamp(0, height - 1).float())
        assert torch.equal(shifted[1], (columns + right).clamp(0, width - 1).float())
        assert (shifted[2] == 7).all()


def test_all_shifts_happen_alike_often() -> None:
    """All nine ways down and right, each image by itself."""
    places = torch.arange(25.0).reshape(1, 1, 5, 5).expand(9000, 1, 5, 5)
    middle = random_shift(places, 1, torch.Generator().manual_seed(0))[:, 0, 2, 2]
    values, counts = middle.unique(return_counts=True)
    assert values.tolist() == [6, 7, 8, 11, 12, 13, 16, 17, 18] and counts.min() > 880 and counts.max() < 1120
