"""`curves.png`: how a run went, in three panels over time."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import cycle
from pathlib import Path

import numpy as np
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.typing import LineStyleType

from rewardbot.training.files import atomic_path
from rewardbot.training.summary import ACTORS, Summary

History = Mapping[str, Sequence[tuple[float, int, float]]]
"""Metric name -> [(time [s], step, value)]."""

Line = tuple[str, str, str]
"""Metric name, label, colour."""

SUCCESS: tuple[Line, ...] = (
    ("success_estimate", "estimate of the learner", "tab:orange"),
    ("true_success", "true success while learning", "tab:green"),
)
REWARD: tuple[Line, ...] = (("reward_mean", "learned reward, mean of a batch", "tab:blue"),)
ERRORS: tuple[Line, ...] = (
    ("false_positive_rate", "failures called success", "tab:red"),
    ("false_negative_rate", "successes called failure", "tab:purple"),
)
DASHES: tuple[LineStyleType, ...] = ("--", ":", "-.", (0, (5, 1)), (0, (1, 1)), (0, (3, 5)))
MOST_POINTS = 400


def draw_curves(path: Path, history: History, summary: Summary) -> None:
    """Writes a PNG of success, reward and classifier errors over time; metrics that are not there are left out.

    Raises:
        StorageError: it cannot be written.
    """
    # Without pyplot: no global state, no display, usable in any thread.
    figure = Figure(figsize=(8.0, 9.0), layout="constrained")
    FigureCanvasAgg(figure)
    success, reward, errors = figure.subplots(3, 1, sharex=True)
    _draw(success, history, SUCCESS)
    if summary.curve:
        seconds, _, values = zip(*summary.curve, strict=True)
        success.plot([s / 60.0 for s in seconds], values, "o-", color="tab:green", label="true success, evaluated", zorder=3)
    for (name, rate), dashes in zip(summary.success.items(), cycle(DASHES), strict=False):
        success.axhline(rate, linestyle=dashes, color="0.4", linewidth=1.0, label=f"at the end: {ACTORS.get(name, name)}")
    success.set(ylim=(-0.02, 1.02), ylabel="success", title=f"{summary.task}, seed {summary.seed}")
    _draw(reward, history, REWARD)
    reward.set(ylabel="reward")
    _draw(errors, history, ERRORS)
    errors.set(ylim=(-0.02, 1.02), ylabel="classifier error", xlabel="time [min]")
    for axes in (success, reward, errors):
        axes.grid(alpha=0.3)
        if axes.get_legend_handles_labels()[0]:
            axes.legend(fontsize="small", loc="best")
    with atomic_path(path) as temporary:
        figure.savefig(temporary, format="png", dpi=100)


def _draw(axes: Axes, history: History, lines: Sequence[Line]) -> None:
    for name, label, colour in lines:
        points = np.array([(seconds, value) for seconds, _, value in history.get(name, ())], dtype=np.float64)
        if not len(points):
            continue
        # Many points become their means in equal groups: lighter and easier to read than noise.
        groups = np.array_split(points, min(len(points), MOST_POINTS))
        seconds, values = np.array([group.mean(axis=0) for group in groups]).T
        axes.plot(seconds / 60.0, values, label=label, color=colour, linewidth=1.5)
