"""Statistics of features as LeRobot's meta/stats.json has them: min, max, mean, std, count and quantiles."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

Statistics = dict[str, NDArray[Any]]
"""Name -> (D,) for numbers, (3, 1, 1) in [0, 1] for images; "count" is (1,), the number of frames."""

QUANTILES = (0.01, 0.1, 0.5, 0.9, 0.99)
PIXELS = 100_000
"""As many pixels of an episode give the statistics of its images."""


def of_numbers(values: NDArray[Any]) -> Statistics:
    """Of (N,) or (N, D)."""
    values = values.reshape(len(values), -1).astype(np.float64)
    return {"min": values.min(0), "max": values.max(0), "mean": values.mean(0), "std": values.std(0),
            "count": np.array([len(values)]),
            **{_name(share): quantile for share, quantile in zip(QUANTILES, np.quantile(values, QUANTILES, axis=0), strict=True)}}


def of_images(images: NDArray[np.uint8]) -> Statistics:
    """Of (N, H, W, 3)."""
    pixels = images.reshape(-1, images.shape[-1])
    if len(pixels) > PIXELS:
        pixels = pixels[np.random.default_rng(0).integers(0, len(pixels), PIXELS)]
    found = {name: values.reshape(-1, 1, 1) for name, values in of_numbers(pixels / 255.0).items()}
    return {**found, "count": np.array([len(images)])}


def together(parts: Sequence[Statistics]) -> Statistics:
    """Of all parts, each weighed by its count. Quantiles become bounds, as LeRobot's are: the least of those up to the median, the
    greatest of those above."""
    counts = np.array([part["count"][0] for part in parts], np.float64)
    stacked = {name: np.stack([part[name] for part in parts]) for name in parts[0]}
    mean = np.average(stacked["mean"], axis=0, weights=counts)
    variance = np.average(stacked["std"] ** 2 + (stacked["mean"] - mean) ** 2, axis=0, weights=counts)
    return {"min": stacked["min"].min(0), "max": stacked["max"].max(0), "mean": mean, "std": np.sqrt(variance),
            "count": np.array([int(counts.sum())]),
            **{_name(share): (np.min if share <= 0.5 else np.max)(stacked[_name(share)], axis=0) for share in QUANTILES}}


def _name(share: float) -> str:
    return f"q{round(100 * share):02d}"
