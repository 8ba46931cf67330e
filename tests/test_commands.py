"""Recorded demonstrations are checked before a run begins; a finished run can be evaluated and filmed."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path

import numpy as np
import pytest

from rewardbot import commands
from rewardbot.data.demonstrations import read_demonstrations
from rewardbot.data.episodes import list_episodes, read_header, write_episode
from rewardbot.errors import ConfigError, DataError, RewardbotError
from rewardbot.robots.robot import CameraContract, RobotContract, load_contract
from rewardbot.training.files import StorageError
from rewardbot.training.options import EvalOptions, ImageOptions, JobOptions
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
    with pytest.raises(ConfigError, match=r"--video is 'film.txt'(.|\n)*\.mp4"):
        commands.evaluate("runs/latest", EvalOptions(video="film.txt"))
    with pytest.raises(DataError, match="'reach', not for 'lift'"):
        commands.evaluate("runs/latest", EvalOptions(task="lift"))


def test_ctrl_c_says_how_to_go_on(monkeypatch: pytest.MonkeyPatch):
    def stopped(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("rewardbot.training.job.train", stopped)
    with pytest.raises(KeyboardInterrupt, match=r"^Stopped(.|\n)*rewardbot train --resume \S*runs/\S*-reach-0$"):
        commands.train(JobOptions(task="reach"))


@pytest.mark.slow
def test_learning_from_nothing_but_success_images(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    """As small as it goes, too. No demonstration exists, and nobody is cloned."""
    commands.success_images("shown", ImageOptions(task="reach", count=12))
    assert "shown: 12 moments" in capsys.readouterr().out
    (tmp_path / "small.yaml").write_text("autoencoder: {steps: 3}\nclassifier: {first_steps: 3}\n")
    commands.train(JobOptions(task="reach", demos=0, success_images="shown", play=8, minutes=0.02, episodes=2, config="small.yaml"))
    run = tmp_path / "runs" / "latest"
    summary = json.loads((run / "summary.json").read_text())
    assert summary["demonstrations"] == 0 and summary["success"].keys() == {"rl"} and summary["env_steps"] > 0
    assert not (run / "demonstrations").exists() and len(list((run / "success_images" / "front").iterdir())) == 12
    assert {read_header(path).info.source for path in list_episodes(run / "play")} == {"play"}
    commands.evaluate("runs/latest", EvalOptions(episodes=1))
    with pytest.raises(StorageError, match="not empty"):
        commands.success_images("shown", ImageOptions(task="reach", count=12))


def test_a_file_in_the_way_shows_before_pictures_are_taken(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    (tmp_path / "file").write_text("in the way")
    monkeypatch.setattr("rewardbot.training.collect.picture_success", lambda *_, **__: pytest.fail("pictures were taken"))
    for place in ("file", "file/shown"):
        with pytest.raises(StorageError, match=f"Cannot write {place}"):
            commands.success_images(place, ImageOptions(task="reach", count=12))


@pytest.mark.parametrize(("options", "said"), [
    (JobOptions(demos=0), r"--demos is 0(.|\n)*--success-images DIR(.|\n)*rewardbot success-images"),
    (JobOptions(demos=1), r"--demos is 1(.|\n)*at least 2"),
    (JobOptions(demos=0, success_images="nowhere"), "no success images of camera 'front'"),
    (JobOptions(success_images="nowhere"), "no success images of camera 'front'"),
    (JobOptions(demos=0, success_images="shown", compare=True), "--compare needs demonstrations"),
    (JobOptions(demos=0, success_images="shown", demonstrations="bags"), "contradict"),
])
def test_success_images_that_cannot_be_used(options: JobOptions, said: str, tmp_path: Path):
    with pytest.raises(RewardbotError, match=said):
        prepare(options)
    assert not list(tmp_path.iterdir()), "nothing was made"
