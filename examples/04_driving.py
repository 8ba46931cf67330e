"""What does a driver want? Thirty questions "which of these two drives is better?", chosen well, tell (Sadigh et al. 2017).

    .venv/bin/python examples/04_driving.py                      # prints two tables, draws docs/driving.png

A car drives on three lanes for five seconds, another one cuts in ahead of it. The reward of a drive is linear in five features: how
near it is to the road's edge, how well it keeps to a lane, its speed, its heading, how near it comes to the other car. Nobody knows
the five weights but the driver, who answers with the noise of Bradley and Terry. Samples of the posterior stand for what the
answers leave open; the next question is the pair of drives by whose answer most of it goes. Beside it, at equal count: mutual
information, questions at random, and volume removal with its sign turned round, which asks what it knows already.

A driver who is less sure shows where volume removal is weak (Biyik et al. 2019): two drives alike split the hypotheses in halves
too, though the answer is a coin that nobody learns from. Mutual information does not ask that; volume removal does well again when
the pairs that differ least are left out. `rewardbot bench driving` has all figures, on more seeds.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
from matplotlib.figure import Figure
from numpy.typing import NDArray

from rewardbot.arguments import call
from rewardbot.bench.driving import HALF, QUESTIONS, STRATEGIES, SURE, UNSURE, ask
from rewardbot.robots.driving import EDGE, Drives, drive, other_car

Array = NDArray[np.float64]

SHOWN = (5, 10, 20, QUESTIONS)


def main(file: str = "docs/driving.png", seeds: int = 8) -> None:
    """Prints the cosines for so many seeds, and draws them."""

    def cosines(strategy: str, rationality: float, left_out: float = 0.0) -> Array:
        return np.stack([ask(strategy, seed, rationality, left_out, QUESTIONS).cosines for seed in range(seeds)])

    sure = {strategy: cosines(strategy, SURE) for strategy in STRATEGIES}
    unsure = {strategy: cosines(strategy, UNSURE) for strategy in STRATEGIES[:3]}
    unsure |= {"volume removal, of the half that differs most": cosines("volume removal", UNSURE, left_out=HALF)}
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
    call(main)
