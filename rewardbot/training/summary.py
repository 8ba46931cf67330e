"""What a run ends with: `summary.json` and the table on the terminal."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from rich.table import Table

from rewardbot.config import from_mapping, setting
from rewardbot.errors import ConfigError, DataError

ACTORS = {
    "bc": "behaviour cloning",
    "bc_tuned": "behaviour cloning, tuned",
    "filtered_bc": "filtered behaviour cloning",
    "dagger": "DAgger",
    "hg_dagger": "HG-DAgger",
    "rl": "RL on the learned reward",
    "frozen": "the same with a frozen classifier (negatives: early demonstration frames)",
    "frozen_offline": "the same with a frozen classifier (good offline negatives)",
    "oracle": "the same on the true reward",
}
"""Who can act in an evaluation, in the order of the table."""


@dataclass(frozen=True)
class ClassifierErrors:
    """How far the classifier can be believed, on the final evaluation; None when there was nothing to judge."""

    false_positive_rate: float | None = setting(None, "share of true failures called success", min=0.0, max=1.0)
    false_negative_rate: float | None = setting(None, "share of true successes called failure", min=0.0, max=1.0)
    calibration_error: float | None = setting(
        None, "mean distance of its goal probability from the share of true successes where it says so", min=0.0, max=1.0)


@dataclass(frozen=True)
class Summary:
    """The content of `summary.json`. True success is for people only; nothing that learns has seen it."""

    task: str = setting("", "task name")
    seed: int = setting(0, "seed of everything random")
    demonstrations: int = setting(0, "number of demonstrations learned from", min=0)
    env_steps: int = setting(0, "environment steps of learning", min=0)
    learn_s: float = setting(0.0, "time spent learning [s]", min=0.0)
    total_s: float = setting(0.0, "time of the whole run [s]", min=0.0)
    success: dict[str, float] = field(default_factory=dict)
    intervals: dict[str, tuple[float, float]] = field(default_factory=dict)
    episodes: int = setting(0, "evaluation episodes behind each entry of success", min=0)
    classifier: ClassifierErrors = field(default_factory=ClassifierErrors)
    curve: tuple[tuple[float, int, float], ...] = setting((), "[time s, environment steps, true success]")
    rounds: int = setting(0, "rounds of dagger or hg_dagger that were done", min=0)
    most_rounds: int = setting(0, "rounds that were asked for; fewer were done when the time was over before", min=0)

    def took(self) -> str:
        """What learning took, in one sentence or, where time ended it before all rounds were done, in two."""
        took = f"Learned in {self.learn_s:.0f} s and {self.env_steps} steps; all together {self.total_s:.0f} s."
        if self.rounds < self.most_rounds:
            took += f" The time was over after {self.rounds} of {self.most_rounds} rounds; a new run with --minutes N has more."
        return took

    def to_json(self) -> str:
        """JSON text; what is not a number becomes null."""
        return json.dumps(_plain(asdict(self)), indent=2, allow_nan=False) + "\n"

    @staticmethod
    def read(path: Path) -> Summary:
        """The summary in a file.

        Raises:
            DataError: missing, or not a summary.
        """
        try:
            return from_mapping(Summary, json.loads(path.read_text()), where=path.name)
        except (OSError, ValueError, AttributeError, ConfigError) as error:
            raise DataError(f"Cannot read the summary {path}: {error}", next_step="Name the folder of a finished run.") from None


def wilson(successes: float, episodes: float, z: float = 1.959964) -> tuple[float, float]:
    """The Wilson score interval (low, high) of a success rate; 95% with the default `z`. (0, 1) without episodes."""
    if episodes <= 0:
        return 0.0, 1.0
    rate, spread = successes / episodes, z * z / episodes
    middle = (rate + spread / 2) / (1 + spread)
    half = z / (1 + spread) * math.sqrt(rate * (1 - rate) / episodes + spread / (4 * episodes))
    # Rounding must not exclude the ends: 0 of n means 0 is possible, n of n that 1 is.
    return (0.0 if successes == 0 else middle - half), (1.0 if successes == episodes else middle + half)


def result_table(success: Mapping[str, float], episodes: int) -> Table:
    """True success of each actor, the best one in bold.

    Args:
        success: actor -> success rate, see `ACTORS`.
        episodes: evaluation episodes behind each rate.
    """
    table = Table(title=f"True success over {episodes} fresh episodes each")
    table.add_column("Policy")
    for column in ("Success", "Episodes", "95% interval"):
        table.add_column(column, justify="right", no_wrap=True)
    order = [name for name in ACTORS if name in success] + [name for name in success if name not in ACTORS]
    for name in order:
        rate = success[name]
        successes = round(rate * episodes)
        low, high = wilson(successes, episodes)
        best = "bold green" if rate == max(success.values()) else ""
        table.add_row(ACTORS.get(name, name), f"{rate:.0%}", f"{successes}/{episodes}", f"{low:.1%} to {high:.1%}", style=best)
    return table


def _plain(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {key: _plain(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_plain(item) for item in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value
