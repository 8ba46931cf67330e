"""What does a driver want? Thirty questions "which of these two drives is better?", chosen well, tell (Sadigh et al. 2017).

    .venv/bin/python examples/04_driving.py                      # prints two tables, draws docs/driving.png

A car drives on three lanes for five seconds, another one cuts in ahead of it. The reward of a drive is linear in five features: how
near it is to the road's edge, how well it keeps to a lane, its speed, its heading, how near it comes to the other car. Nobody knows
the five weights but the driver, who answers with the noise of Bradley and Terry. Samples of the posterior stand for what the
answers leave open; the next question is the pair of drives by whose answer most of it goes. Beside it, at equal count: mutual
information, questions at random, and volume removal with its sign turned round, which asks what it knows already.

A driver who is less sure shows where volume removal is weak (Biyik et al. 2019): two drives alike split the hypotheses in halves
too, though the answer is a coin that nobody learns from. Mutual information does not ask that; volume removal does well again when
the pairs that differ least are left out.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from matplotlib.figure import Figure
from numpy.typing import NDArray

from rewardbot.feedback import answers, posterior, queries

Array = NDArray[np.float64]
Likelihood = Callable[[Array], Array]

FEATURES = ("road edge", "lane", "speed", "heading", "collision")
DRIVER = np.array([-0.5, 0.4, -0.3, 0.4, -0.6])
DRIVER /= np.linalg.norm(DRIVER)
"""The weights to be found: away from the edge, in a lane, near the wished speed, straight, away from the other car."""

SURE, UNSURE = 20.0, 5.0
"""Rationality: log-odds by which the driver prefers a drive whose reward is larger by 1, a standard deviation of a feature."""

STEPS, STEP_S, HELD = 50, 0.1, 10
"""Steps of a drive, their length [s], and how many steps each random steering and acceleration is held."""

LANES, EDGE, WISHED = (-3.5, 0.0, 3.5), 5.25, 12.0
"""Middle of the lanes and edge of the road, from its middle [m]; the wished speed [m/s]."""

DRIVES, PAIRS, SAMPLES, QUESTIONS = 400, 400, 200, 30

SHOWN = (5, 10, 20, QUESTIONS)
STRATEGIES = ("volume removal", "mutual information", "random", "volume removal, inverted")


@dataclass(frozen=True)
class Drives:
    """N drives: positions across and along the road, float64 (N, STEPS) [m] each, and mean features, (N, 5), unscaled."""

    across: Array
    along: Array
    features: Array


def other_car() -> tuple[Array, Array]:
    """Where the other car is in each step, across and along the road [m]: it comes over from the left lane."""
    at = np.arange(STEPS, dtype=np.float64) * STEP_S
    return LANES[0] / (1.0 + np.exp(4.0 * (at - 2.0))), 12.0 + 9.0 * at


def drive(count: int, rng: np.random.Generator) -> Drives:
    """Random drives from the middle lane at 10 m/s: steering up to 0.25 rad/s, acceleration up to 3 m/s2."""
    held = (count, STEPS // HELD)
    turn, push = (np.repeat(rng.uniform(-most, most, held), HELD, axis=1) for most in (0.25, 3.0))
    heading = np.cumsum(turn, axis=1) * STEP_S
    speed = np.maximum(10.0 + np.cumsum(push, axis=1) * STEP_S, 0.0)
    across, along = (np.cumsum(speed * part(heading), axis=1) * STEP_S for part in (np.sin, np.cos))
    to_lane = np.abs(across[..., None] - np.array(LANES)).min(axis=-1)
    there = other_car()
    features = np.stack([
        1.0 / (1.0 + np.exp(-np.clip((np.abs(across) - EDGE) / 0.5, -50.0, 50.0))),
        np.exp(-(to_lane**2)),
        ((speed - WISHED) / WISHED) ** 2,
        np.cos(heading),
        np.exp(-(((across - there[0]) / 1.5) ** 2) - ((along - there[1]) / 4.0) ** 2),
    ], axis=-1).mean(axis=1)
    return Drives(across, along, features)


def score(strategy: str, p: Array, rng: np.random.Generator) -> Array:
    """Of each pair, the larger the better."""
    if strategy == "volume removal, inverted":
        return -queries.volume_removal(p, rng)
    return queries.SCORES["uniform" if strategy == "random" else strategy.replace(" ", "_")](p, rng)


def ask(strategy: str, seed: int, rationality: float = SURE, left_out: float = 0.0) -> Array:
    """Cosine between the driver's weights and the mean of the posterior after each question, (QUESTIONS,).

    Args:
        strategy: one of `STRATEGIES`.
        seed: of the drives, the driver's noise and the samples.
        rationality: of the driver, who is known to have it.
        left_out: share of the pairs, those that differ least, that are never asked.
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

    weights = posterior.unit_ball(SAMPLES, len(FEATURES), rng)
    asked, cosines = np.zeros((0, len(FEATURES))), []
    for _ in range(QUESTIONS):
        (question,) = queries.best(score(strategy, preferred(weights, apart), rng), 1)
        first_won = person.random() < preferred(DRIVER[None], apart[[question]])[0, 0, 0]
        asked = np.concatenate([asked, apart[[question]] * (1.0 if first_won else -1.0)])
        apart = np.delete(apart, question, axis=0)

        def likelihood(weights: Array, asked: Array = asked) -> Array:
            return -np.logaddexp(0.0, -rationality * weights @ asked.T)

        def log_target(weights: Array, likelihood: Likelihood = likelihood) -> Array:
            return np.where(np.linalg.norm(weights, axis=1) <= 1.0, likelihood(weights).sum(axis=1), -np.inf)

        weights = posterior.update(weights, likelihood(weights)[:, -1], log_target, rng)
        mean = weights.mean(axis=0)
        cosines.append(float(mean @ DRIVER / np.linalg.norm(mean)))
    return np.array(cosines)


def main(file: str = "docs/driving.png", seeds: str = "8") -> None:
    """Prints the cosines for so many seeds, and draws them."""

    def cosines(strategy: str, rationality: float, left_out: float = 0.0) -> Array:
        return np.stack([ask(strategy, seed, rationality, left_out) for seed in range(int(seeds))])

    sure = {strategy: cosines(strategy, SURE) for strategy in STRATEGIES}
    unsure = {strategy: cosines(strategy, UNSURE) for strategy in STRATEGIES[:3]}
    unsure |= {"volume removal, of the half that differs most": cosines("volume removal", UNSURE, left_out=0.5)}
    for name, table in (("a sure driver", sure), ("an unsure driver", unsure)):
        print(f"\ncosine with the weights of {name}, mean of {seeds} seeds")
        print(f"{'after so many questions':<46}" + "".join(f"{number:>7}" for number in SHOWN))
        for strategy, found in table.items():
            print(f"{strategy:<46}" + "".join(f"{found[:, number - 1].mean():7.3f}" for number in SHOWN))
    Path(file).parent.mkdir(parents=True, exist_ok=True)
    draw(sure, drive(40, np.random.default_rng(0))).savefig(file, dpi=110)
    print(file)


def draw(found: dict[str, Array], drives: Drives) -> Figure:
    """Left some drives and the other car, right the cosines: mean and range over the seeds."""
    figure = Figure(figsize=(9.0, 4.2), layout="constrained")
    road, curves = figure.subplots(1, 2, width_ratios=[1, 3])
    for across, along in zip(drives.across, drives.along, strict=True):
        road.plot(across, along, color="#0072B2", linewidth=0.7)
    road.plot(*other_car(), color="#D55E00", linewidth=3, label="other car")
    for edge in (-EDGE, EDGE):
        road.axvline(edge, color="black")
    for line in (-1.75, 1.75):
        road.axvline(line, color="grey", linestyle="--", linewidth=0.8)
    road.set(title="Drives to compare", xlabel="across [m]", ylabel="along [m]", xlim=(-9.0, 9.0))
    road.legend(loc="upper left")
    count = np.arange(1, QUESTIONS + 1)
    for (strategy, cosines), colour, line in zip(found.items(), ("#0072B2", "#009E73", "#999999", "#D55E00"), ("-", "--", ":", "-."),
                                                 strict=True):
        curves.plot(count, cosines.mean(axis=0), color=colour, linestyle=line, label=strategy)
        curves.fill_between(count, cosines.min(axis=0), cosines.max(axis=0), color=colour, alpha=0.15, linewidth=0)
    curves.axhline(0.98, color="black", linewidth=0.5)
    curves.set(title="What the answers tell about the weights", xlabel="questions", ylabel="cosine with the driver's",
               ylim=(-0.5, 1.02))
    curves.legend(loc="lower right")
    return figure


if __name__ == "__main__":
    main(*sys.argv[1:])
