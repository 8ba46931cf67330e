"""Training and checking of the goal classifier in a thread, while pictures are taken. No Qt."""

from __future__ import annotations

import time
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor, wait
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from rewardbot.data.success_images import Images
from rewardbot.gui.goal_examples import Labelled, Side
from rewardbot.rewards.goal_classifier import THRESHOLD
from rewardbot.rewards.image_classifier import ImageClassifier, ImageClassifierConfig, cross_validate, fit
from rewardbot.training.held_out import HeldOut, judge, lacking

FEWEST = 5
"""Pictures of either kind from which on a classifier is trained, so that it can ask; whether it is of use is another question."""


@dataclass
class Checked:
    """A classifier whose accuracy is known.

    Attributes:
        classifier: trained on all of the pictures.
        held_out: accuracy of classifiers that were trained on a part of them, on the rest.
        sides: kind -> how many they were.
        saved: it is on the disk.
    """

    classifier: ImageClassifier
    held_out: HeldOut
    sides: dict[bool, Side]
    saved: bool = field(default=False)

    @property
    def pictures(self) -> int:
        """How many pictures it has seen."""
        return sum(side.pictures for side in self.sides.values())

    def report(self) -> dict[str, object]:
        """What is known about it, for a file."""
        names = {True: "goal", False: "not"}
        return {"pictures": {names[kind]: side.pictures for kind, side in self.sides.items()},
                "bursts": {names[kind]: side.bursts for kind, side in self.sides.items()},
                "held_out_accuracy": self.held_out.accuracy, "interval": [self.held_out.low, self.held_out.high],
                "threshold": THRESHOLD}


class Trainer:
    """Trains whenever there is something new to be learned.

    Args:
        config: the classifier's.
        pause_s: shortest time between two trainings [s].
        trained: gets each new classifier, in the thread that trains.
        checked: likewise, when its accuracy is known.
    """

    def __init__(
        self, config: ImageClassifierConfig, pause_s: float, *, trained: Callable[[ImageClassifier], None],
        checked: Callable[[Checked], None],
    ) -> None:
        self._config, self._pause_s, self._trained, self._checked = config, pause_s, trained, checked
        self._version, self._began, self._closing = 0, float("-inf"), False
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="goal training")
        self._job: Future[None] | None = None

    @property
    def busy(self) -> bool:
        """Whether it trains or checks now."""
        return self._job is not None

    def consider(self, labelled: Labelled) -> None:
        """Begins a training if there is none, enough has changed and enough time has passed. Returns at once."""
        if self._job is not None and self._job.done():
            job, self._job = self._job, None
            job.result()  # a mistake of ours is not kept quiet
        fewest = min(side.pictures for side in labelled.sides.values())
        now = time.monotonic()
        if (self._job is None and not self._closing and fewest >= FEWEST and labelled.version != self._version
                and now - self._began >= self._pause_s):
            self._version, self._began = labelled.version, now
            self._job = self._thread.submit(self._train, labelled.images(), labelled.labels, labelled.bursts, labelled.sides)

    def close(self, patience_s: float) -> None:
        """Ends a training that is under way, if it does not end by itself within `patience_s`. May be called twice."""
        if self._job is not None:
            wait([self._job], timeout=patience_s)
        self._closing = True
        self._thread.shutdown()

    def _train(
        self, images: Images, labels: NDArray[np.bool_], numbers: NDArray[np.int64], sides: dict[bool, Side]
    ) -> None:
        try:
            classifier = fit(self._config, images, labels, self._go_on)
            self._trained(classifier)
            if not lacking(labels, numbers):
                probabilities = cross_validate(self._config, images, labels, numbers, self._go_on)
                self._checked(Checked(classifier, judge(probabilities, labels, numbers), sides))
        except _Closing:
            pass

    def _go_on(self, share: float) -> None:
        if self._closing:
            raise _Closing


class _Closing(Exception):
    """Ends a training because everything ends."""
