"""`rewardbot train` with a policy that imitates an operator, as small as it goes: what each learns from, and what is left behind."""

from __future__ import annotations

import dataclasses
import json
import math
from pathlib import Path

import pytest
import torch

from rewardbot import cli
from rewardbot.data.episodes import list_episodes, read_header
from rewardbot.policies.base import DeployedPolicy
from rewardbot.policies.bc import BCConfig, BehaviourCloning, DemonstrationSet
from rewardbot.robots.mujoco import MujocoRobot
from rewardbot.robots.robot import CameraContract, load_contract
from rewardbot.robots.start_states import demonstration_stream
from rewardbot.training.collect import demonstrate
from rewardbot.training.imitators import CLONED, MOST_ROUNDS, Imitator
from rewardbot.training.learner_config import LearnerConfig
from rewardbot.training.options import ROUNDS, JobOptions
from rewardbot.training.summary import Summary
from rewardbot.types import Metrics

SMALL = BCConfig(steps=3, batch=4, latent=4, hidden=8, channels=4)


@pytest.fixture(scope="module")
def robot() -> MujocoRobot:
    """Cameras of a few pixels."""
    contract = dataclasses.replace(load_contract("sim_arm"), cameras={"front": CameraContract(8, 8), "wrist": CameraContract(8, 8)})
    return MujocoRobot("reach", contract)


def imitator(robot: MujocoRobot, reports: list[tuple[Metrics, int]], **options: object) -> Imitator:
    given = JobOptions(**{"task": "reach", "noise": 0.0, "minutes": 60.0, **options})  # type: ignore[arg-type]
    return Imitator(LearnerConfig(bc=SMALL, device="cpu"), given, robot, lambda stage, share: None,
                    lambda metrics, steps, seconds: reports.append((metrics, steps)))


@pytest.mark.parametrize(("policy", "figure", "episodes"), [
    ("dagger", "validation_loss", 5 + 2 * (5 + 5)),  # validation of three policies, two rounds
    ("hg_dagger", "takeovers_per_minute", 2 * 5)])
def test_rounds_are_told_and_counted(robot: MujocoRobot, policy: str, figure: str, episodes: int) -> None:
    reports: list[tuple[Metrics, int]] = []
    learner = imitator(robot, reports, policy=policy, rounds=2)
    actors = learner.learn(demonstrate(robot, 2, noise=0.0, stream=demonstration_stream(0), seed=0))
    assert learner.steps == episodes * robot.task.horizon == reports[-1][1]
    assert (learner.rounds, learner.most_rounds) == (2, 2)
    assert all(figure in metrics and math.isfinite(metrics["true_success"]) for metrics, _ in reports)
    assert actors.keys() == {"rl", CLONED}


@pytest.mark.parametrize("policy", ROUNDS)
def test_time_ends_the_rounds(robot: MujocoRobot, policy: str) -> None:
    reports: list[tuple[Metrics, int]] = []
    learner = imitator(robot, reports, policy=policy, minutes=1e-6)
    learner.learn(demonstrate(robot, 2, noise=0.0, stream=demonstration_stream(0), seed=0))
    assert (learner.rounds, learner.most_rounds) == (0, MOST_ROUNDS)


def test_a_run_says_that_its_time_ended_the_rounds(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("small.yaml").write_text("bc: {steps: 3, batch: 4, channels: 4}\n")
    cli.run(["train", "--task", "reach", "--policy", "hg_dagger", "--demos", "2", "--episodes", "1", "--config", "small.yaml",
             "--rounds", "3", "--minutes", "0.0001"])
    assert "The time was over after 0 of 3 rounds" in " ".join(capsys.readouterr().out.split())
    summary = Summary.read(tmp_path / "runs" / "latest" / "summary.json")
    assert (summary.rounds, summary.most_rounds) == (0, 3)


def test_filtered_cloning_is_of_the_successes_alone(robot: MujocoRobot, monkeypatch: pytest.MonkeyPatch) -> None:
    """Of three episodes the operator calls the second a failure: only the steps of the others weigh, as much as 3 / 2 each."""
    shown = demonstrate(robot, 3, noise=0.0, stream=demonstration_stream(0), seed=0)
    shown[1] = dataclasses.replace(shown[1], info=dataclasses.replace(shown[1].info, success=False))
    fitted: list[DemonstrationSet] = []
    monkeypatch.setattr(BehaviourCloning, "fit", lambda self, data, progress, generator: fitted.append(data))
    imitator(robot, [], policy="filtered_bc").learn(shown)
    steps = robot.task.horizon
    assert fitted[0].weights is None and fitted[1].weights is not None
    assert fitted[1].weights.tolist() == pytest.approx([1.5] * steps + [0.0] * steps + [1.5] * steps)
    assert torch.equal(fitted[0].actions, fitted[1].actions)


@pytest.mark.parametrize("policy", ["filtered_bc", "dagger", "hg_dagger"])
def test_the_command_leaves_a_run_that_eval_reads(
    policy: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("small.yaml").write_text("bc: {steps: 3, batch: 4, channels: 4}\n")
    rounds = ["--rounds", "1"] if "dagger" in policy else []
    cli.run(["train", "--task", "reach", "--policy", policy, "--demos", "2", "--episodes", "2", "--config", "small.yaml", *rounds])
    run = tmp_path / "runs" / "latest"
    summary = json.loads((run / "summary.json").read_text())
    assert summary["success"].keys() == {CLONED, policy} and summary["demonstrations"] == 2
    assert (summary["env_steps"] > 0) == bool(rounds) == bool(summary["curve"])
    assert summary["rounds"] == summary["most_rounds"] == len(rounds) // 2
    assert all(read_header(path).info.success is not None for path in list_episodes(run / "demonstrations"))
    trained = DeployedPolicy((run / "checkpoint" / "policy.safetensors").read_bytes())
    assert trained.learner == policy and (run / "video.mp4").stat().st_size > 1000
    capsys.readouterr()
    cli.run(["eval", "--episodes", "1"])
    assert {"filtered_bc": "filtered", "dagger": "DAgger", "hg_dagger": "HG-DAgger"}[policy] in (
        capsys.readouterr().out)


def test_what_was_evaluated_and_learned_counts_when_a_run_goes_on(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path("small.yaml").write_text("bc: {steps: 3, batch: 4, channels: 4}\n")
    cli.run(["train", "--task", "reach", "--policy", "bc", "--demos", "2", "--episodes", "2", "--config", "small.yaml"])
    run = (tmp_path / "runs" / "latest").resolve()
    weights = (run / "checkpoint" / "policy.safetensors").read_bytes()
    assert json.loads((run / "summary.json").read_text())["success"].keys() == {CLONED}
    (run / "summary.json").unlink()  # killed just before
    monkeypatch.setattr(BehaviourCloning, "fit", lambda *args, **given: pytest.fail("learned again"))
    cli.run(["train", "--resume"])
    assert (run / "summary.json").is_file() and (run / "checkpoint" / "policy.safetensors").read_bytes() == weights
