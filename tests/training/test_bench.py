"""Every comparison writes the same JSON and prints the same table, and mistakes show before it runs."""

from __future__ import annotations

import io
import json
import math
import types
from pathlib import Path

import numpy as np
import pytest
from rich.console import Console

from rewardbot import registry
from rewardbot.errors import ConfigError
from rewardbot.training.bench import BenchOptions, BenchResult, Report, Target, run_bench
from rewardbot.training.files import StorageError
from rewardbot.training.run import revision


def fake(monkeypatch: pytest.MonkeyPatch, **members: object) -> None:
    monkeypatch.setattr(registry, "load", lambda kind, name: types.SimpleNamespace(**members))


def compare(options: BenchOptions, report: Report) -> BenchResult:
    report(0.5, "half")
    seeds = options.seeds or (0, 1, 2)
    rows = [{"arm": "a", "true": np.float32(0.5), "judged": math.nan}, {"arm": "b", "steps": np.int64(7), "ok": True}]
    return BenchResult(seeds[:1] if options.quick else seeds, rows, [
        Target.at_least("success", 0.97, 0.95), Target.at_most("exploited", 0.2, 0.1), Target.at_least("unknown", None, 0.5)])


def test_json_and_table(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]):
    fake(monkeypatch, run=compare)
    console = Console(width=100, file=io.StringIO())
    content = run_bench("sample", BenchOptions(json=str(tmp_path / "out.json")), console=console)
    assert json.loads((tmp_path / "out.json").read_text()) == content
    assert list(content) == ["name", "commit", "seeds", "rows", "targets"]
    assert content["name"] == "sample" and content["commit"] == revision() and content["seeds"] == [0, 1, 2]
    assert content["rows"] == [{"arm": "a", "true": 0.5, "judged": None}, {"arm": "b", "steps": 7, "ok": True}]
    assert content["targets"] == [
        {"name": "success", "value": 0.97, "target": ">= 0.95", "met": True},
        {"name": "exploited", "value": 0.2, "target": "<= 0.1", "met": False},
        {"name": "unknown", "value": None, "target": ">= 0.5", "met": False},
    ]
    printed = console.file.getvalue()  # type: ignore[attr-defined]
    assert "sample, seeds 0, 1, 2" in printed and "judged" in printed and ">= 0.95" in printed and "out.json" in printed
    assert "starting" in capsys.readouterr().out, "progress"


def test_no_figure_is_cut_off(monkeypatch: pytest.MonkeyPatch):
    row = {f"a column with a long name {number}": 1385.447 + number for number in range(12)} | {"loss": 0.012345}
    fake(monkeypatch, run=lambda options, report: BenchResult((0,), [row], []))
    console = Console(width=80, file=io.StringIO())
    run_bench("sample", BenchOptions(), console=console)
    line = next(line for line in console.file.getvalue().splitlines() if "1385" in line)  # type: ignore[attr-defined]
    assert all(str(1385 + number) in line for number in range(12)) and "0.0123" in line


def test_quick_and_seeds(monkeypatch: pytest.MonkeyPatch):
    fake(monkeypatch, run=compare)
    console = Console(file=io.StringIO())
    assert run_bench("sample", BenchOptions(quick=True, seeds=(5, 6)), console=console)["seeds"] == [5]


def test_a_file_that_cannot_be_written_shows_before_the_run(monkeypatch: pytest.MonkeyPatch, tmp_path: Path):
    ran: list[int] = []
    fake(monkeypatch, run=lambda options, report: ran.append(1))
    with pytest.raises(StorageError, match="nowhere"):
        run_bench("sample", BenchOptions(json=str(tmp_path / "nowhere" / "out.json")))
    assert not ran


@pytest.mark.parametrize("name", ["faults", "gui", "ledger", "preferences", "rankings", "recorder"])
def test_a_folder_that_cannot_be_made_shows_before_anything_else(name: str, tmp_path: Path):
    (tmp_path / "file").write_text("in the way")
    told: list[str] = []
    with pytest.raises(StorageError, match=r"Cannot write \S*file(.|\n)*--run-dir"):
        registry.load("bench", name).run(
            BenchOptions(quick=True, run_dir=str(tmp_path / "file")), lambda share, detail: told.append(detail))
    assert not told


def test_mistakes(monkeypatch: pytest.MonkeyPatch):
    with pytest.raises(ConfigError, match="no comparison named 'nope'"):
        run_bench("nope", BenchOptions())
    fake(monkeypatch)
    with pytest.raises(ConfigError, match="no function run"):
        run_bench("sample", BenchOptions())
