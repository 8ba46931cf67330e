"""Which runs can be gone on with, and what is said of the others. That they then go on is tested with the job itself."""

from __future__ import annotations

import dataclasses
import shutil
from pathlib import Path
from typing import Any

import pytest
import yaml

from rewardbot import cli
from rewardbot.config import to_mapping
from rewardbot.errors import ConfigError, DataError, RewardbotError
from rewardbot.robots.robot import load_contract
from rewardbot.training.learner_config import LearnerConfig
from rewardbot.training.options import JobOptions
from rewardbot.training.resuming import finished, reopen
from rewardbot.training.run import CONFIG, LEARNER, RunFolder, learner_yaml
from rewardbot.training.summary import Summary

OPTIONS = JobOptions(task="reach", seed=4, episodes=7)


@pytest.fixture
def run(tmp_path: Path) -> Path:
    """A run that was killed right after it began."""
    settings: dict[str, Any] = {"command": "demo", "options": to_mapping(OPTIONS), "robot": to_mapping(load_contract("sim_arm")),
                                "learner": to_mapping(LearnerConfig())}
    with RunFolder.create(tmp_path / "runs", "reach", 4, settings) as folder:
        (folder.path / LEARNER).write_text(learner_yaml(settings["learner"]))
        folder.log({"reward": 0.5}, 10, elapsed=3.0)
    return folder.path


def changed(path: Path, **values: Any) -> None:
    saved = yaml.safe_load((path / CONFIG).read_text())
    (path / CONFIG).write_text(yaml.safe_dump({**saved, **values}))


def test_it_goes_on_with_its_own_options_in_its_own_folder(run: Path) -> None:
    assert finished(run, {}) is None
    options, folder = reopen(run, {"task": "reach", "seed": 4}, "demo")
    with folder:
        assert options == dataclasses.replace(OPTIONS, config=str(run / LEARNER))
        assert folder.path == run and folder.history["reward"] == [(3.0, 10, 0.5)]
        assert folder.elapsed() >= 3.0, "time goes on"
        with pytest.raises(ConfigError, match="Another process works at"):
            reopen(run, {}, "demo")


def test_a_last_line_of_metrics_that_was_cut_off_is_dropped(run: Path) -> None:
    with (run / "metrics.csv").open("a") as file:
        file.write("4.0,11,rew")
    with reopen(run, {}, "demo")[1] as folder:
        folder.log({"reward": 0.75}, 12, elapsed=5.0)
    lines = (run / "metrics.csv").read_text().splitlines()
    assert lines[-2:] == ["3.000,10,reward,0.5", "5.000,12,reward,0.75"]


def test_settings_that_were_not_written_yet_are(run: Path) -> None:
    (run / LEARNER).unlink()
    with reopen(run, {}, "demo")[1]:
        assert yaml.safe_load((run / LEARNER).read_text()) == yaml.safe_load(learner_yaml(to_mapping(LearnerConfig())))


def refused(run: Path, given: dict[str, Any] | None = None, command: str = "demo") -> str:
    before = {path: path.read_bytes() for path in run.rglob("*") if path.is_file()}
    with pytest.raises(RewardbotError) as caught:
        finished(run, given or {})
        reopen(run, given or {}, command)
    assert {path: path.read_bytes() for path in run.rglob("*") if path.is_file()} == before
    assert caught.value.next_step
    return str(caught.value)


def test_no_such_run_names_those_that_there_are(run: Path) -> None:
    assert run.name in refused(run.parent / "other")
    assert "begins one" in refused(run / "nowhere" / "at" / "all")


@pytest.mark.parametrize("content", ["", "{", "[1]", "rewardbot: 0.1.0", "rewardbot: 0.1.0\noptions: 3\nrobot: {}\nlearner: {}"])
def test_a_damaged_configuration(run: Path, content: str) -> None:
    (run / CONFIG).write_text(content)
    assert CONFIG in refused(run)


def test_another_version(run: Path) -> None:
    changed(run, rewardbot="0.0.9")
    text = refused(run)
    assert "is of rewardbot 0.0.9" in text and "--demonstrations" in text


def test_another_command(run: Path) -> None:
    assert "rewardbot demo --resume" in refused(run, command="train")


@pytest.mark.parametrize(("given", "said"), [({"task": "push"}, "--task is 'push'"), ({"seed": 5}, "--seed is '5'"),
                                             ({"episodes": 9}, "--episodes is '9'")])
def test_another_task_or_option(run: Path, given: dict[str, Any], said: str) -> None:
    text = refused(run, given)
    assert said in text and "Leave" in text


def test_a_task_that_is_no_more(run: Path) -> None:
    changed(run, options={**to_mapping(OPTIONS), "task": "juggle"})
    with pytest.raises(ConfigError, match="no task named 'juggle'"):
        reopen(run, {}, "demo")


def test_another_robot(run: Path) -> None:
    changed(run, robot={**to_mapping(load_contract("sim_arm")), "control_hz": 20.0})
    text = refused(run)
    assert "robot contract has changed" in text and "control_hz" in text


def test_other_settings_of_the_learner(run: Path) -> None:
    (run / LEARNER).write_text(learner_yaml({**to_mapping(LearnerConfig()), "capacity": 5000}))
    text = refused(run)
    assert "learner.yaml has changed" in text and "capacity" in text


def test_demonstrations_that_are_gone(run: Path) -> None:
    changed(run, options={**to_mapping(OPTIONS), "demonstrations": "/somewhere", "demos": 2})
    (run / "demonstrations").mkdir()
    (run / "demonstrations" / "a").symlink_to("/somewhere/a")
    text = refused(run)
    assert "Of 2 demonstrations" in text and "/somewhere" in text


SUMMARY = Summary(task="reach", success={"bc": 0.5, "bc_tuned": 0.5, "rl": 1.0}, episodes=7)


@pytest.mark.parametrize("command", ["demo", "train"])
def test_a_finished_run_is_shown_and_nothing_else_happens(
    run: Path, command: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    (run / "summary.json").write_text(SUMMARY.to_json())
    before = sorted(run.iterdir())
    monkeypatch.chdir(run.parent.parent)
    cli.run([command, "--resume"])
    text = capsys.readouterr().out
    assert "is finished" in text and f"rewardbot eval {run}" in " ".join(text.split()) and sorted(run.iterdir()) == before


def test_a_run_whose_comparison_was_stopped_is_not_finished(run: Path) -> None:
    changed(run, options={**to_mapping(OPTIONS), "compare": True})
    (run / "summary.json").write_text(SUMMARY.to_json())
    assert finished(run, {}) is None
    compared = dataclasses.replace(SUMMARY, success={**SUMMARY.success, "oracle": 1.0})
    (run / "summary.json").write_text(compared.to_json())
    assert finished(run, {}) == compared


def test_a_finished_run_has_its_own_options_too(run: Path) -> None:
    (run / "summary.json").write_text(SUMMARY.to_json())
    assert finished(run, {"task": "reach", "seed": 4}) == SUMMARY
    assert "--seed is '5', but the run" in refused(run, {"seed": 5})


def test_a_damaged_summary(run: Path) -> None:
    (run / "summary.json").write_text("{")
    with pytest.raises(DataError, match="summary"):
        finished(run, {})
    shutil.rmtree(run)
