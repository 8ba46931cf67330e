"""The run folder holds what was logged, in every format, and refuses what it cannot keep."""

from __future__ import annotations

import csv
import json
import math
import os
from pathlib import Path

import numpy as np
import pytest
import yaml
from tensorboard.backend.event_processing.event_file_loader import EventFileLoader

from rewardbot.errors import DataError, RewardbotError
from rewardbot.training.files import StorageError
from rewardbot.training.run import RunFolder, revision
from rewardbot.training.summary import ClassifierErrors, Summary
from rewardbot.training.video import side_by_side, write_video

SUMMARY = Summary(task="lift", seed=3, demonstrations=30, env_steps=900, learn_s=300.5, total_s=400.0,
                  success={"bc": 0.6, "bc_tuned": 0.7, "rl": 0.97}, episodes=100,
                  classifier=ClassifierErrors(0.03, math.nan, 0.1), curve=((60.0, 200, 0.5), (120.0, 400, 0.9)))


def test_a_whole_run(tmp_path: Path):
    with RunFolder.create(tmp_path / "runs", "lift", 3, {"options": {"task": "lift", "demos": 30}}) as run:
        assert run.path.name.endswith("-lift-3")
        assert (tmp_path / "runs" / "latest").resolve() == run.path.resolve()
        for k in range(1000):
            run.log({"success_estimate": k / 1000, "reward": -k, "broken": math.nan}, step=k, elapsed=float(k))
        run.finish(SUMMARY)
        assert len(run.history["reward"]) == 1000 and "broken" not in run.history
    config = yaml.safe_load((run.path / "config.yaml").read_text())
    assert config["options"] == {"task": "lift", "demos": 30} and config["revision"] == revision() and config["rewardbot"]
    rows = list(csv.DictReader((run.path / "metrics.csv").open()))
    assert len(rows) == 2000
    assert rows[-1] == {"time_s": "999.000", "step": "999", "name": "reward", "value": "-999"}
    (events,) = run.path.glob("events.out.tfevents.*")
    scalars = [(event.step, value.tag) for event in EventFileLoader(str(events)).Load() for value in event.summary.value]
    assert len(scalars) == 2000 and scalars[-1] == (999, "reward")
    assert (run.path / "curves.png").read_bytes().startswith(b"\x89PNG")


def test_the_summary_has_exactly_the_promised_keys(tmp_path: Path):
    with RunFolder.create(tmp_path, "lift", 3, {}) as run:
        run.finish(SUMMARY)
    content = json.loads((run.path / "summary.json").read_text())
    assert list(content) == ["task", "seed", "demonstrations", "env_steps", "learn_s", "total_s", "success", "intervals", "episodes",
                             "classifier", "curve", "rounds", "most_rounds"]
    expected = {"false_positive_rate": 0.03, "false_negative_rate": None, "calibration_error": 0.1}
    assert content["classifier"] == expected, "NaN is not JSON"
    assert content["curve"] == [[60.0, 200, 0.5], [120.0, 400, 0.9]]
    assert content["success"] == {"bc": 0.6, "bc_tuned": 0.7, "rl": 0.97}
    read = Summary.read(run.path / "summary.json")
    assert read.success == SUMMARY.success and read.curve == SUMMARY.curve
    (run.path / "summary.json").write_text("{")
    with pytest.raises(DataError, match=r"summary\.json"):
        Summary.read(run.path / "summary.json")


def test_an_empty_run_still_draws_its_curves(tmp_path: Path):
    with RunFolder.create(tmp_path, "reach", 0, {}) as run:
        run.finish(Summary(task="reach"))
    assert (run.path / "curves.png").stat().st_size > 1000


def test_runs_of_the_same_second_are_apart(tmp_path: Path):
    paths = set()
    for _ in range(3):
        with RunFolder.create(tmp_path, "lift", 0, {}) as run:
            paths.add(run.path)
    assert len(paths) == 3 and (tmp_path / "latest").resolve() == run.path.resolve()


def test_a_place_that_cannot_be_written_is_refused(tmp_path: Path):
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(StorageError, match="--run-dir"):
        RunFolder.create(tmp_path / "file", "lift", 0, {})


def test_a_read_only_folder_is_refused(tmp_path: Path):
    before, nobody = os.geteuid(), 65534
    tmp_path.chmod(0o500)
    try:
        if before == 0:  # root may write everywhere
            os.seteuid(nobody)
        with pytest.raises(StorageError, match=r"Permission denied(.|\n)*--run-dir"):
            RunFolder.create(tmp_path / "runs", "lift", 0, {})
    finally:
        os.seteuid(before)
        tmp_path.chmod(0o700)
    assert os.listdir(tmp_path) == []


def test_a_disk_that_fills_up_says_so_and_keeps_the_rest(tmp_path: Path):
    with RunFolder.create(tmp_path, "lift", 0, {"kept": True}) as run:
        run.log({"a": 1.0}, step=1)
    full = tmp_path / "full"
    full.mkdir()
    (full / "metrics.csv").symlink_to("/dev/full")
    with pytest.raises(StorageError, match=r"No space left") as caught:
        RunFolder(full)
    assert isinstance(caught.value, RewardbotError) and "on another disk" in caught.value.next_step
    assert len((run.path / "metrics.csv").read_text().splitlines()) == 2


def test_what_was_logged_survives_a_kill(tmp_path: Path):
    run = RunFolder.create(tmp_path, "lift", 0, {})
    run.log({"a": 1.0}, step=1)  # no close
    assert (run.path / "metrics.csv").read_text().endswith(",a,1\n")
    run.close()
    run.close()


def test_video(tmp_path: Path):
    frames = [np.full((64, 128, 3), level, np.uint8) for level in range(0, 250, 25)]
    assert write_video(tmp_path / "video.mp4", iter(frames), fps=10) == 10
    assert b"ftyp" in (tmp_path / "video.mp4").read_bytes()[:32] and os.listdir(tmp_path) == ["video.mp4"]
    assert write_video(tmp_path / "odd.mp4", [np.zeros((259, 301, 3), np.uint8)]) == 1
    with pytest.raises(DataError, match="no frame"):
        write_video(tmp_path / "none.mp4", [])
    with pytest.raises(DataError, match="like the first"):
        write_video(tmp_path / "bad.mp4", [frames[0], np.zeros((2, 2, 3), np.uint8)])
    assert not (tmp_path / "bad.mp4").exists()


def test_cameras_side_by_side():
    frame = side_by_side({"front": np.full((64, 64, 3), 9, np.uint8), "wrist": np.full((32, 48, 3), 7, np.uint8)})
    assert frame.shape == (64, 112, 3) and frame[63, 70, 0] == 0 and frame[0, 70, 0] == 7
