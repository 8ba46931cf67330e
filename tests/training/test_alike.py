"""Which pictures count as the same."""

from __future__ import annotations

import numpy as np
import pytest

from rewardbot.training.alike import CELLS, LEAST_CHANGE, is_new, outline

SIDE = 4 * CELLS


def scene(x: int = 20, noise: int | None = None) -> dict[str, np.ndarray]:
    """A small thing at `x` before a grey ground."""
    picture = np.full((SIDE, SIDE, 3), 120.0)
    picture[30:34, x : x + 4] = (220, 40, 40)
    if noise is not None:
        picture += np.random.default_rng(noise).normal(scale=6.0, size=picture.shape)
    return {"front": picture.clip(0, 255).astype(np.uint8), "wrist": np.zeros((SIDE, SIDE, 3), np.uint8)}


def test_the_outline_is_the_mean_of_each_cell_of_each_camera() -> None:
    found = outline(scene(20))
    assert found.shape == (2 * 3 * CELLS**2,) and found.dtype == np.float32
    front = found[: 3 * CELLS**2].reshape(3, CELLS, CELLS)
    assert front[0, 7, 5] == pytest.approx(170.0) and front[0, 0, 0] == 120.0, "half of that cell is the thing's"


def test_noise_is_no_change_and_a_small_motion_is_one() -> None:
    seen = [outline(scene(20, noise=number)) for number in range(3)]
    assert not is_new(outline(scene(20, noise=9)), seen)
    assert is_new(outline(scene(22, noise=9)), seen)
    assert not is_new(outline(scene(22, noise=9)), [*seen, outline(scene(22))]), "each of them is looked at"


def test_the_first_is_new_and_the_bound_belongs_to_what_is_new() -> None:
    ground = np.zeros(5, np.float32)
    assert is_new(ground, [])
    for change, new in ((LEAST_CHANGE, True), (LEAST_CHANGE - 0.5, False)):
        assert is_new(ground + np.array([0, 0, change, 0, 0], np.float32), [ground]) == new
