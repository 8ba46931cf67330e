"""Enough feedback? What the present policy may lose by the answers that were not asked for, and when to stop asking.

Each sample of the reward, of a posterior or an ensemble, says how much worse the policy is than the best that is known. The value
at risk of that, such as the loss that 95% of the samples do not exceed, bounds the policy's regret under the reward that the
operator means (Brown and Niekum 2018, Efficient probabilistic performance bounds for inverse reinforcement learning; Brown et al.
2020, Safe imitation learning via fast Bayesian reward inference from preferences).
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from rewardbot.config import setting
from rewardbot.errors import DataError

Array = NDArray[np.float64]


@dataclass(frozen=True)
class MeterConfig:
    """When it is enough."""

    level: float = setting(0.95, "share of the rewards that explain the answers under which the loss must not exceed the bound",
                           min=0.5, max=0.999)
    confidence: float = setting(0.95, "probability that the samples do not show a smaller bound than there is", min=0.5, max=0.999)
    epsilon: float = setting(0.05, "loss that does not matter, as a share of the difference between the best and the worst that is "
                             "known", min=0.0, max=1.0)
    fits: int = setting(3, "fits in a row whose bound must be below it", min=1)


@dataclass(frozen=True)
class Reading:
    """What the meter shows.

    Attributes:
        bound: what the policy loses at most, 0 to 1, 1 being the difference between the best and the worst that is known.
        expected: what it loses on average over the samples, 0 to 1.
        level: share of the rewards for which `bound` holds; less than was asked for if there are too few samples to tell.
        in_a_row: fits until now, this one among them, whose bound was below epsilon at the level that was asked for.
        enough: whether to stop asking.
    """

    bound: float
    expected: float
    level: float
    in_a_row: int
    enough: bool

    def __str__(self) -> str:
        said = (f"The policy loses at most {self.bound:.0%} of what there is to gain, by {self.level:.0%} of the rewards that "
                f"explain the answers, and {self.expected:.0%} on average.")
        return f"{said} That is enough feedback." if self.enough else said


class Meter:
    """Told after each fit what the samples of the reward hold of the policy.

    Args:
        config: see `MeterConfig`.
        in_a_row: of the last reading, to go on after a restart.
    """

    def __init__(self, config: MeterConfig | None = None, in_a_row: int = 0) -> None:
        self.config = config or MeterConfig()
        self._in_a_row = in_a_row

    def update(self, present: Array, alternatives: Array) -> Reading:
        """The reading after a fit.

        Args:
            present: return of the present policy under each sample of the reward, (M,): the mean of its newest episodes.
            alternatives: return of what else is known, (M, P): episodes of other policies, demonstrations.

        Raises:
            DataError: see `losses`.
        """
        config = self.config
        lost = losses(present, alternatives)
        bound, level = value_at_risk(lost, config.level, config.confidence)
        below = bound <= config.epsilon and level >= config.level
        self._in_a_row = self._in_a_row + 1 if below else 0
        return Reading(bound, float(lost.mean()), level, self._in_a_row, self._in_a_row >= config.fits)


def losses(present: Array, alternatives: Array) -> Array:
    """What the policy loses under each sample, (M,), 0 to 1: best less present, by best less worst.

    A sample under which all is equally good knows nothing, and promises nothing: 1.

    Args:
        present: (M,).
        alternatives: (M, P).

    Raises:
        DataError: no sample, no alternative, or numbers that are not finite.
    """
    if present.ndim != 1 or alternatives.shape[:-1] != present.shape or not alternatives.size:
        raise DataError(f"Returns of the policy of shape {present.shape}, of its alternatives {alternatives.shape}.",
                        valid="(M,) and (M, P), for M samples and P alternatives, at least one of each.")
    if not (np.isfinite(present).all() and np.isfinite(alternatives).all()):
        raise DataError("Returns are not finite.", next_step="Withdraw the answers about clips that hold NaN.")
    best = np.maximum(alternatives.max(-1), present)
    worst = np.minimum(alternatives.min(-1), present)
    spread = best - worst
    return np.divide(best - present, spread, out=np.ones_like(spread), where=spread > 1e-9 * np.maximum(np.abs(best), np.abs(worst)))


def value_at_risk(losses: Array, level: float, confidence: float) -> tuple[float, float]:
    """A bound on the quantile `level` of what independent samples (M,) were drawn from, which holds with probability `confidence`.

    The k-th smallest loss, k the smallest number for which a binomial variable of M trials and probability `level` is below k with
    probability `confidence`. It takes log(1 - confidence) / log(level) samples, 59 at 95% and 95%, to say anything at that level.

    Returns:
        The bound, and the level at which it holds: with fewer samples the largest loss, at the level that so many can show.
    """
    ranked, count = np.sort(losses), len(losses)
    below = np.cumsum([_binomial(k, count, level) for k in range(count)])
    if below[-1] >= confidence:
        return float(ranked[int(np.argmax(below >= confidence))]), level
    return float(ranked[-1]), (1.0 - confidence) ** (1.0 / count)


def _binomial(k: int, n: int, p: float) -> float:
    chosen = math.lgamma(n + 1) - math.lgamma(k + 1) - math.lgamma(n - k + 1)
    return math.exp(chosen + k * math.log(p) + (n - k) * math.log1p(-p))
