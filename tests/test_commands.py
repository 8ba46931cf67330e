"""Recorded demonstrations are checked before a run begins; a finished run can be evaluated and filmed."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import numpy as np
import pytest

from rewardbot import commands
from rewardbot.data.episodes import read_demonstrations, write_episode
from rewardbot.errors import DataError
from rewardbot.robots.robot import CameraContract, RobotContract, load_contract
from rewardbot.training.options import EvalOptions, JobOptions
from rewardbot.training.preparing import prepare
from rewardbot.types import Episode, EpisodeInfo

CONTRACT = load_contract("sim_arm")


@pytest.fixture(autouse=True)
def in_an_empty_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.chdir(tmp_path)


def bag(name: str, *, task: str = "reach", success: bool | None = True, contract: RobotContract = CONTRACT) -> Path:
    steps = 3
    episode = Episode(
        info=EpisodeInfo(name, task, contract.name, "demonstration", seed=1, success=success),
        stamps=np.arange(1, steps + 2) / 10.0,
        images={camera: np.zeros((steps + 1, size.height, size.width, 3), np.uint8) for camera, size in contract.cameras.items()},
        proprio=np.zeros((steps + 1, 4), np.float32),
        actions=np.zeros((steps, 4), np.float32),
        applied=np.zeros((steps, 4), np.float32),
    )
    return write_episode(Path("bags"), episode, contract)


def prepared() -> JobOptions:
    options, run = prepare(JobOptions(task="reach", demonstrations="bags"))
    run.close()
    return options


def test_recorded_demonstrations_are_linked_into_the_run(tmp_path: Path):
    for name, success in (("a", True), ("b", True), ("c", False), ("d", None)):
        bag(name, success=success)
    options = prepared()
    linked = tmp_path / "runs" / "latest" / "demonstrations"
    assert sorted(path.name for path in linked.iterdir()) == ["a", "b"] and options.demos == 2
    assert len(read_demonstrations(Path(options.demonstrations), CONTRACT, "reach")) == 2


def small_cameras() -> RobotContract:
    return dataclasses.replace(CONTRACT, cameras={name: CameraContract(32, 32) for name in CONTRACT.cameras})


def cut_off() -> None:
    path = next(bag("c").glob("*.mcap"))
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])


@pytest.mark.parametrize(("spoil", "said"), [
    (lambda: bag("c", task="push"), r"push"),
    (lambda: bag("c", contract=small_cameras()), r"32|camera"),
    (cut_off, r"c"),
])
def test_demonstrations_that_do_not_fit_stop_the_run_before_it_begins(spoil, said: str, tmp_path: Path):
    bag("a")
    bag("b")
    spoil()
    with pytest.raises(DataError, match=said):
        prepared()
    assert not (tmp_path / "runs").exists()


def test_too_few_demonstrations():
    bag("a")
    bag("b", success=False)
    with pytest.raises(DataError, match="1 successful demonstrations"):
        prepared()


def test_find_policy(tmp_path: Path):
    (tmp_path / "run" / "checkpoint").mkdir(parents=True)
    file = tmp_path / "run" / "checkpoint" / "policy.safetensors"
    file.write_bytes(b"")
    for name in ("run", "run/checkpoint", "run/checkpoint/policy.safetensors"):
        assert commands.find_policy(tmp_path / name) == file
    with pytest.raises(DataError, match="no policy in"):
        commands.find_policy(tmp_path)


@pytest.mark.slow
def test_train_then_eval(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    """As small as it goes: this is about the way, not about what is learned."""
    few = "{steps: 3}"
    (tmp_path / "small.yaml").write_text(f"bc: {few}\nplain_bc: {few}\nclassifier: {{first_steps: 3}}\n")
    commands.train(JobOptions(task="reach", demos=2, minutes=0.02, episodes=2, config="small.yaml"))
    text = capsys.readouterr().out
    assert "behaviour cloning" in text and "summary.json, curves.png, video.mp4" in text
    run = tmp_path / "runs" / "latest"
    assert (run / "video.mp4").stat().st_size > 1000 and (run / "summary.json").exists()
    commands.evaluate("runs/latest", EvalOptions(episodes=2, actor="bc", video="film.mp4"))
    assert "2" in capsys.readouterr().out and (tmp_path / "film.mp4").exists()
    with pytest.raises(DataError, match="'reach', not for 'lift'"):
        commands.evaluate("runs/latest", EvalOptions(task="lift"))
