"""Which questions to ask: a score of each candidate, made of how likely each answer to it is.

A score is a short function of the answer probabilities p, float64 (M, N, K): what each of M members of an ensemble, or samples of a
posterior, holds of the K answers to each of N candidates. Larger is better. `k_center` and `batch_diverse` keep a batch from asking
the same thing many times, `by_rate` weighs what a question tells against the operator's time that it takes.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from statistics import median

import numpy as np
from numpy.typing import NDArray

from rewardbot.errors import ConfigError, DataError, unknown_name
from rewardbot.feedback.feedback import Kind, Query, Response, Skip

Array = NDArray[np.float64]
Score = Callable[[Array, np.random.Generator], Array]

SECONDS: Mapping[Kind, float] = {"pair": 5.0, "ranking": 15.0, "rating": 4.0, "mark": 4.0, "interval": 8.0}
"""What an answer takes an operator until their own answers tell [s]."""

ENOUGH_TIMES = 5
"""Answers of a kind that tell how long one takes."""


def uniform(p: Array, rng: np.random.Generator) -> Array:
    """Any question as well as any other."""
    return rng.random(p.shape[1])


def disagreement(p: Array, rng: np.random.Generator) -> Array:
    """Variance over the members, summed over the answers (Christiano et al. 2017, Deep RL from human preferences)."""
    return p.var(axis=0).sum(axis=-1)


def entropy(p: Array, rng: np.random.Generator) -> Array:
    """Entropy of the answer that all members together expect [nats] (Lewis and Gale 1994; PEBBLE, Lee et al. 2021).

    Asks what the operator tosses a coin about as gladly as what the members differ on.
    """
    return _entropy(p.mean(axis=0))


def mutual_information(p: Array, rng: np.random.Generator) -> Array:
    """What the answer is expected to tell about the reward [nats] (Houlsby et al. 2011; Biyik et al. 2019, Asking easy questions).

    The entropy of what all expect together, less the mean of what each is unsure about by itself: what no reward can tell, such
    as two clips alike, is not asked.
    """
    return np.maximum(_entropy(p.mean(axis=0)) - _entropy(p).mean(axis=0), 0.0)


def volume_removal(p: Array, rng: np.random.Generator) -> Array:
    """Share of the hypotheses that the answer is expected to rule out (Sadigh et al. 2017, Active preference-based learning).

    Answer k comes with probability q_k, the mean over the members, and leaves the share q_k of them: sum q_k (1 - q_k) go. To
    rule out most is to *minimise* the sum of squared answer probabilities; maximised it asks what is known already. Its best is a
    question whose answers are equally likely, even one that nobody can answer: leave clips alike out of the candidates.
    """
    return 1.0 - (p.mean(axis=0) ** 2).sum(axis=-1)


def thompson(p: Array, rng: np.random.Generator) -> Array:
    """How much two members, drawn anew each time, differ (Seung et al. 1992, Query by committee; Novoseller et al. 2020).

    Half the sum of absolute differences of their answer probabilities, which is 1 where both are sure of different answers. A
    batch is drawn one by one, see `choose`.
    """
    first, second = p[rng.choice(len(p), 2, replace=False)]
    return np.abs(first - second).sum(axis=-1) / 2


SCORES: Mapping[str, Score] = {
    score.__name__: score for score in (uniform, disagreement, entropy, mutual_information, volume_removal, thompson)}


def choose(name: str, p: Array, n: int, rng: np.random.Generator) -> list[int]:
    """The n best candidates by the score of that name, the best first.

    Raises:
        ConfigError: there is no such score, or the members are too few for it.
        DataError: p holds no probabilities; a clip with NaN ends here.
    """
    if name not in SCORES:
        raise unknown_name("query strategy", name, SCORES)
    check(p)
    if name == "thompson" and len(p) < 2:
        raise ConfigError("Query strategy 'thompson' was given 1 member.", valid="An ensemble or a posterior of two or more.")
    if name != "thompson":
        return best(SCORES[name](p, rng), n)
    chosen: list[int] = []
    for _ in range(min(n, p.shape[1])):
        score = thompson(p, rng)
        score[chosen] = -np.inf
        chosen.append(int(score.argmax()))
    return chosen


def check(p: Array) -> None:
    """Checks answer probabilities.

    Raises:
        DataError: not of shape (M, N, K), empty, not finite, or of a sum other than 1.
    """
    if p.ndim != 3 or 0 in p.shape:
        raise DataError(f"Answer probabilities have the shape {p.shape}.", valid="(members, candidates, answers), none of them 0.")
    wrong = ~(np.isfinite(p).all(axis=-1) & (p >= 0.0).all(axis=-1) & np.isclose(p.sum(axis=-1), 1.0, atol=1e-4))
    if wrong.any():
        member, candidate = np.argwhere(wrong)[0]
        raise DataError(f"The answers to candidate {candidate} have the probabilities {p[member, candidate]} by member {member}.",
                        valid="Each from 0 to 1, together 1.", next_step="Look for NaN in the clips and in the reward.")


def best(scores: Array, n: int) -> list[int]:
    """The n candidates with the largest scores, the best first; of equal ones the first."""
    return [int(index) for index in np.argsort(-scores, kind="stable")[:n]]


def k_center(scores: Array, features: Array, n: int, pool: int = 10) -> list[int]:
    """Of the `pool` * n best, n that cover them: each next is the farthest from those chosen so far, the first is the best.

    Gonzalez (1985); Sener and Savarese (2018, Active learning for convolutional neural networks: a core-set approach).

    Args:
        scores: float64 (N,).
        features: what tells candidates apart, float64 (N, D), by Euclidean distance.
        n: how many.
        pool: how many times n are looked at; 1 leaves the scores alone.
    """
    candidates = best(scores, pool * n)
    chosen, near = candidates[:1], np.full(len(candidates), np.inf)
    while len(chosen) < min(n, len(candidates)):
        near = np.minimum(near, np.linalg.norm(features[candidates] - features[chosen[-1]], axis=-1))
        chosen.append(candidates[int(near.argmax())])
    return chosen


def batch_diverse(scores: Array, vectors: Array, n: int) -> list[int]:
    """n candidates, one by one: the one with the largest score that those chosen so far do not tell already.

    The greedy mode of a determinantal point process (Biyik et al. 2019, Batch active learning using determinantal point
    processes; Chen et al. 2018): each choice takes from every other score the share that cosine similarity to it explains.

    Args:
        scores: float64 (N,), not below 0.
        vectors: what tells candidates apart, float64 (N, D), by their angle: features, or `deviations`.
        n: how many.
    """
    length = np.linalg.norm(vectors, axis=-1, keepdims=True)
    rest = np.sqrt(np.maximum(scores, 0.0))[:, None] * np.divide(vectors, length, out=np.zeros_like(vectors), where=length > 0.0)
    chosen: list[int] = []
    for _ in range(min(n, len(scores))):
        left = (rest**2).sum(axis=-1)
        left[chosen] = -1.0
        chosen.append(int(left.argmax()))
        if left[chosen[-1]] > 0.0:
            axis = rest[chosen[-1]] / np.sqrt(left[chosen[-1]])
            rest = rest - np.outer(rest @ axis, axis)
    return chosen


def deviations(p: Array) -> Array:
    """How the members differ on each candidate, (N, M K): along the same direction where one answer tells the other."""
    return np.moveaxis(p - p.mean(axis=0), 0, 1).reshape(p.shape[1], -1)


def by_rate(information: Mapping[Kind, Array], seconds: Mapping[Kind, float], n: int) -> list[tuple[Kind, int]]:
    """The n questions of any kind that tell most per second of the operator's time, as (kind, candidate), the best first.

    Biyik et al. (2019) weigh questions by their cost; here it is measured.

    Args:
        information: `mutual_information` of each candidate of a kind, (N of that kind,).
        seconds: what an answer of each kind takes.
        n: how many.
    """
    kinds: list[tuple[Kind, int]] = [(kind, index) for kind, scores in information.items() for index in range(len(scores))]
    rates = [scores / seconds[kind] for kind, scores in information.items()]
    return [kinds[index] for index in best(np.concatenate(rates), n)]


def operator_seconds(queries: Mapping[str, Query], responses: Iterable[Response]) -> dict[Kind, float]:
    """What an answer of each kind takes, by those that were given [s]: the median, and its share of what was skipped.

    A median, because of the question over which somebody went to lunch. Kinds with fewer than `ENOUGH_TIMES` answers have
    `SECONDS`.
    """
    found = dict(SECONDS)
    given = [(queries[response.given.query].kind, response) for response in responses if response.given.query in queries]
    for kind in SECONDS:
        times = [response.given.seconds for of, response in given if of == kind]
        answered = sum(of == kind and not isinstance(response, Skip) for of, response in given)
        if answered >= ENOUGH_TIMES:
            found[kind] = max(median(times), 0.1) * len(times) / answered
    return found


def _entropy(p: Array) -> Array:
    return -(p * np.log(np.where(p > 0.0, p, 1.0))).sum(axis=-1)
