"""The frame of every comparison: options, the JSON that it writes, the table that it prints. The comparisons are in `bench/`.

A comparison is one file `rewardbot/bench/<name>.py` with a docstring and `run(options, report) -> BenchResult`.
"""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from rewardbot import registry
from rewardbot.config import setting, user_path
from rewardbot.errors import ConfigError
from rewardbot.training.files import storing, try_out, write_atomic
from rewardbot.training.run import revision
from rewardbot.training.view import Progress, View

Report = Callable[[float, str], None]
"""To be called often with the share of the whole that is done, 0 to 1, and what is going on."""

Cell = str | int | float | bool | None


@dataclass(frozen=True)
class BenchOptions:
    """Options of `rewardbot bench NAME`."""

    json: str = setting("", "file for the result")
    quick: bool = setting(False, "a smoke version that only shows that it runs")
    seeds: tuple[int, ...] = setting((), "seeds, as in 0,1,2; the comparison's own if not given", min=0, max=2**31 - 1)
    run_dir: str = setting("runs", "folder for whatever it leaves behind")

    def folder(self, *within: str) -> Path:
        """`run_dir`, or a folder in it; made now, before anything takes its time.

        Raises:
            StorageError: it cannot be made.
        """
        path = user_path(self.run_dir).resolve().joinpath(*within)
        with storing(path, "another folder with --run-dir"):
            path.mkdir(parents=True, exist_ok=True)
        return path


@dataclass(frozen=True)
class Target:
    """A figure that was promised beforehand.

    Attributes:
        value: what was measured; None when it was not.
        target: the promise, such as ">= 0.95".
    """

    name: str
    value: float | None
    target: str
    met: bool

    @staticmethod
    def at_least(name: str, value: float | None, bound: float) -> Target:
        """A figure that should not be below `bound`."""
        return Target(name, value, f">= {bound:g}", value is not None and value >= bound)

    @staticmethod
    def at_most(name: str, value: float | None, bound: float) -> Target:
        """A figure that should not be above `bound`."""
        return Target(name, value, f"<= {bound:g}", value is not None and value <= bound)


@dataclass(frozen=True)
class BenchResult:
    """What a comparison found.

    Attributes:
        seeds: the seeds that ran.
        rows: one mapping per line of the table, column -> value; columns may differ from row to row.
        targets: what was promised.
    """

    seeds: Sequence[int]
    rows: Sequence[Mapping[str, Cell]]
    targets: Sequence[Target] = field(default_factory=tuple)


def run_bench(name: str, options: BenchOptions, *, console: Console | None = None) -> dict[str, Any]:
    """Runs the comparison `name`, shows progress, prints the table, writes `options.json`, and returns what that holds.

    Raises:
        ConfigError: unknown name, or a file that is not a comparison.
        StorageError: the JSON file cannot be written; that shows before the comparison begins.
    """
    module = registry.load("bench", name)
    run: Callable[[BenchOptions, Report], BenchResult] | None = getattr(module, "run", None)
    if run is None:
        raise ConfigError(f"rewardbot/bench/{name}.py has no function run(options, report).")
    path = user_path(options.json) if options.json else None
    if path is not None:
        try_out(path)
    progress = Progress(f"rewardbot bench {name}", (name,), phase=name)
    with View(progress) as view:

        def report(share: float, detail: str) -> None:
            progress.share, progress.detail = share, detail
            view.refresh()

        report(0.0, "starting")
        result = run(options, report)
    content = to_mapping(name, result)
    console = console or Console()
    tables = [bench_table(content), *([target_table(content)] if content["targets"] else [])]
    if not console.is_terminal:  # a file is as wide as what it holds
        console.width = max(console.width, *(console.measure(table, options=console.options.update(width=1000)).maximum
                                             for table in tables))
    for table in tables:
        console.print(table)
    if path is not None:
        write_atomic(path, json.dumps(content, indent=2, allow_nan=False) + "\n")
        console.print(f"Written to {path}", soft_wrap=True)
    return content


def to_mapping(name: str, result: BenchResult) -> dict[str, Any]:
    """The content of the JSON file: name, commit, seeds, rows, targets. Numbers that are not finite become None."""
    return {
        "name": name,
        "commit": revision(),
        "seeds": list(result.seeds),
        "rows": [{column: _finite(value) for column, value in row.items()} for row in result.rows],
        "targets": [{"name": target.name, "value": _finite(target.value), "target": target.target, "met": bool(target.met)}
                    for target in result.targets],
    }


def bench_table(content: Mapping[str, Any]) -> Table:
    """The rows as a table, a column for every key that occurs."""
    columns = list(dict.fromkeys(column for row in content["rows"] for column in row))
    table = Table(title=f"{content['name']}, seeds {', '.join(map(str, content['seeds']))}")
    for column in columns:
        numeric = any(isinstance(row.get(column), (int, float)) for row in content["rows"])
        table.add_column(column, justify="right" if numeric else "left", overflow="fold")
    for row in content["rows"]:
        table.add_row(*(_show(row.get(column)) for column in columns))
    return table


def target_table(content: Mapping[str, Any]) -> Table:
    """What was promised and what came."""
    table = Table(title="Targets")
    for column in ("target", "promised", "measured", "met"):
        table.add_column(column)
    for target in content["targets"]:
        met = "[green]yes[/]" if target["met"] else "[red]no[/]"
        table.add_row(target["name"], target["target"], _show(target["value"]), met)
    return table


def _finite(value: Any) -> Cell:
    value = value.item() if hasattr(value, "item") else value  # numpy's numbers are not JSON's
    return None if isinstance(value, float) and not math.isfinite(value) else value


def _show(value: Cell) -> str:
    if value is None:
        return "-"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if not isinstance(value, float):
        return str(value)
    return f"{value:.0f}" if abs(value) >= 100.0 else f"{value:.3g}"
