"""What a driver wants, from 30 answers: volume removal and mutual information beside questions at random (Sadigh et al. 2017).

The reward of a drive is linear in five features, and the driver who knows the weights answers with the noise of Bradley and Terry:
one who is sure, as in the paper's simulations, and one who often tosses a coin. Samples of the posterior stand for what the answers
leave open; the next question is the pair of drives that the strategy likes best. What counts is the cosine between the driver's
weights and the posterior's mean.

`driver's certainty` is how likely the likelier answer to a question was, on average. Of an unsure driver volume removal asks what
halves the hypotheses because the answer is chance, not because they differ (Biyik et al. 2019): pairs alike. It does well again where
the half of the pairs that differ least are left out.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from rewardbot.feedback import answers, posterior, queries
from rewardbot.robots.driving import FEATURES, drive
from rewardbot.training.bench import BenchOptions, BenchResult, Cell, Report, Target

Array = NDArray[np.float64]

DRIVER = np.array([-0.5, 0.4, -0.3, 0.4, -0.6])
DRIVER /= np.linalg.norm(DRIVER)
"""The weights to be found: away from the edge, in a lane, near the wished speed, straight, away from the other car."""

SURE, UNSURE = 20.0, 5.0
"""Rationality: log-odds by which the driver prefers a drive whose reward is larger by 1, a standard deviation of a feature."""

DRIVES, PAIRS, SAMPLES, QUESTIONS = 400, 400, 200, 30
STRATEGIES = ("volume removal", "mutual information", "random", "volume removal, inverted")
HALF = 0.5
"""Share of the pairs, those that differ least, that may be left out."""

SEEDS = tuple(range(16))
FOUND = 0.98
"""Cosine of weights that are found."""


@dataclass(frozen=True)
class Course:
    """What came of a strategy on one seed.

    Attributes:
        cosines: between the driver's weights and the posterior's mean after each question, (Q,).
        certain: probability of the driver's likelier answer to each, (Q,).
    """

    cosines: Array
    certain: Array


def ask(strategy: str, seed: int, rationality: float = SURE, left_out: float = 0.0, questions: int = QUESTIONS) -> Course:
    """Asks one driver.

    Args:
        strategy: one of `STRATEGIES`.
        seed: of the drives, the driver's noise and the samples.
        rationality: of the driver, who is known to have it.
        left_out: share of the pairs, those that differ least, that are never asked.
        questions: how many.
    """
    rng, person = np.random.default_rng(seed), np.random.default_rng([seed, 1])
    features = drive(DRIVES, rng).features
    features = (features - features.mean(axis=0)) / features.std(axis=0)
    first, second = np.stack([rng.choice(DRIVES, 2, replace=False) for _ in range(PAIRS)], axis=1)
    apart = features[first] - features[second]
    length = np.linalg.norm(apart, axis=1)
    apart = apart[length >= np.quantile(length, left_out)]

    def preferred(weights: Array, apart: Array) -> Array:
        """Probability of the first drive and of the second, (M, N, 2)."""
        better = rationality * weights @ apart.T
        return answers.pair(np.stack([better, np.zeros_like(better)], axis=-1))

    def said(weights: Array, asked: Array) -> Array:
        """Log-likelihood of answers, (M, B), whose pairs are better less worse, (B, 5)."""
        return -np.logaddexp(0.0, -rationality * weights @ asked.T)

    weights = posterior.unit_ball(SAMPLES, len(FEATURES), rng)
    asked, cosines, certain = np.zeros((0, len(FEATURES))), [], []
    for _ in range(questions):
        (question,) = queries.best(score(strategy, preferred(weights, apart), rng), 1)
        likely = preferred(DRIVER[None], apart[[question]])[0, 0]
        certain.append(float(likely.max()))
        asked = np.concatenate([asked, apart[[question]] * (1.0 if person.random() < likely[0] else -1.0)])
        apart = np.delete(apart, question, axis=0)

        def log_target(weights: Array, asked: Array = asked) -> Array:
            return np.where(np.linalg.norm(weights, axis=1) <= 1.0, said(weights, asked).sum(axis=1), -np.inf)

        weights = posterior.update(weights, said(weights, asked[-1:])[:, 0], log_target, rng)
        mean = weights.mean(axis=0)
        cosines.append(float(mean @ DRIVER / np.linalg.norm(mean)))
    return Course(np.array(cosines), np.array(certain))


def score(strategy: str, p: Array, rng: np.random.Generator) -> Array:
    """Of each pair, the larger the better."""
    if strategy == "volume removal, inverted":
        return -queries.volume_removal(p, rng)
    return queries.SCORES["uniform" if strategy == "random" else strategy.replace(" ", "_")](p, rng)


def run(options: BenchOptions, report: Report) -> BenchResult:
    """Every strategy on every seed, with a driver who is sure and with one who is not."""
    seeds = options.seeds or (SEEDS[:1] if options.quick else SEEDS)
    questions = 5 if options.quick else QUESTIONS
    arms = [(driver, strategy, rationality, 0.0) for driver, rationality in (("sure", SURE), ("unsure", UNSURE))
            for strategy in STRATEGIES] + [("unsure", "volume removal", UNSURE, HALF)]
    rows: list[dict[str, Cell]] = []
    last: dict[str, float] = {}
    for number, (driver, strategy, rationality, left_out) in enumerate(arms):
        courses: list[Course] = []
        for done, seed in enumerate(seeds):
            report((number + done / len(seeds)) / len(arms), f"{driver} driver, {strategy}")
            courses.append(ask(strategy, seed, rationality, left_out, questions))
        cosines = np.stack([course.cosines for course in courses])
        enough = np.flatnonzero(cosines.mean(axis=0) >= FOUND)
        rows.append({"driver": driver, "asked by": strategy + (", half left out" if left_out else ""),
                     "cosine": float(cosines[:, -1].mean()), "sd": float(cosines[:, -1].std()), "least": float(cosines[:, -1].min()),
                     f"questions to {FOUND}": int(enough[0]) + 1 if len(enough) else None,
                     "driver's certainty": float(np.mean([course.certain.mean() for course in courses]))})
        if driver == "sure":
            last[strategy] = float(cosines[:, -1].mean())
    chosen = STRATEGIES[:2]
    return BenchResult(seeds, rows, (
        *(Target.at_least(f"{strategy}: cosine after {questions} questions", last[strategy], FOUND) for strategy in chosen),
        *(Target.at_least(f"{strategy}: cosine above random's", last[strategy] - last["random"], 0.0) for strategy in chosen)))
