"""Several annotators: how far each can be relied on, how far they agree, and where they contradict each other or themselves.

Of two clips with utilities u an annotator calls the first better with the probability

    P = error + (1 - 2 error) sigmoid(rationality (u_first - u_second) + bias side),    side = 1 if the first is shown left, else -1

A spammer has a rationality of 0, and who always presses one key a large bias. The three numbers of each annotator are estimated by
expectation and maximisation, where it is unknown which answers were guesses: together with the utilities of the clips, from what
several were asked, as Dawid and Skene (1979) do for classes; or given the utilities of a learned reward.
"""

from __future__ import annotations

import itertools
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from rewardbot.feedback.feedback import Ranking, Rating, Response
from rewardbot.feedback.records import History
from rewardbot.types import Segment

Array = NDArray[np.float64]

_BIAS_SPREAD = 3.0  # of the prior of a bias [log-odds]
_STEEP = 10.0  # spread of the prior of the rationality times a usual difference of utilities [log-odds]
_GUESSED, _MEANT = 0.5, 4.5  # answers that the prior of the error is worth
_ITERATIONS, _CLOSE = 200, 1e-4


@dataclass(frozen=True)
class Judgement:
    """What an answer says of two of its clips.

    Attributes:
        answer: id of its record.
        annotator: who gave it.
        first, second: the clips, in the order of `Segment`s' ids and steps.
        won: 1 if the first is better, 0 if the second is, 0.5 if they are equal.
        side: 1 if the first was shown to the left of the second, -1 to its right, 0 unknown.
        weight: an answer of k clips is k (k - 1) / 2 judgements that weigh k - 1 together.
    """

    answer: int
    annotator: str
    first: Segment
    second: Segment
    won: float
    side: float
    weight: float

    @property
    def clips(self) -> tuple[Segment, Segment]:
        """Both."""
        return self.first, self.second


@dataclass(frozen=True)
class Annotator:
    """What is known of one.

    Attributes:
        name: theirs.
        judgements: how many, those of a ranking of k as k - 1.
        rationality: log-odds that a difference of utilities of 1 is worth to them; below 0 they say the opposite of the others.
        error: probability of saying the opposite of what was meant, 0 to 0.5.
        bias: log-odds in favour of what is shown left; below 0 right.
        reliability: how much more than half of the answers are right, as a share of that half: 0 for a coin, 1 without a mistake.
        weight: of their answers, in proportion to their reliability; 1 for the most reliable one.
    """

    name: str
    judgements: float
    rationality: float
    error: float
    bias: float
    reliability: float
    weight: float


@dataclass(frozen=True)
class Conflict:
    """The same two clips, answered both ways: (annotator, answer's id) of those who prefer either."""

    clips: tuple[Segment, Segment]
    for_first: tuple[tuple[str, int], ...]
    for_second: tuple[tuple[str, int], ...]

    @property
    def with_oneself(self) -> list[str]:
        """Annotators who are on both sides."""
        return sorted({name for name, _ in self.for_first} & {name for name, _ in self.for_second})


def judgements(history: History) -> list[Judgement]:
    """All that answers say of pairs of clips, in the order of the answers."""
    found = []
    for id, answer in history.active().items():
        if not isinstance(answer, Ranking):
            continue
        query = history.queries.get(answer.given.query)
        place = {} if query is None else {query.options[option]: at for at, option in enumerate(query.order)}
        ranked = sorted(zip(answer.segments, answer.ranks, strict=True), key=lambda pair: _key(pair[0]))
        for (first, rank), (second, other) in itertools.combinations(ranked, 2):
            side = float(np.sign(place[second] - place[first])) if place else 0.0
            found.append(Judgement(id, answer.given.annotator, first, second, 0.5 + 0.5 * float(np.sign(other - rank)), side,
                                   2.0 / len(ranked)))
    return found


# How reliable each is ----------------------------------------------------------------------------------------------------


class Annotators:
    """Estimates of all who judged.

    Args:
        given: what they said.
        utility: of clips, in any unit, such as a reward's returns: (N clips) -> float (N,). None: estimated too, with a spread of 1,
            from what several judged. Then nothing is known of who judged what nobody else did, and from few answers rationality
            comes out too small.

    Attributes:
        people: by name.
    """

    def __init__(self, given: Sequence[Judgement], utility: Callable[[Sequence[Segment]], Array] | None = None) -> None:
        self.people: dict[str, Annotator] = {}
        if given:
            self._estimate(given, utility)

    def weight(self, answer: Response) -> float:
        """Of an answer, 0 to 1, for the fit of a reward; 1 of somebody of whom nothing is known."""
        known = self.people.get(answer.given.annotator)
        return 1.0 if known is None else known.weight

    def _estimate(self, given: Sequence[Judgement], utility: Callable[[Sequence[Segment]], Array] | None) -> None:
        clips = {clip: n for n, clip in enumerate(dict.fromkeys(itertools.chain.from_iterable(one.clips for one in given)))}
        names = {name: n for n, name in enumerate(sorted({one.annotator for one in given}))}
        data = _Data(np.array([names[one.annotator] for one in given]),
                     np.array([[clips[clip] for clip in one.clips] for one in given]),
                     *(np.array([getattr(one, field) for one in given]) for field in ("won", "side", "weight")))
        u = np.zeros(len(clips)) if utility is None else np.asarray(utility(list(clips)), np.float64)
        slopes, guesses = _fit(data, len(names), u, fixed=utility is not None)
        gaps = np.abs(u[data.clips[:, 0]] - u[data.clips[:, 1]])
        beta, bias = np.maximum(slopes[:, 0], 0.0), slopes[:, 1]
        rising = np.outer(beta, gaps)
        right = (_sigmoid(rising + bias[:, None]) + _sigmoid(rising - bias[:, None]) - 1.0) @ data.weight / data.weight.sum()
        reliability = (1.0 - guesses) * right
        best = reliability.max()
        weights = reliability / best if best > 0.0 else np.ones(len(names))
        count = np.bincount(data.who, data.weight, len(names))
        for name, n in names.items():
            self.people[name] = Annotator(name, float(count[n]), float(slopes[n, 0]), float(guesses[n] / 2), float(bias[n]),
                                          float(reliability[n]), float(weights[n]))


@dataclass(frozen=True)
class _Data:
    """Of each judgement: number of the annotator (B,), of both clips (B, 2), and what `Judgement` says."""

    who: NDArray[np.int64]
    clips: NDArray[np.int64]
    won: Array
    side: Array
    weight: Array


def _fit(data: _Data, people: int, u: Array, *, fixed: bool) -> tuple[Array, Array]:
    """Rationality and bias (P, 2), and shares of guesses (P,). Unless `fixed`, writes the utilities into u (C,)."""
    usual = float(np.std(u[data.clips[:, 0]] - u[data.clips[:, 1]])) if fixed else 2.0**0.5
    spread = np.array([_STEEP / max(usual, 1e-9), _BIAS_SPREAD])
    slopes, guesses = np.tile([1.0 / max(usual, 1e-9), 0.0], (people, 1)), np.full(people, 0.1)
    unsure = np.zeros(len(data.who))
    for _ in range(_ITERATIONS):
        before = np.concatenate([slopes.ravel(), guesses])
        beta, bias = slopes[data.who].T
        p = _sigmoid(beta * (u[data.clips[:, 0]] - u[data.clips[:, 1]]) + bias * data.side)
        said = p**data.won * (1.0 - p) ** (1.0 - data.won)
        guess = guesses[data.who]
        meant = data.weight * (1.0 - guess) * said / ((1.0 - guess) * said + guess * 0.5)
        if not fixed:
            unsure = _move_utilities(u, data, beta, bias, meant)
            scale = max(float(u.std()), 1e-9)
            u[:], unsure = (u - u.mean()) / scale, unsure / scale**2
            slopes[:, 0] *= scale
        _move_slopes(slopes, data, u, unsure, meant, spread)
        total = np.bincount(data.who, data.weight, people)
        guesses = (total - np.bincount(data.who, meant, people) + _GUESSED) / (total + _GUESSED + _MEANT)
        if np.abs(np.concatenate([slopes.ravel(), guesses]) - before).max() < _CLOSE:
            break
    return slopes, guesses


def _move_slopes(slopes: Array, data: _Data, u: Array, unsure: Array, meant: Array, spread: Array) -> None:
    """One step of Newton's for each annotator.

    Of the expected log-likelihood, to second order in the variance `unsure` (B,) of the differences: utilities that were fitted to
    the answers are not as certain as they look, and those who gave most of them would seem more rational than they are.
    """
    inputs = np.stack([u[data.clips[:, 0]] - u[data.clips[:, 1]], data.side], axis=-1)
    p = _sigmoid((inputs * slopes[data.who]).sum(-1))
    for n in range(len(slopes)):
        own = data.who == n
        x, weight = inputs[own], meant[own]
        doubt = weight * p[own] * (1.0 - p[own])
        pull = np.array([float(doubt @ unsure[own]), 0.0]) + spread**-2.0
        gradient = x.T @ (weight * (data.won[own] - p[own])) - slopes[n] * pull
        curvature = (x.T * doubt) @ x + np.diag(pull)
        step = np.linalg.solve(curvature, gradient)
        slopes[n] += step * min(1.0, float(1.0 / np.abs(step / spread).max())) if step.any() else 0.0


def _move_utilities(u: Array, data: _Data, beta: Array, bias: Array, meant: Array) -> Array:
    """One step of Newton's, with a standard normal prior; returns the variance of each judgement's difference, (B,)."""
    first, second = data.clips.T
    p = _sigmoid(beta * (u[first] - u[second]) + bias * data.side)
    pull = meant * beta * (data.won - p)
    stiff = meant * beta**2 * p * (1.0 - p)
    gradient = np.bincount(first, pull, len(u)) - np.bincount(second, pull, len(u)) - u
    curvature = np.eye(len(u))
    for rows, columns, sign in ((first, first, 1), (second, second, 1), (first, second, -1), (second, first, -1)):
        np.add.at(curvature, (rows, columns), sign * stiff)
    covariance = np.linalg.inv(curvature)
    u += np.clip(covariance @ gradient, -1.0, 1.0)
    return covariance[first, first] + covariance[second, second] - 2.0 * covariance[first, second]


def _sigmoid(x: Array) -> Array:
    return 0.5 * (1.0 + np.tanh(x / 2.0))


# How far they agree ------------------------------------------------------------------------------------------------------


def alpha(units: Sequence[Sequence[float]], *, ordinal: bool = False) -> float:
    """Krippendorff's alpha: 1 where all agree, 0 where they agree as by chance (Krippendorff 2011, Computing Krippendorff's
    alpha-reliability).

    Args:
        units: of each thing that was judged the values that it was given, by any number of annotators, in any order.
        ordinal: values are levels, and neighbours differ less than those far apart; otherwise they differ or do not.

    Returns:
        NaN where nothing was judged twice, or all values are the same.
    """
    units = [unit for unit in units if len(unit) > 1]
    values, counts = np.unique(np.concatenate([[], *units]), return_counts=True)
    if len(values) < 2:
        return float("nan")
    if ordinal:
        reach = np.cumsum(counts) - counts / 2
        distance = (reach[:, None] - reach) ** 2
    else:
        distance = 1.0 - np.eye(len(values))
    observed = 0.0
    for unit in units:
        own = (np.asarray(unit)[:, None] == values).sum(0)
        observed += float(own @ distance @ own) / (len(unit) - 1)
    total = int(counts.sum())
    return 1.0 - (total - 1) * observed / float(counts @ distance @ counts)


def agreement(given: Sequence[Judgement]) -> float:
    """Krippendorff's alpha of who is better, or equal, over the annotators' last judgements of the same clips.

    Each pair counts both ways round: which clip is called the first means nothing.
    """
    last = {(one.clips, one.annotator): one.won for one in given}
    units: dict[tuple[Segment, Segment], list[float]] = defaultdict(list)
    for (clips, _), won in last.items():
        units[clips].append(won)
    return alpha([unit for of in units.values() for unit in (of, [1.0 - won for won in of])])


def rating_agreement(ratings: Sequence[Rating]) -> float:
    """Krippendorff's ordinal alpha of the levels, over the annotators' last ratings of the same clips."""
    last = {(rating.segment, rating.given.annotator): rating.level for rating in ratings}
    units: dict[Segment, list[float]] = defaultdict(list)
    for (clip, _), level in last.items():
        units[clip].append(level)
    return alpha(list(units.values()), ordinal=True)


def consistency(given: Sequence[Judgement]) -> Mapping[str, tuple[int, int]]:
    """How often each annotator who judged clips again said the same: (times, of so many)."""
    said: dict[tuple[str, tuple[Segment, Segment]], list[float]] = defaultdict(list)
    for one in given:
        said[one.annotator, one.clips].append(one.won)
    found: dict[str, tuple[int, int]] = {}
    for (name, _), won in said.items():
        same, of = found.get(name, (0, 0))
        found[name] = same + sum(a == b for a, b in itertools.pairwise(won)), of + len(won) - 1
    return {name: counts for name, counts in found.items() if counts[1]}


def alone(given: Sequence[Judgement]) -> set[str]:
    """Annotators with whom nobody shares two clips that they judged: without a reward, next to nothing is known of them."""
    who: dict[tuple[Segment, Segment], set[str]] = defaultdict(set)
    for one in given:
        who[one.clips].add(one.annotator)
    return {one.annotator for one in given}.difference(*(names for names in who.values() if len(names) > 1))


def conflicts(given: Sequence[Judgement]) -> list[Conflict]:
    """Clips that were answered both ways, those with the most answers first."""
    sides: dict[tuple[Segment, Segment], dict[float, list[tuple[str, int]]]] = defaultdict(lambda: defaultdict(list))
    for one in given:
        sides[one.clips][one.won].append((one.annotator, one.answer))
    found = [Conflict(clips, tuple(of[1.0]), tuple(of[0.0])) for clips, of in sides.items() if of[1.0] and of[0.0]]
    return sorted(found, key=lambda one: -len(one.for_first) - len(one.for_second))


def _key(clip: Segment) -> tuple[str, int, int]:
    return clip.episode_id, clip.start, clip.stop
