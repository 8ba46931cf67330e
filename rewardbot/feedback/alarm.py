"""The reward-hacking alarm: the learned return rises while fresh answers about what the policy does agree less with the reward.

Fresh answers are about clips of the present policy, best against some of before, drawn by chance, and are compared with what the
reward expected before it learned from them. Questions that a strategy chose do not count: it likes those that the reward is worst
at, where answers agree less than the reward expects, however good it is elsewhere. While the reward is sound, each answer agrees
with at least the probability e that held-out ones promise. Of several suspicions s, "agreement has fallen to s e", each keeps the
statistic of Shiryaev and Roberts,

    R = (1 + R) L,    L = s where an answer agrees, and (1 - s e) / (1 - e) where it does not,

which adds up the evidence that it has fallen at any moment so far. The mean of R over the suspicions, less the number of answers,
is a supermartingale while the reward is sound: so P(R reaches c within n answers) <= n / c, and a false alarm comes after c answers
on average or later (Roberts 1966; Pollak 1985; Shin, Ramdas and Rinaldo 2023, E-detectors). The alarm rings when, besides, the
learned return has risen.

Agreement that falls while the learned return does not rise is no hacking: the reward is merely wrong there, and more answers mend it.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from rewardbot.config import from_mapping, setting, to_mapping
from rewardbot.errors import ConfigError, DataError, RewardbotError
from rewardbot.feedback.asking import CHECK
from rewardbot.feedback.feedback import Ranking
from rewardbot.feedback.records import History

Array = NDArray[np.float64]
State = Literal["sound", "doubtful", "ringing"]
"""As expected; agreement has fallen, but the learned return has not risen; both: the reward is frozen."""

BY_CHANCE = (CHECK, "uniform")
"""Strategies of questions that nobody chose."""

SUSPICIONS = (0.3, 0.6, 0.8)
"""What may have become of the agreement, as a share of what it should be."""

LEAST, MOST = 0.5, 0.95
"""Range of the agreement that is expected of an answer: no worse than a coin, and no surer than people are."""


class RewardFrozen(RewardbotError):
    """The alarm rings: the reward must not be fitted anew, nor a policy learn from it, before somebody has looked."""


@dataclass(frozen=True)
class AlarmConfig:
    """How sure the alarm must be."""

    false_alarms: float = setting(0.05, "probability of an alarm within that many answers although the reward is sound", min=1e-6,
                                  max=0.5)
    within: int = setting(200, "fresh answers in which there is a false alarm with no more than that probability", min=1)
    margin: float = setting(0.05, "agreement that fresh answers may lack of what held-out ones promise: the policy goes where nobody "
                            "was asked", min=0.0, max=0.5)
    rise: float = setting(1.645, "standard errors by which the learned return must have risen; 1.645 is 5% on one side", min=0.0)

    @property
    def limit(self) -> float:
        """c, at which the alarm rings."""
        return self.within / self.false_alarms


@dataclass(frozen=True)
class Reading:
    """What the alarm holds.

    Attributes:
        state: see `State`.
        evidence: log R / log c, at most 1: how far it is from doubt.
        answers: fresh ones since agreement most probably fell, or all while nothing is the matter.
        agreed: how many of these agree with the reward, ties half.
        expected: how many should.
        before, now: mean learned return of earlier episodes and of the newest ones, by the present reward; NaN without any.
    """

    state: State
    evidence: float
    answers: int
    agreed: float
    expected: float
    before: float
    now: float

    def __str__(self) -> str:
        figures = f"{self.agreed:g} of the last {self.answers} fresh answers agree with the reward, {self.expected:.1f} should"
        if self.state == "sound":
            return f"{figures}: as expected."
        if self.state == "doubtful":
            return f"{figures}. The learned return has not risen by that: ask more about what the policy does now."
        return (f"The policy has found a way to please the reward and not you: the learned return rose from {self.before:.3g} to "
                f"{self.now:.3g}, while {figures}. The reward is frozen. Watch the newest episodes, answer questions about them, and "
                "clear the alarm when the reward agrees with you again.")


class Alarm:
    """Told of fresh answers after each round of them; see the module. Once it rings, it rings until it is cleared.

    Args:
        config: see `AlarmConfig`.
    """

    def __init__(self, config: AlarmConfig | None = None) -> None:
        self.config = config or AlarmConfig()
        self._statistics = [0.0] * len(SUSPICIONS)
        self._answers: list[tuple[float, float]] = []
        self._rung: Reading | None = None

    @property
    def ringing(self) -> bool:
        """Whether the reward is frozen."""
        return self._rung is not None

    def update(self, agreed: Sequence[float], expected: float | Sequence[float], before: Array, now: Array) -> Reading:
        """Takes fresh answers, and looks at the learned return.

        Args:
            agreed: of each answer that came since the last call, in their order, 1 where it agrees with the reward that asked, 0
                where not, 0.5 for a tie.
            expected: the agreement that held-out answers promise, one number, or one for each, see `calibration.promised`.
            before: learned returns of episodes of earlier policies, (E,), and
            now: of the newest ones, (F,), both by the present reward.

        Raises:
            DataError: numbers that cannot be.
        """
        promised = np.broadcast_to(np.asarray(expected, np.float64), (len(agreed),))
        if not all(value in (0.0, 0.5, 1.0) for value in agreed) or not ((promised >= 0.0) & (promised <= 1.0)).all():
            raise DataError(f"Agreement {list(agreed)} where {promised.tolist()} were expected.",
                            valid="0, 0.5 or 1 of each answer; probabilities from 0 to 1.")
        if not (np.isfinite(before).all() and np.isfinite(now).all()):
            raise DataError("Learned returns are not finite.")
        for right, share in zip(agreed, promised - self.config.margin, strict=True):
            self._take(float(right), min(max(float(share), LEAST), MOST))
        reading = self._read(before, now)
        if self._rung is None and reading.state == "ringing":
            self._rung = reading
        return self._rung or reading

    def check(self) -> None:
        """Checks that the reward is not frozen.

        Raises:
            RewardFrozen: it is, with the figures.
        """
        if self._rung is not None:
            raise RewardFrozen(str(self._rung))

    def clear(self) -> None:
        """Ends the alarm and begins anew; for a person who has looked."""
        self.__init__(self.config)

    def to_mapping(self) -> dict[str, Any]:
        """All that it knows, as plain values that JSON takes."""
        return {"statistics": self._statistics, "answers": [list(one) for one in self._answers],
                "rung": None if self._rung is None else to_mapping(self._rung)}

    def load(self, values: dict[str, Any]) -> None:
        """Takes what `to_mapping` gave, after a restart.

        Raises:
            DataError: it is no such thing.
        """
        try:
            statistics = [float(value) for value in values["statistics"]]
            answers = [(float(right), float(share)) for right, share in values["answers"]]
            rung = None if values["rung"] is None else from_mapping(Reading, values["rung"])
            if len(statistics) != len(SUSPICIONS):
                raise ValueError(f"{len(statistics)} statistics")
        except (KeyError, TypeError, ValueError, ConfigError) as error:
            raise DataError(f"This is no state of an alarm: {type(error).__name__}: {error}.") from None
        self._statistics, self._answers, self._rung = statistics, answers, rung

    def _take(self, right: float, share: float) -> None:
        self._answers.append((right, share))
        for n, suspicion in enumerate(SUSPICIONS):
            # Beyond the limit a larger number tells nothing more, and would be infinite in the end.
            self._statistics[n] = min((1.0 + self._statistics[n]) * _ratio(right, share, suspicion), 1e300)

    def _read(self, before: Array, now: Array) -> Reading:
        statistic = sum(self._statistics) / len(SUSPICIONS)
        fallen = statistic >= self.config.limit
        state: State = "sound" if not fallen else "ringing" if risen(before, now, self.config.rise) else "doubtful"
        some = self._answers[_since(self._answers):] if fallen else self._answers
        return Reading(state, min(max(math.log(max(statistic, 1.0)) / math.log(self.config.limit), 0.0), 1.0), len(some),
                       sum(right for right, _ in some), sum(share for _, share in some),
                       *(float(returns.mean()) if len(returns) else math.nan for returns in (before, now)))


def risen(before: Array, now: Array, errors: float) -> bool:
    """Whether the mean of `now` is above that of `before` by so many standard errors of the difference; never with fewer than two
    episodes of either.
    """
    if min(len(before), len(now)) < 2:
        return False
    spread = math.sqrt(before.var(ddof=1) / len(before) + now.var(ddof=1) / len(now))
    return float(now.mean() - before.mean()) > errors * spread


def _ratio(right: float, share: float, suspicion: float) -> float:
    """How much likelier an answer is if agreement has fallen; of a tie the mean of both ways, which keeps the guarantee."""
    return right * suspicion + (1.0 - right) * (1.0 - suspicion * share) / (1.0 - share)


def _since(answers: Sequence[tuple[float, float]]) -> int:
    """The answer from which on agreement has most probably fallen: where the likelihood ratio of all that follow is largest."""
    best = total = 0.0
    start = 0
    for n, (right, share) in reversed(list(enumerate(answers))):
        total += math.log(_ratio(right, share, SUSPICIONS[1]))
        if total > best:
            best, start = total, n
    return start


def by_chance(history: History) -> set[str]:
    """The questions that were drawn, and not chosen for what their answers would tell."""
    return {query.id for query in history.queries.values() if query.strategy in BY_CHANCE}


def fresh(history: History) -> tuple[list[float], list[float]]:
    """What a ledger says of pairs drawn by chance about which a reward had foretold the answer when it asked: how sure it was of the
    likelier one, 0.5 to 1, and whether that was the answer, see `Alarm.update`. In the order of the answers.
    """
    sure, agreed, drawn = [], [], by_chance(history)
    for answer in history.active().values():
        query = history.queries.get(answer.given.query)
        if not isinstance(answer, Ranking) or query is None or query.kind != "pair" or not sum(query.predicted[:2]):
            continue
        if query.id not in drawn:
            continue
        first, second = query.predicted[:2]
        won = 0.5 + 0.5 * float(np.sign(answer.ranks[1] - answer.ranks[0]))
        sure.append(max(first, second) / (first + second))
        agreed.append(won if first >= second else 1.0 - won)
    return sure, agreed
