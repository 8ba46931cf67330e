"""The smoke version of `rewardbot bench tasks` runs and keeps the contract of its file."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest

from rewardbot import cli
from rewardbot.bench.tasks import FROM_PICTURES, PLAY, PROMISED, Case, cases, job, settings
from rewardbot.robots.tasks import task_names


def test_quick_bench_writes_what_is_promised_and_keeps_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = tmp_path / "tasks.json"
    bench = ["bench", "tasks", "--json", str(file), "--quick", "--run-dir", str(tmp_path)]
    cli.run(bench)
    result = json.loads(file.read_text())
    assert result["name"] == "tasks" and result["seeds"] == [0]
    (row,) = result["rows"]
    assert row["task"] == task_names()[0] and row["episodes"] == 2 and row["steps"] > 0
    assert all(0.0 <= row[actor] <= 1.0 for actor in ("BC", "tuned BC", "RL"))
    assert {target["name"] for target in result["targets"]} == {
        f"{task_names()[0]}: mean true success", "longest learning [s]", "tasks on which RL is twice as good as BC"}
    monkeypatch.setattr("rewardbot.bench.tasks.learned", lambda *about: pytest.fail("what is done is not done again"))
    cli.run(bench)
    assert json.loads(file.read_text()) == result
    before = settings(Case(task_names()[0]))
    monkeypatch.setattr("rewardbot.bench.tasks.settings", lambda case: replace(before, prior="play"))
    monkeypatch.setattr("rewardbot.bench.tasks.learned", lambda *about: {**row, "RL": 0.25})
    cli.run(bench)
    assert json.loads(file.read_text())["rows"][0]["RL"] == 0.25, "done again with other settings"


def test_every_task_has_its_target() -> None:
    assert set(PROMISED) == set(task_names())
    assert {case.task for case in cases(quick=False) if case.pictures} == set(FROM_PICTURES) == {"push"}


def test_pictures_alone_are_no_demonstrations(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("rewardbot.bench.tasks.PICTURES", 4)
    options = job(Case("push", pictures=True), 1, quick=False, runs=tmp_path)
    assert (options.demos, options.play, options.seed) == (0, PLAY, 1)
    assert len(list((Path(options.success_images) / "front").glob("*.png"))) == 4


def test_settings_are_those_of_the_job(tmp_path: Path) -> None:
    assert settings(Case("reach")).rlpd.stay > 0.0
    assert settings(Case("push", pictures=True)).prior == "play"
