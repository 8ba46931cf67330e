"""Statistics against values computed by hand, and parts against the whole."""

from __future__ import annotations

import numpy as np
import pytest

from rewardbot.data.exchange import _statistics as statistics


def test_of_numbers() -> None:
    found = statistics.of_numbers(np.array([[0, 1], [1, 1], [2, 1], [3, 1]], np.float32))
    assert {name: values.tolist() for name, values in found.items()} == {
        "min": [0, 1], "max": [3, 1], "mean": [1.5, 1], "std": [pytest.approx(1.25**0.5), 0], "count": [4],
        "q01": [pytest.approx(0.03), 1], "q10": [pytest.approx(0.3), 1], "q50": [1.5, 1], "q90": [pytest.approx(2.7), 1],
        "q99": [pytest.approx(2.97), 1]}
    assert statistics.of_numbers(np.array([True, False]))["mean"].tolist() == [0.5]


def test_of_images() -> None:
    images = np.zeros((2, 400, 300, 3), np.uint8)  # more pixels than are looked at
    images[..., 1], images[..., 2] = 255, 51
    found = statistics.of_images(images)
    assert found["count"].tolist() == [2]
    for name in ("min", "max", "mean", "q50"):
        assert found[name].shape == (3, 1, 1)
        assert found[name].ravel() == pytest.approx([0.0, 1.0, 0.2])


def test_together() -> None:
    draw = np.random.default_rng(0)
    parts = [draw.normal(k, 1 + k, (n, 2)) for k, n in enumerate((3, 50, 7))]
    found, whole = statistics.together([statistics.of_numbers(part) for part in parts]), np.concatenate(parts)
    assert found["count"].tolist() == [60]
    for name, expected in (("mean", whole.mean(0)), ("std", whole.std(0)), ("min", whole.min(0)), ("max", whole.max(0))):
        np.testing.assert_allclose(found[name], expected)
    np.testing.assert_allclose(found["q90"], np.max([np.quantile(part, 0.9, axis=0) for part in parts], axis=0))
    np.testing.assert_allclose(found["q10"], np.min([np.quantile(part, 0.1, axis=0) for part in parts], axis=0))
