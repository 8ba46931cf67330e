"""Labelled examples, and what the goal window needs to know about them. No Qt."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from rewardbot.data.success_images import Images
from rewardbot.training.alike import outline
from rewardbot.training.labels import Example, bursts


@dataclass(frozen=True)
class Side:
    """How much there is of one kind."""

    pictures: int = 0
    bursts: int = 0


class Labelled:
    """Examples, and what is computed of them once.

    Attributes:
        examples: in the order of their names.
        labels: True where the goal is visible, bool (N,).
        bursts: see `training.labels.bursts`, (N,).
        sides: kind -> how much there is of it.
        version: grows with every change.
    """

    def __init__(self, examples: Sequence[Example]) -> None:
        self.version = 0
        self._outlines: dict[str, NDArray[np.float32]] = {}
        self.renew(examples)

    def renew(self, examples: Sequence[Example]) -> None:
        """Takes over other examples."""
        self.examples, self.version = list(examples), self.version + 1
        self.labels = np.array([example.goal for example in examples], np.bool_)
        self.bursts = bursts(examples)
        self.sides = {kind: Side(int((self.labels == kind).sum()), len(np.unique(self.bursts[self.labels == kind])))
                      for kind in (True, False)}
        known = self._outlines
        self._outlines = {example.name: known[example.name] if example.name in known else outline(example.images)
                          for example in examples}

    def outlines(self, goal: bool | None = None) -> list[NDArray[np.float32]]:
        """Outlines of the examples of a kind, or of all."""
        return [self._outlines[example.name] for example in self.examples if goal in (None, example.goal)]

    def images(self) -> Images:
        """The pictures, row n of each camera from example n."""
        return {camera: np.stack([example.images[camera] for example in self.examples]) for camera in self.examples[0].images}
