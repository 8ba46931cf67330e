"""Drives on three lanes, five seconds each, in which another car cuts in ahead: what Sadigh et al. (2017) ask drivers about.

A drive is judged by five features: how near it is to the road's edge, how well it keeps to a lane, how far its speed is from the
wished one, how straight it heads, how near it comes to the other car.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]

FEATURES = ("road edge", "lane", "speed", "heading", "collision")

STEPS, STEP_S, HELD = 50, 0.1, 10
"""Steps of a drive, their length [s], and how many steps each random steering and acceleration is held."""

LANES, EDGE, WISHED = (-3.5, 0.0, 3.5), 5.25, 12.0
"""Middle of the lanes and edge of the road, from its middle [m]; the wished speed [m/s]."""


@dataclass(frozen=True)
class Drives:
    """N drives.

    Attributes:
        across, along: positions across and along the road, float64 (N, STEPS) [m].
        features: mean of each of `FEATURES`, unscaled, (N, 5).
    """

    across: Array
    along: Array
    features: Array


def other_car() -> tuple[Array, Array]:
    """Where the other car is in each step, across and along the road [m]: it comes over from the left lane."""
    at = np.arange(STEPS, dtype=np.float64) * STEP_S
    return LANES[0] / (1.0 + np.exp(4.0 * (at - 2.0))), 12.0 + 9.0 * at


def drive(count: int, rng: np.random.Generator) -> Drives:
    """Random drives from the middle lane at 10 m/s: steering up to 0.25 rad/s, acceleration up to 3 m/s2."""
    held = (count, STEPS // HELD)
    turn, push = (np.repeat(rng.uniform(-most, most, held), HELD, axis=1) for most in (0.25, 3.0))
    heading = np.cumsum(turn, axis=1) * STEP_S
    speed = np.maximum(10.0 + np.cumsum(push, axis=1) * STEP_S, 0.0)
    across, along = (np.cumsum(speed * part(heading), axis=1) * STEP_S for part in (np.sin, np.cos))
    to_lane = np.abs(across[..., None] - np.array(LANES)).min(axis=-1)
    there = other_car()
    features = np.stack([
        1.0 / (1.0 + np.exp(-np.clip((np.abs(across) - EDGE) / 0.5, -50.0, 50.0))),
        np.exp(-(to_lane**2)),
        ((speed - WISHED) / WISHED) ** 2,
        np.cos(heading),
        np.exp(-(((across - there[0]) / 1.5) ** 2) - ((along - there[1]) / 4.0) ** 2),
    ], axis=-1).mean(axis=1)
    return Drives(across, along, features)
