"""How rates are counted that stand in a summary and in the curves: of true success, and of a classifier's errors."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import NamedTuple

import numpy as np

from rewardbot.training.summary import ClassifierErrors, wilson

RECENT = 20
JUDGED = 60
"""Episodes behind a point of the curves of true success and of the classifier's error rates."""


BINS = 5
"""Of goal probability, of equal width, in each of which it is compared with the share of successes."""


class Verdict(NamedTuple):
    """What a classifier said of an episode's last images, and the truth."""

    judged: bool
    true: bool
    probability: float


@dataclass(frozen=True)
class Evaluation:
    """True successes of one policy, with the Wilson 95% interval of the rate."""

    successes: int
    episodes: int
    rate: float
    low: float
    high: float

    @staticmethod
    def of(successes: int, episodes: int) -> Evaluation:
        """From counts."""
        return Evaluation(successes, episodes, successes / episodes if episodes else 0.0, *wilson(successes, episodes))


def error_rates(verdicts: Sequence[tuple[bool, bool]]) -> ClassifierErrors:
    """The rates for (a classifier's verdict, true success) of each episode; None where there was nothing to judge."""
    failures = [verdict for verdict, success in verdicts if not success]
    successes = [verdict for verdict, success in verdicts if success]
    return ClassifierErrors(
        false_positive_rate=sum(failures) / len(failures) if failures else None,
        false_negative_rate=1.0 - sum(successes) / len(successes) if successes else None,
    )


def classifier_errors(verdicts: Sequence[Verdict]) -> ClassifierErrors:
    """The rates and the expected calibration error: over the bins, weighted by how many episodes are in each, the distance between
    mean goal probability and share of true successes.
    """
    rates = error_rates([(verdict.judged, verdict.true) for verdict in verdicts])
    if not verdicts:
        return rates
    said, true = (np.array([getattr(verdict, name) for verdict in verdicts], float) for name in ("probability", "true"))
    bins = np.minimum((said * BINS).astype(int), BINS - 1)
    error = sum(abs(float((said - true)[bins == number].sum())) for number in range(BINS)) / len(verdicts)
    return replace(rates, calibration_error=error)


def takeovers_per_minute(takeovers: Sequence[int], episode_s: float) -> float:
    """How often an operator took over in the last episodes, per minute that the robot moved [1/min].

    Args:
        takeovers: of each episode, at least one.
        episode_s: time that an episode takes the robot [s].
    """
    recent = takeovers[-RECENT:]
    return sum(recent) / (len(recent) * episode_s / 60.0)
