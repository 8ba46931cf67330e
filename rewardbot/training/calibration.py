"""How well a reward foretells answers that it has not learned from, and how far its probabilities can be believed."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray

from rewardbot.errors import DataError
from rewardbot.feedback.feedback import Ranking, Rating
from rewardbot.rewards.base import Context
from rewardbot.rewards.comparisons import clips_of
from rewardbot.rewards.preference import PreferenceReward
from rewardbot.training.summary import wilson

Array = NDArray[np.float64]

FOLDS = 5
BINS = 5
"""Of equal width, between a coin and certainty."""


@dataclass(frozen=True)
class Foretold:
    """N pairs of clips that somebody compared, as a reward judges them that has not learned from these two.

    Attributes:
        confidence: probability of the answer that the reward holds for likelier, (N,), 0.5 to 1.
        agreed: 1 where that was the answer, 0 where the other was, 0.5 for a tie, (N,).
        weight: of each, (N,): a ranking of k is k (k - 1) / 2 pairs that weigh k - 1 together.
        annotators: who said so, (N,).
        queries: what asked for it, empty where nobody did, (N,).
    """

    confidence: Array
    agreed: Array
    weight: Array
    annotators: tuple[str, ...]
    queries: tuple[str, ...] = ()

    def about(self, queries: Collection[str]) -> Foretold:
        """Those that these queries asked for."""
        own = np.array([query in queries for query in self.queries], bool)
        names = tuple(name for name, there in zip(self.annotators, own, strict=True) if there)
        asked = tuple(query for query, there in zip(self.queries, own, strict=True) if there)
        return Foretold(self.confidence[own], self.agreed[own], self.weight[own], names, asked)

    def accuracy(self, annotator: str | None = None) -> tuple[float, float, float, float]:
        """Share of right answers without ties, its 95% interval (Wilson), and how many answers these were; of all or of one
        annotator. NaN without an answer.
        """
        own = self.agreed != 0.5
        if annotator is not None:
            own &= np.array([name == annotator for name in self.annotators], bool)
        trials, right = float(self.weight[own].sum()), float((self.weight * self.agreed)[own].sum())
        return (right / trials if trials else float("nan"), *wilson(right, trials), trials)


@dataclass(frozen=True)
class Bin:
    """Answers whose confidence lies between `low` and `high`: their mean confidence, the share that agreed, and how many."""

    low: float
    high: float
    confidence: float
    agreed: float
    count: float


def cross_validate(
    reward: PreferenceReward, answers: Sequence[Ranking | Rating], context: Context, *, folds: int = FOLDS,
    progress: Callable[[float], None] = lambda share: None,
) -> Foretold:
    """What copies of `reward`, each fitted to all answers but a part, foretell of that part.

    All answers about the same clips are in one part, so that none is told by a repetition. Ratings are learned from, and not
    foretold.

    Raises:
        ConfigError, DataError: see `PreferenceReward.fit`; fewer than two different questions.
    """
    asked = list(dict.fromkeys(frozenset(answer.segments) for answer in answers if isinstance(answer, Ranking)))
    folds = min(folds, len(asked))
    if folds < 2:
        raise DataError(f"There are answers to {len(asked)} comparisons of different clips.",
                        valid="Held-out accuracy needs 2 or more.")
    part = {clips: n % folds for n, clips in zip(np.random.default_rng(reward.seed).permutation(len(asked)), asked, strict=True)}
    found: list[tuple[float, float, float, str, str]] = []
    for fold in range(folds):
        held_out = [one for one in answers if isinstance(one, Ranking) and part[frozenset(one.segments)] == fold]
        rest = [one for one in answers if not (isinstance(one, Ranking) and part[frozenset(one.segments)] == fold)]
        copy = type(reward)(reward.config, reward.size, device=reward.device, seed=reward.seed)
        copy.fit(rest, context, lambda share, fold=fold: progress((fold + share) / folds))
        for answer in held_out:
            returns = copy.returns(clips_of(answer.segments, context, copy.config.sees, copy.device)).double()
            for i, j in itertools.combinations(range(len(answer.segments)), 2):
                p = float(torch.sigmoid(returns[:, i] - returns[:, j]).mean())
                won = 0.5 + 0.5 * float(np.sign(answer.ranks[j] - answer.ranks[i]))
                found.append((max(p, 1.0 - p), won if p >= 0.5 else 1.0 - won, 2.0 / len(answer.segments), answer.given.annotator,
                              answer.given.query))
    confidence, agreed, weight, names, asked = zip(*found, strict=True)
    return Foretold(np.array(confidence), np.array(agreed), np.array(weight), names, asked)


def reliability(foretold: Foretold, bins: int = BINS) -> list[Bin]:
    """The points of a reliability diagram (Niculescu-Mizil and Caruana 2005); bins without an answer are left out."""
    edges = np.linspace(0.5, 1.0, bins + 1)
    which = np.clip(np.searchsorted(edges, foretold.confidence, side="right") - 1, 0, bins - 1)
    found = []
    for n in range(bins):
        own = which == n
        if (count := float(foretold.weight[own].sum())) > 0.0:
            confidence, agreed = (float((foretold.weight * values)[own].sum() / count)
                                  for values in (foretold.confidence, foretold.agreed))
            found.append(Bin(float(edges[n]), float(edges[n + 1]), confidence, agreed, count))
    return found


def calibration_error(bins: Sequence[Bin]) -> float:
    """ECE: mean distance of confidence and agreement over the answers (Naeini, Cooper and Hauskrecht 2015)."""
    return sum(one.count * abs(one.confidence - one.agreed) for one in bins) / sum(one.count for one in bins)


def trust(foretold: Foretold) -> float:
    """How much of the reward's confidence is borne out, 0 to 1: a of agreed - 1/2 = a (confidence - 1/2), by least squares."""
    sure = foretold.confidence - 0.5
    total = float(foretold.weight @ sure**2)
    return min(max(float(foretold.weight @ (sure * (foretold.agreed - 0.5))) / total, 0.0), 1.0) if total > 0.0 else 0.0


def promised(confidence: Array, trust: float) -> Array:
    """The agreement that held-out answers promise of fresh ones, (N,), for `feedback.alarm`."""
    return 0.5 + trust * (confidence - 0.5)
