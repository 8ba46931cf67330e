"""How well a classifier of pictures does on what it has not seen, and whether that is good enough to be used.

Pictures of one burst are nearly the same, so a burst counts as one trial, however many pictures it has.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from rewardbot.data.success_images import LEAST
from rewardbot.rewards.goal_classifier import THRESHOLD
from rewardbot.training.summary import wilson

LEAST_BURSTS = 3
"""Of either kind; with fewer, even a classifier without a mistake may have guessed (95%)."""

CHANCE, PROMISING = 0.5, 0.75


@dataclass(frozen=True)
class HeldOut:
    """Accuracy on held-out bursts.

    Attributes:
        accuracy: mean over both kinds, of the mean over their bursts, of the share of pictures judged rightly. Guessing gives 0.5,
            however many more there are of one kind.
        low, high: its 95% interval.
    """

    accuracy: float
    low: float
    high: float

    @property
    def useful(self) -> bool:
        """Whether it is above chance."""
        return self.low > CHANCE

    def __str__(self) -> str:
        return f"{self.accuracy:.0%} ({self.low:.0%} to {self.high:.0%})"


def judge(probabilities: NDArray[np.floating], labels: NDArray[np.bool_], bursts: NDArray[np.integer]) -> HeldOut:
    """Scores held-out probabilities.

    The interval is Wilson's, for as many trials as an accuracy over n and m bursts is worth: 4 n m / (n + m), so that the variance
    p (1 - p) / trials is that of the mean of both kinds. Bursts with pictures of both kinds count once for each.

    Args:
        probabilities: of each picture, from a classifier that has not seen its burst, (N,).
        labels: (N,), True where the goal is visible; some of each.
        bursts: (N,).
    """
    right = (probabilities > THRESHOLD) == labels
    rates, counts = [], []
    for kind in (True, False):
        of_a_kind = labels == kind
        shares = [right[of_a_kind & (bursts == burst)].mean() for burst in np.unique(bursts[of_a_kind])]
        rates.append(float(np.mean(shares)))
        counts.append(len(shares))
    accuracy, trials = sum(rates) / 2, 4 * counts[0] * counts[1] / (counts[0] + counts[1])
    return HeldOut(accuracy, *wilson(accuracy * trials, trials))


def lacking(labels: NDArray[np.bool_], bursts: NDArray[np.integer]) -> str:
    """Why these pictures, with labels (N,) and bursts (N,), cannot make a classifier yet, in one sentence; empty if they can."""
    kinds = [(labels == kind, name) for kind, name in ((True, "with the goal"), (False, "without the goal"))]
    for which, name in kinds:
        if not which.any():
            return f"There is no picture {name} yet."
    for which, name in kinds:
        if (count := int(which.sum())) < LEAST:
            return f"{count} {'pictures' if count > 1 else 'picture'} {name}: at least {LEAST} are needed."
    for which, name in kinds:
        if (count := len(np.unique(bursts[which]))) < LEAST_BURSTS:
            return (f"All pictures {name} are from {count} {'bursts' if count > 1 else 'burst'}: at least {LEAST_BURSTS} are needed, "
                    "with things moved in between.")
    return ""


def objection(found: HeldOut) -> str:
    """Why a classifier with this accuracy is of no use, in one sentence; empty if it is of use."""
    if found.useful:
        return ""
    if found.accuracy > PROMISING:
        return f"Held-out accuracy {found}: not yet surely above chance. A few more bursts of each kind will tell."
    return (f"Held-out accuracy {found}: not above chance. Is the goal visible in these pictures? "
            "Show it, and the same scene without it, from more places.")
