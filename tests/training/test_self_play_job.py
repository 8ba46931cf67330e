"""`rewardbot train --task reach --state --reward self_play`: what it leaves behind, going on, evaluating, and what is refused."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from rewardbot import cli
from rewardbot.errors import ConfigError, RewardbotError
from rewardbot.training import state_job
from rewardbot.training.state_policy import StatePolicy
from rewardbot.training.state_summary import StateSummary

LOOP = {"start_steps": 20, "sac": {"batch": 8, "hidden": 8}}


def train(tmp_path: Path, task: str) -> Path:
    settings = tmp_path / "settings.yaml"
    settings.write_text(yaml.safe_dump({"play": {"together": 10, "setter": LOOP, "reacher": LOOP}, "evaluations": 1}))
    cli.run(["train", "--task", task, "--state", "--reward", "self_play", "--steps", "100", "--episodes", "2", "--config",
             str(settings), "--run-dir", str(tmp_path / "runs")])
    return (tmp_path / "runs" / "latest").resolve()


@pytest.mark.parametrize("task", ["reach", "push"])
def test_a_run_ends_with_true_success_on_the_tasks_own_goals(
    task: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run = train(tmp_path, task)
    summary = StateSummary.read(run / "summary.json")
    assert (summary.env, summary.reward) == (f"rewardbot/{task.title()}Goal-v0", "self_play")
    assert 100 <= summary.steps < 110 and len(summary.returns) == len(summary.successes) == 2
    logged = (run / "metrics.csv").read_text()
    assert all(name in logged for name in ("true_success", "distance", "setter_steps", "reached"))
    assert StatePolicy((run / "policy.safetensors").read_bytes()).env == summary.env
    capsys.readouterr()
    cli.run(["eval", str(run), "--episodes", "2"])
    assert "True success" in capsys.readouterr().out


def test_a_run_that_was_stopped_goes_on(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def stopped(*_: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr(state_job, "judge_policy", stopped)
        with pytest.raises(KeyboardInterrupt):
            train(tmp_path, "reach")
    run = (tmp_path / "runs" / "latest").resolve()
    kept = (run / "checkpoint.pt").read_bytes()
    cli.run(["train", "--resume", str(run)])
    assert 100 <= StateSummary.read(run / "summary.json").steps < 110 and (run / "checkpoint.pt").read_bytes() == kept


@pytest.mark.parametrize(("arguments", "said"), [
    (["--task", "drawer", "--state"], r"The goal of task 'drawer' is not that things are somewhere(.|\n)*push, reach"),
    (["--env", "Pendulum-v1"], r"self_play does not learn in a place of this kind(.|\n)*--task NAME --state"),
    (["--task", "reach", "--state", "--policy", "ppo"], r"with a policy that learns from all steps(.|\n)*--policy sac"),
    (["--task", "reach", "--policy", "rlpd"], r"self_play sets goals that are states(.|\n)*--reward self_play takes --policy sac"),
])
def test_what_cannot_be_played_is_refused(arguments: list[str], said: str, tmp_path: Path) -> None:
    with pytest.raises(RewardbotError, match=said) as refused:
        cli.run(["train", *arguments, "--reward", "self_play", "--run-dir", str(tmp_path / "runs")])
    assert isinstance(refused.value, ConfigError) and not (tmp_path / "runs").exists()
