"""Which pictures a person is asked about: those that the classifier is least sure of. No Qt."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from rewardbot.rewards.goal_classifier import THRESHOLD
from rewardbot.training.alike import is_new

DOUBT = 0.35
"""Distance of a probability from the threshold below which a picture is asked about."""

SHOWN, KEPT, LOOK_S = 6, 100, 0.5
"""Questions at a time, pictures that may become one, and least time between two of these [s]."""

Moment = Mapping[str, NDArray[np.uint8]]
"""Camera name -> uint8 (H, W, 3), all of one moment."""


@dataclass(frozen=True)
class Question:
    """A picture without a label.

    Attributes:
        number: its own, never used again.
        images: what the cameras saw.
        moment: when [Unix s].
        probability: of the goal, by the present classifier.
    """

    number: int
    images: Moment
    moment: float
    probability: float

    @property
    def certainty(self) -> float:
        """Distance from the threshold."""
        return abs(self.probability - THRESHOLD)


class Questions:
    """The pictures that may be asked about, and those that are.

    Attributes:
        shown: the questions, at most `SHOWN`.
    """

    def __init__(self) -> None:
        self.shown: tuple[Question, ...] = ()
        self._pool: dict[int, tuple[Question, NDArray[np.float32]]] = {}
        self._count, self._looked_at = 0, float("-inf")

    def offer(
        self, images: Moment, moment: float, probability: float, outline: NDArray[np.float32],
        labelled: Sequence[NDArray[np.float32]],
    ) -> None:
        """A picture that nobody has labelled; it is taken if none like it is labelled, nor here.

        Args:
            images, moment, probability: see `Question`.
            outline: of the picture, see `training.alike`.
            labelled: outlines of those that are labelled.
        """
        if abs(moment - self._looked_at) < LOOK_S:
            return
        self._looked_at = moment
        if not is_new(outline, [*labelled, *(known for _, known in self._pool.values())]):
            return
        self._count += 1
        self._pool[self._count] = Question(self._count, images, moment, probability), outline
        if len(self._pool) > KEPT:
            del self._pool[max(self.all(), key=lambda question: question.certainty).number]

    def all(self) -> list[Question]:
        """Every picture that may be asked about."""
        return [question for question, _ in self._pool.values()]

    def judge(self, probabilities: Callable[[Sequence[Moment]], NDArray[np.float32]]) -> None:
        """Another classifier is there; it gives the probabilities (N,) of N moments."""
        if self._pool:
            found = probabilities([question.images for question in self.all()])
            self._pool = {number: (replace(question, probability=float(of)), outline) for of, (number, (question, outline))
                          in zip(found, self._pool.items(), strict=True)}

    def take(self, number: int) -> Question | None:
        """Removes a question and returns it; None if it is gone already."""
        return self._pool.pop(number, (None, None))[0]

    def choose(self, *, keep: bool) -> None:
        """Renews `shown`: the most doubtful first, or, if `keep`, behind those that are there, which stay in their places."""
        kept = [self._pool[q.number][0] for q in self.shown if q.number in self._pool] if keep else []
        there = {question.number for question in kept}
        more = sorted((question for question in self.all() if question.number not in there and question.certainty < DOUBT),
                      key=lambda question: question.certainty)
        self.shown = (*kept, *more)[:SHOWN]
