"""Causal confusion: a learner that also sees what was done last makes fewer mistakes on demonstrations, and drives worse.

    .venv/bin/python examples/03_causal_confusion.py             # prints a table, draws docs/causal_confusion.png

A driver goes at green and stops at red. He sees the traffic light well; the camera sees it through fog. Lights change seldom, so
in his demonstrations the last action all but tells the next one, and a learner that is shown it hardly looks at the light (de
Haan, Jayaraman and Levine 2019). On the road the last action is its own: where it stands it goes on standing. A lower loss on
held-out demonstrations says nothing about this. DAgger (Ross, Gordon and Bagnell 2011) repairs it: the driver also says what he
would have done where the learner stands in vain, and there the last action tells little.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from matplotlib.figure import Figure
from numpy.typing import NDArray

from rewardbot.arguments import call
from rewardbot.policies.dagger import aggregate, geometric

CHANGES, FOG = 0.03, 2.0
"""Probability of a change of lights per step; standard deviation of what the camera sees about -1 (red) and 1 (green)."""

STEPS, DRIVES, JUDGED, ROUNDS = 200, 30, 300, 8
"""Steps of a drive; drives of the demonstrations and of each round; drives that judge a policy; rounds of DAgger."""

Weights = NDArray[np.float64]
Labelled = tuple[NDArray[np.float64], NDArray[np.int_]]
"""What was seen in each step, (N, F), and what the driver would have done, -1 or 1, (N,)."""


@dataclass(frozen=True)
class Learner:
    """Logistic regression of the driver's action on what the camera sees and, if `sees_action`, on the last action."""

    sees_action: bool
    seed: int

    def drive(self, weights: Weights | None, beta: float, drives: int, stream: int) -> tuple[Labelled, float]:
        """Drives, in each step of which the driver acts with probability `beta`, or always without weights.

        Returns:
            What was seen, with the driver's labels, and the share of steps in which the right thing was done.
        """
        rng = np.random.default_rng([self.seed, stream])
        light = rng.choice([-1, 1], drives)
        last, right = light.copy(), 0.0
        seen: list[NDArray[np.float64]] = []
        labels: list[NDArray[np.int_]] = []
        for _ in range(STEPS):
            light = np.where(rng.random(drives) < CHANGES, -light, light)
            camera = light + FOG * rng.normal(size=drives)
            seen.append(np.stack([np.ones(drives), camera, *([last] if self.sees_action else [])], axis=1))
            labels.append(light)
            own = light if weights is None else np.where(seen[-1] @ weights > 0.0, 1, -1)
            last = np.where(rng.random(drives) < beta, light, own)
            right += float((last == light).mean()) / STEPS
        return (np.concatenate(seen), np.concatenate(labels)), right

    def fit(self, data: Sequence[Labelled]) -> Weights:
        """Behaviour cloning: maximum likelihood, by Newton's method."""
        seen, labels = (np.concatenate([one[part] for one in data]) for part in (0, 1))
        weights = np.zeros(seen.shape[1])
        for _ in range(20):
            goes = 1.0 / (1.0 + np.exp(-seen @ weights))
            hessian = (seen * (goes * (1.0 - goes))[:, None]).T @ seen + 1e-3 * np.eye(len(weights))
            weights -= np.linalg.solve(hessian, seen.T @ (goes - (labels > 0)) + 1e-3 * weights)
        return weights

    def policies(self, rounds: int) -> list[Weights]:
        """Behaviour cloning's policy, and that of each round of DAgger."""
        streams = iter(range(2, rounds + 2))
        demonstrations, _ = self.drive(None, 1.0, DRIVES, stream=0)
        return list(aggregate([demonstrations], self.fit, lambda weights, beta: [self.drive(weights, beta, DRIVES, next(streams))[0]],
                              geometric(0.5, rounds)))

    def mistakes(self, weights: Weights) -> float:
        """Share of wrong predictions on demonstrations that were held out."""
        (seen, labels), _ = self.drive(None, 1.0, DRIVES, stream=1)
        return float(((seen @ weights > 0.0) != (labels > 0)).mean())

    def judge(self, weights: Weights) -> float:
        """Share of steps in which it does the right thing when it drives alone."""
        return self.drive(weights, 0.0, JUDGED, stream=1)[1]


@dataclass(frozen=True)
class Result:
    """Of one seed: mistakes on held-out demonstrations and the return, without and with the last action, then after each round."""

    mistakes: tuple[float, float]
    without: float
    rounds: tuple[float, ...]


def confuse(seed: int) -> Result:
    """Both learners from the same drives, and DAgger for the one that sees the last action."""
    blind, sighted = Learner(False, seed), Learner(True, seed)
    (plain,), corrected = blind.policies(0), sighted.policies(ROUNDS)
    return Result((blind.mistakes(plain), sighted.mistakes(corrected[0])), blind.judge(plain),
                  tuple(sighted.judge(weights) for weights in corrected))


def main(file: str = "docs/causal_confusion.png", seeds: int = 5) -> None:
    """Prints what came out for so many seeds, and draws it."""
    results = [confuse(seed) for seed in range(seeds)]
    print("seed | wrong on held-out demonstrations | right on the road          | with DAgger")
    print("     | camera alone | and last action   | camera alone | last action | and last action")
    for seed, found in enumerate(results):
        print(f"{seed:4} | {found.mistakes[0]:12.1%} | {found.mistakes[1]:17.1%} | {found.without:12.1%} | {found.rounds[0]:11.1%} | "
              f"{found.rounds[-1]:11.1%}")
    Path(file).parent.mkdir(parents=True, exist_ok=True)
    draw(results).savefig(file, dpi=110)
    print(file)


def draw(results: Sequence[Result]) -> Figure:
    """Left the mistakes, right the returns, over rounds of DAgger; a line per seed."""
    figure = Figure(figsize=(9.0, 3.6), layout="constrained")
    left, right = figure.subplots(1, 2, width_ratios=[1, 2])
    for column, name in enumerate(("camera alone", "and last action")):
        left.bar(name, 100 * float(np.mean([found.mistakes[column] for found in results])), color=("tab:blue", "tab:orange")[column])
    left.set(title="Wrong on held-out demonstrations", ylabel="steps [%]")
    for number, found in enumerate(results):
        shown = number == 0
        right.axhline(100 * found.without, color="tab:blue", label="camera alone, behaviour cloning" if shown else None)
        right.plot(100 * np.array(found.rounds), color="tab:orange", marker=".", label="and last action" if shown else None)
    right.set(title="Right on the road", xlabel="rounds of DAgger; 0: behaviour cloning", ylabel="steps [%]")
    right.legend(loc="lower right")
    return figure


if __name__ == "__main__":
    call(main)
