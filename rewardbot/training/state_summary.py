"""What a run from state vectors ends with: `summary.json`, `curves.png` and the table on the terminal."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
from rich.table import Table

from rewardbot.config import from_mapping, setting
from rewardbot.errors import ConfigError, DataError
from rewardbot.training.files import atomic_path

PANELS = (("true_success", "true success (not seen by the learner)"), ("true_return", "true return (not seen by the learner)"),
          ("true_unsafe_per_1000", "truly unsafe steps in 1000"),
          ("refused_per_1000", "steps in 1000 in which the shield stepped in"),
          ("answers", "answers that the reward was fitted to"), ("reward_accuracy", "share of the answers that the reward explains"))
"""Metrics of the curves that are drawn, of those that there are."""


@dataclass(frozen=True)
class StateSummary:
    """The content of `summary.json`. True returns are for people only; nothing that learns has seen them."""

    env: str = setting("", "gymnasium environment")
    reward: str = setting("", "reward algorithm")
    policy: str = setting("", "policy algorithm")
    seed: int = setting(0, "seed of everything random")
    steps: int = setting(0, "environment steps", min=0)
    answers: int = setting(0, "answers that count", min=0)
    skipped: int = setting(0, "questions that were skipped", min=0)
    returns: tuple[float, ...] = setting((), "true return of each evaluation episode")
    successes: tuple[bool, ...] = setting((), "whether the goal held at the end of each, where the environment says so")
    total_s: float = setting(0.0, "time of the whole run [s]", min=0.0)

    def to_json(self) -> str:
        """JSON text, with the mean of the returns."""
        return json.dumps({**asdict(self), "mean_return": float(np.mean(self.returns))}, indent=2) + "\n"

    @staticmethod
    def read(path: Path) -> StateSummary:
        """The summary in a file.

        Raises:
            DataError: missing, or not such a summary.
        """
        try:
            content = json.loads(path.read_text())
            content.pop("mean_return")
            return from_mapping(StateSummary, content, where=path.name)
        except (OSError, ValueError, AttributeError, KeyError, ConfigError) as error:
            raise DataError(f"Cannot read the summary {path}: {error}", next_step="Name the folder of a finished run.") from None


def return_table(title: str, returns: Sequence[float], successes: Sequence[bool] = ()) -> Table:
    """True return of the policy over episodes, and the share of successes where there is such a thing."""
    table = Table(title=title)
    for column in ("True return", "Standard deviation", "Lowest", "Highest", "Episodes", *(["True success"] if successes else [])):
        table.add_column(column, justify="right")
    table.add_row(*(f"{value:.4g}" for value in (np.mean(returns), np.std(returns), min(returns), max(returns))), str(len(returns)),
                  *([f"{np.mean(successes):.0%}"] if successes else []))
    return table


def draw_state_curves(path: Path, history: Mapping[str, Sequence[tuple[float, int, float]]], title: str) -> None:
    """Writes a PNG of `PANELS` over environment steps.

    Raises:
        StorageError: it cannot be written.
    """
    # Slow to import, and only needed here; without pyplot: no global state.
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    drawn = [(name, label) for name, label in PANELS if history.get(name)] or [PANELS[0]]
    figure = Figure(figsize=(9.0, 2.6 * len(drawn) + 0.6), layout="constrained")
    FigureCanvasAgg(figure)
    axes = figure.subplots(len(drawn), 1, sharex=True, squeeze=False)[:, 0]
    for panel, (name, label) in zip(axes, drawn, strict=True):
        points = [(step, value) for _, step, value in history.get(name, ())]
        panel.plot([step for step, _ in points], [value for _, value in points], ".-", linewidth=1.5)
        panel.set_ylabel(label, fontsize="small", wrap=True)
        panel.grid(alpha=0.3)
    axes[0].set_title(title)
    axes[-1].set_xlabel("environment steps")
    with atomic_path(path) as temporary:
        figure.savefig(temporary, format="png", dpi=100)
