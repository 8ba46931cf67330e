"""`curves.png`: how learning went, in three panels over time."""

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
from rewardbot.training.summary import Summary

History = Mapping[str, Sequence[tuple[float, int, float]]]
"""Metric name -> [(time [s], step, value)]."""

Line = tuple[str, str, str]
"""Metric name, label, colour."""

SUCCESS: tuple[Line, ...] = (("success_estimate", "what the classifier believes", "tab:orange"),)
TRUE_SUCCESS: Line = ("true_success", "true success (not seen by the learner)", "tab:green")
REWARD: tuple[Line, ...] = (("reward", "learned reward, mean of a batch", "tab:blue"),)
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
    figure = Figure(figsize=(11.0, 8.0), layout="constrained")
    FigureCanvasAgg(figure)
    success, reward, errors = figure.subplots(3, 1, sharex=True)
    start = _learning_start(history, summary)
    _draw(success, history, SUCCESS, start)
    if summary.curve:
        seconds, _, values = zip(*summary.curve, strict=True)
        _, label, colour = TRUE_SUCCESS
        success.plot([s / 60.0 for s in seconds], values, ".-", color=colour, label=label, zorder=3)
    else:
        _draw(success, history, [TRUE_SUCCESS], start)
    for (name, rate), dashes in zip(summary.success.items(), cycle(DASHES), strict=False):
        success.axhline(rate, linestyle=dashes, color="0.4", linewidth=1.0, label=f"at the end: {name}")
    success.set(ylim=(-0.02, 1.02), ylabel="success", title=f"{summary.task}, seed {summary.seed}")
    _draw(reward, history, REWARD, start)
    reward.set(ylabel="reward")
    _draw(errors, history, ERRORS, start)
    for name, label, colour in ERRORS:
        rate = getattr(summary.classifier, name)
        if rate is not None and np.isfinite(rate):
            errors.axhline(rate, linestyle=":", color=colour, label=f"at the end: {label}")
    errors.set(ylim=(-0.02, 1.02), ylabel="classifier error", xlabel="time of learning [min]")
    for axes in (success, reward, errors):
        axes.grid(alpha=0.3)
        if axes.get_legend_handles_labels()[0]:
            axes.legend(fontsize="small", loc="upper left", bbox_to_anchor=(1.0, 1.0))
    with atomic_path(path) as temporary:
        figure.savefig(temporary, format="png", dpi=100)


def _learning_start(history: History, summary: Summary) -> float:
    """When learning began, on the history's clock [s]; the summary's curve counts from there."""
    logged = [point for name, *_ in (*SUCCESS, *REWARD) for point in history.get(name, ())]
    if not logged:
        return 0.0
    if not summary.curve:
        return min(seconds for seconds, _, _ in logged)
    seconds, step, _ = summary.curve[0]
    # Both clocks passed the same number of steps at the same moment.
    return min(logged, key=lambda point: abs(point[1] - step))[0] - seconds


def _draw(axes: Axes, history: History, lines: Sequence[Line], start: float) -> None:
    for name, label, colour in lines:
        points = np.array([(seconds, value) for seconds, _, value in history.get(name, ())], dtype=np.float64)
        if not len(points):
            continue
        # Many points become their means in equal groups: lighter and easier to read than noise.
        groups = np.array_split(points, min(len(points), MOST_POINTS))
        seconds, values = np.array([group.mean(axis=0) for group in groups]).T
        axes.plot((seconds - start) / 60.0, values, label=label, color=colour, linewidth=1.5)
