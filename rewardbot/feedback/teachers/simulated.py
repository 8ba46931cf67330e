"""A simulated teacher who knows the true reward and is as imperfect as people are: B-Pref (Lee et al. 2021).

What it answers depends on the question and the seed alone, not on when or how often it is asked: every flaw is applied to each
query, and only once.
"""

from __future__ import annotations

import itertools
import random
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from rewardbot.config import setting
from rewardbot.errors import ConfigError, DataError
from rewardbot.feedback import answers
from rewardbot.feedback.feedback import LEVELS, Given, Kind, Query, Ranking, Rating, Response, Skip, dense
from rewardbot.feedback.teachers.base import check_kind
from rewardbot.types import Segment

Array = NDArray[np.float64]
Answer = tuple[int, ...] | None
"""Ranks of the clips of a pair or ranking, the level of a rating as (level,), or None for skip."""


@dataclass(frozen=True)
class SimulatedConfig:
    """How imperfect it is; by default not at all. Returns are sums of the true reward over a clip."""

    rationality: float = setting(
        float("inf"), "beta: log-odds by which a return larger by 1 is preferred; inf always prefers it", min=0.0)
    myopia: float = setting(1.0, "gamma: weight of a step as a share of the next one's; 1 weighs all alike", min=0.0, max=1.0)
    mistake: float = setting(0.0, "epsilon: probability of saying the opposite of what was meant", min=0.0, max=1.0)
    skip: float = setting(float("-inf"), "a question is skipped if no clip of it has a return of this much")
    equal: float = setting(0.0, "clips are called equal if their returns differ by no more than this", min=0.0)
    worst: float = setting(0.0, "mean reward per step around which a rating turns from 1 to 2")
    best: float = setting(1.0, "mean reward per step around which a rating turns from 6 to 7")

    def __post_init__(self) -> None:
        if not self.worst < self.best:
            raise ConfigError(f"worst is {self.worst}, best is {self.best}.", valid="worst < best.")


class Simulated:
    """See the module.

    Args:
        rewards: the true reward of each step of a clip, float (T,).
        config: its flaws.
        seed: of its chances.
        name: in which it answers.
        clock: tells the time [s since 1970].
    """

    def __init__(
        self, rewards: Callable[[Segment], NDArray[np.floating]], config: SimulatedConfig | None = None, *, seed: int = 0,
        name: str = "simulated", clock: Callable[[], float] = time.time,
    ) -> None:
        self._rewards, self._config = rewards, config or SimulatedConfig()
        self._seed, self._name, self._clock = seed, name, clock
        self._answers: list[Response] = []

    @property
    def name(self) -> str:
        """See `Teacher`."""
        return self._name

    @property
    def kinds(self) -> tuple[Kind, ...]:
        """See `Teacher`; a reward tells nothing of marks and intervals."""
        return "pair", "ranking", "rating"

    def ask(self, query: Query) -> None:
        """See `Teacher`.

        Raises:
            DataError: marks and intervals; a clip without finite rewards.
        """
        check_kind(self, query)
        rewards = [self._true(segment) for segment in query.options]
        likely = rating(self._config, rewards[0]) if query.kind == "rating" else ranking(self._config, rewards)
        (said,) = random.Random(f"{self._seed} {query.id}").choices(list(likely), list(likely.values()))
        now = self._clock()
        given = Given(self._name, query.id, now, now)
        if said is None:
            self._answers.append(Skip(given))
        elif query.kind == "rating":
            self._answers.append(Rating(query.options[0], said[0], given))
        else:
            self._answers.append(Ranking(query.options, said, given))

    def poll(self) -> list[Response]:
        """See `Teacher`."""
        found, self._answers = self._answers, []
        return found

    def close(self) -> None:
        """See `Teacher`."""

    def _true(self, segment: Segment) -> Array:
        found = np.asarray(self._rewards(segment), np.float64)
        if found.shape != (segment.stop - segment.start,) or not np.isfinite(found).all():
            raise DataError(f"The true rewards of {segment} are {found}.",
                            valid=f"{segment.stop - segment.start} finite numbers, one for each step.")
        return found


def ranking(config: SimulatedConfig, rewards: Sequence[Array]) -> Mapping[Answer, float]:
    """How likely each answer to a pair or ranking of clips with these rewards per step is.

    Skip if none is good enough. Else an order by Plackett and Luce of the returns as a myopic person sees them; neighbours in it
    whose true returns are as good as equal share a rank; and by mistake the opposite order is said.
    """
    returns = np.array([clip.sum() for clip in rewards])
    if returns.max() < config.skip:
        return {None: 1.0}
    seen = np.array([clip @ _weights(config, len(clip)) for clip in rewards])
    likely: dict[Answer, float] = {}
    for order, probability in _orders(config, seen).items():
        ranks = [0] * len(order)
        for before, after in itertools.pairwise(order):
            ranks[after] = ranks[before] + bool(abs(returns[before] - returns[after]) > config.equal)
        meant, opposite = tuple(ranks), dense([-rank for rank in ranks])
        for said, share in ((meant, 1.0 - config.mistake), (opposite, config.mistake)):
            likely[said] = likely.get(said, 0.0) + share * probability
    return likely


def rating(config: SimulatedConfig, rewards: Array) -> Mapping[Answer, float]:
    """How likely each level is for a clip with these rewards per step: an ordinal logit of their mean, as a myopic person sees it."""
    if rewards.sum() < config.skip:
        return {None: 1.0}
    weights = _weights(config, len(rewards))
    seen, cuts = rewards @ weights / weights.sum(), np.linspace(config.worst, config.best, len(LEVELS) - 1)
    if np.isinf(config.rationality):
        likely = np.eye(len(LEVELS))[np.searchsorted(cuts, seen, side="right")]
    else:
        likely = answers.rating(config.rationality * np.asarray(seen), config.rationality * cuts)
    likely = (1.0 - config.mistake) * likely + config.mistake * likely[::-1]
    return {(level,): float(share) for level, share in zip(LEVELS, likely, strict=True)}


def _weights(config: SimulatedConfig, steps: int) -> Array:
    return config.myopia ** np.arange(steps - 1.0, -1.0, -1.0)


def _orders(config: SimulatedConfig, seen: Array) -> dict[tuple[int, ...], float]:
    if np.isinf(config.rationality):
        return {tuple(map(int, np.argsort(-seen, kind="stable"))): 1.0}
    shares = answers.ranking(config.rationality * seen)
    return dict(zip(itertools.permutations(range(len(seen))), map(float, shares), strict=True))
