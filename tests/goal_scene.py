"""A camera's view that labels can be learned from: a red square in a marked zone or somewhere else, among other squares."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

SIZE, ZONE, HALF = 64, (38.0, 22.0), 10.0
"""Of the image, the zone's centre (x, y), half its side [px]."""


class GoalScene:
    """Draws picture after picture of things that somebody moves about.

    Args:
        seed: of everything.
    """

    def __init__(self, seed: int) -> None:
        self._draw = np.random.default_rng(seed)
        self._others = self._draw.uniform(6, SIZE - 6, (3, 2))
        self._square = np.zeros(2)

    def burst(self, goal: bool, count: int) -> list[NDArray[np.uint8]]:
        """Pictures of one time of pressing a key, uint8 (64, 64, 3) each; the square has been put elsewhere before."""
        self._square = self._somewhere(goal)
        return [self._picture(goal) for _ in range(count)]

    def _somewhere(self, goal: bool) -> NDArray[np.float64]:
        while True:
            place = self._draw.uniform(5, SIZE - 5, 2)
            inside, near = (bool((np.abs(place - ZONE) < HALF + more).all()) for more in (-2.0, 5.0))
            if inside if goal else not near:
                return place

    def _picture(self, goal: bool) -> NDArray[np.uint8]:
        picture = np.full((SIZE, SIZE, 3), 90.0)
        x, y, half = *ZONE, HALF + 3
        picture[int(y - half) : int(y + half), int(x - half) : int(x + half)] = 125.0
        self._others = (self._others + self._draw.normal(scale=4.0, size=(3, 2))).clip(6, SIZE - 6)
        for place, colour in zip(self._others, ((40, 60, 210), (60, 180, 60), (220, 220, 60)), strict=True):
            _paint(picture, place, colour)
        wish = self._somewhere(goal)
        self._square = self._square + np.clip(wish - self._square, -3, 3) if goal else (self._square + wish) / 2
        if not goal and (np.abs(self._square - ZONE) < HALF + 5).all():
            self._square = wish
        _paint(picture, self._square, (230, 40, 30))
        return (picture + self._draw.normal(scale=3.0, size=picture.shape)).clip(0, 255).astype(np.uint8)


def _paint(picture: NDArray[np.float64], centre: NDArray[np.float64], colour: tuple[int, int, int]) -> None:
    x, y = centre.round().astype(int)
    picture[max(0, y - 4) : y + 5, max(0, x - 4) : x + 5] = colour
