"""Six walks through a park, what the walker wants of it, and how sure that is: inverse reinforcement learning in one picture.

    .venv/bin/python examples/07_inverse_rl.py                   # prints a table, draws docs/inverse_rl.png

Each cell of the park is road, grass, mud, water or sand, and one is the goal, where the walker stays. What each is worth to him
nobody knows but he. Maximum entropy (Ziebart et al. 2008) gives one reward under which his walks are likely; Bayesian inverse
reinforcement learning (Ramachandran and Amir 2007) gives all of them. Nobody walked near the sand: the first has no opinion of it,
which looks like one, and the second says that it does not know. What a robot may lose by that, from each cell (Brown, Cui and
Niekum 2018), tells where to ask the walker next.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import ListedColormap
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Patch
from numpy.typing import NDArray

from rewardbot.arguments import call
from rewardbot.tabular import maxent_irl
from rewardbot.tabular.bayesian_irl import BayesianConfig, Posterior, sample
from rewardbot.tabular.demonstrations import END, Demonstrations, act, as_shown, choices, demonstrated
from rewardbot.tabular.mdp import MDP, Array, gridworld, occupancy, plan, uniform
from rewardbot.tabular.sufficiency import SufficiencyConfig, judge, losses, value_at_risk

PARK = (
    "grggggssss",
    "grggggssss",
    "grggwwwsss",
    "grggwwwwss",
    "grrrrwwwww",
    "gggmrgwwwg",
    "ggmmrrrrrG",
    "gmmmggggrg",
    "gggrrrrrrg",
    "gggrgggggg",
)
KINDS = {"r": "road", "g": "grass", "m": "mud", "w": "water", "s": "sand", "G": "goal"}
WORTH = {"r": 0.0, "g": -0.4, "m": -1.0, "w": -1.5, "s": 0.3, "G": 1.5}
TINTS = {"r": "#d9d2c5", "g": "#b9d8a8", "m": "#b08d6b", "w": "#9ecbe8", "s": "#f3e3a4", "G": "#f4b183"}

SIDE = len(PARK)
STARTS = ((0, 1), (9, 3), (7, 1), (0, 0), (9, 8), (3, 3))
"""Row and column in which each walk begins."""

STEPS, RATIONALITY, SLIP = 25, 6.0, 0.05
SAMPLER = BayesianConfig(rationality=RATIONALITY)
MAXENT = maxent_irl.MaxEntConfig(temperature=1.0 / RATIONALITY, decay=1e-3)


@dataclass(frozen=True)
class Found:
    """What came of it.

    Attributes:
        park: the MDP.
        features: kind of each cell, one-hot (S, 6), in the order of `KINDS`.
        truth: what each kind is worth, (6,).
        shown: the walks.
        maxent: weights by maximum entropy, (6,).
        posterior: samples of the weights.
        risk: what may be lost from each cell, but for a probability of 5%, (S,).
    """

    park: MDP
    features: Array
    truth: Array
    shown: Demonstrations
    maxent: Array
    posterior: Posterior
    risk: Array


def learn(sampler: BayesianConfig = SAMPLER) -> Found:
    """Walks, and what they tell."""
    kinds = "".join(PARK)
    park = gridworld(SIDE, SIDE, slip=SLIP, discount=0.9)
    features = np.array([[float(cell == kind) for kind in KINDS] for cell in kinds])
    truth = np.array([WORTH[kind] for kind in KINDS])
    q = plan(park, park.rewards(features @ truth)).q
    walker = np.exp(RATIONALITY * (q - q.max(axis=1, keepdims=True)))
    walker /= walker.sum(axis=1, keepdims=True)
    starts = [row * SIDE + column for row, column in STARTS]
    shown = act(park, walker, len(STARTS), np.random.default_rng(0), steps=STEPS, start=starts)
    begun = as_shown(park, shown)
    maxent = maxent_irl.fit(begun, features, demonstrated(park, shown), MAXENT)
    posterior = sample(park, features, choices(park, shown), sampler)
    robot = judge(park, features, posterior)
    lost, _ = losses(park, park.features(features), posterior.samples, robot.policy)
    return Found(park, features, truth, shown, maxent.weights, posterior, value_at_risk(lost, SufficiencyConfig()))


def main(file: str = "docs/inverse_rl.png") -> None:
    """Prints what each kind of cell is worth, in truth and by both methods, and draws it."""
    found = learn()
    table = zip(KINDS.values(), relative(found.truth), relative(found.maxent), relative(found.posterior.mean),
                relative(found.posterior.samples).std(axis=0), found.posterior.effective, found.posterior.r_hat, strict=True)
    print("worth more than road | truth | maximum entropy | Bayesian        | samples are worth | R-hat")
    for kind, truth, maxent, mean, spread, effective, r_hat in table:
        print(f"{kind:<20} | {truth:5.2f} | {maxent:15.2f} | {mean:5.2f} +- {spread:5.2f}  | {effective:17.0f} | {r_hat:5.3f}")
    truth = found.park.rewards(found.features @ found.truth)
    best, random = ((occupancy(found.park, of) * truth).sum() for of in (plan(found.park, truth).policy, uniform(found.park)))
    for name, weights in (("maximum entropy", found.maxent), ("Bayesian mean", found.posterior.mean)):
        policy = plan(found.park, found.park.rewards(found.features @ weights)).policy
        print(f"{name}: {((occupancy(found.park, policy) * truth).sum() - random) / (best - random):.0%} of the walker's own value, "
              "chance being 0%")
    Path(file).parent.mkdir(parents=True, exist_ok=True)
    draw(found).savefig(file, dpi=110)
    print(file)


def relative(weights: Array) -> Array:
    """Worth of each kind, road's being 0: what all cells have alike changes nothing that anybody does."""
    return weights - weights[..., :1]


def draw(found: Found) -> Figure:
    """The park with its walks; three rewards with what is best for each; how sure the last one is, and what that may cost."""
    figure = Figure(figsize=(12.0, 7.7), layout="constrained")
    (world, truth, maxent), (mean, spread, risk) = figure.subplots(2, 3)
    draw_park(world, found)
    limit = float(abs(relative(found.truth)).max())
    for axes, title, weights in ((truth, "What he wants", found.truth), (maxent, "Maximum entropy says", found.maxent),
                                 (mean, "Bayesian: the mean", found.posterior.mean)):
        reward = found.features @ relative(weights)
        image = axes.imshow(reward.reshape(SIDE, SIDE), cmap="PuOr", vmin=-limit, vmax=limit)
        arrows(axes, plan(found.park, found.park.rewards(reward)).policy)
        axes.set_title(title)
        figure.colorbar(image, ax=axes, shrink=0.82, pad=0.03, label="reward, road's being 0")
    spreads = relative(found.posterior.samples).std(axis=0)
    image = spread.imshow((found.features @ spreads).reshape(SIDE, SIDE), cmap="Purples", vmin=0.0)
    spread.set_title("Bayesian: how unsure it is")
    figure.colorbar(image, ax=spread, shrink=0.82, pad=0.03, label="standard deviation of the reward")
    image = risk.imshow(found.risk.reshape(SIDE, SIDE), cmap="Reds", vmin=0.0)
    row, column = divmod(int(found.risk.argmax()), SIDE)
    risk.plot(column, row, marker="o", markersize=15, markerfacecolor="white", markeredgecolor="black")
    risk.annotate("?", (column, row), ha="center", va="center_baseline", fontweight="bold")
    risk.set_title("What that may cost: ask at ?")
    figure.colorbar(image, ax=risk, shrink=0.82, pad=0.03, label="value at risk from each cell (95%)")
    for axes in (world, truth, maxent, mean, spread, risk):
        axes.set(xticks=np.arange(SIDE + 1) - 0.5, yticks=np.arange(SIDE + 1) - 0.5, xticklabels=[], yticklabels=[])
        axes.grid(color="white", linewidth=0.8)
        axes.plot(*divmod("".join(PARK).index("G"), SIDE)[::-1], marker="*", markersize=15, color="#c00000", markeredgecolor="white")
        axes.tick_params(length=0)
        for side in axes.spines.values():
            side.set_visible(False)
    return figure


def draw_park(axes: Axes, found: Found) -> None:
    """Kinds of cells, and the walks, each moved aside a little so that all are seen."""
    kinds = list(KINDS)
    axes.imshow(found.features.argmax(axis=1).reshape(SIDE, SIDE), cmap=ListedColormap([TINTS[kind] for kind in kinds]), vmin=-0.5,
                vmax=len(kinds) - 0.5)
    for number, states in enumerate(found.shown.states):
        row, column = np.divmod(states[states != END], SIDE)
        aside = 0.09 * (number - (len(found.shown) - 1) / 2)
        axes.plot(column + aside, row + aside, color="#1b3a5c", linewidth=1.4, alpha=0.85)
        axes.plot(column[0] + aside, row[0] + aside, "o", color="#1b3a5c", markersize=6, markeredgecolor="white")
    axes.set_title("The park, and six walks to the star")
    marks = [Patch(facecolor=TINTS[kind], label=KINDS[kind]) for kind in kinds if kind != "G"]
    marks.append(Line2D([], [], color="#1b3a5c", marker="o", label="walk"))
    axes.legend(handles=marks, loc="upper center", bbox_to_anchor=(0.5, -0.01), ncols=3, frameon=False, handlelength=1.4)


def arrows(axes: Axes, policy: NDArray[np.float64]) -> None:
    """The best actions of each cell; where several are as good, their mean direction, or none."""
    across, down = policy @ np.array([0.0, 1.0, 0.0, -1.0]), policy @ np.array([-1.0, 0.0, 1.0, 0.0])
    rows, columns = np.divmod(np.arange(SIDE**2), SIDE)
    axes.quiver(columns, rows, across, -down, pivot="middle", scale=17, width=0.006, color="#333333", alpha=0.75)


if __name__ == "__main__":
    call(main)
