"""What a job believes to be recorded."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from rewardbot.data.episodes import write_episode
from rewardbot.errors import RewardbotError
from rewardbot.robots.robot import CameraContract, RobotContract
from rewardbot.ros import bags
from rewardbot.ros.bags import MOST_REFUSED, Bags, Refusals
from rewardbot.types import Episode, EpisodeInfo

CONTRACT = RobotContract(cameras={"front": CameraContract(16, 16)})


def record(folder: Path, seed: int, *, success: bool = True) -> None:
    info = EpisodeInfo(f"e{seed}", "reach", CONTRACT.name, "demonstration", success=success, seed=seed)
    write_episode(folder, Episode(
        info, np.array([1.0, 1.1, 1.2]), {"front": np.zeros((3, 16, 16, 3), np.uint8)}, np.zeros((3, 4), np.float32),
        np.zeros((2, 4), np.float32), np.zeros((2, 4), np.float32)), CONTRACT)


def test_what_came_just_now_is_not_asked_for_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bags, "LOOK_EVERY_S", 3600.0)
    found = Bags(tmp_path)
    assert found.count() == 0
    record(tmp_path, 7)
    record(tmp_path, 8, success=False)
    assert found.count() == 0, "the folder is not read at each question"
    assert sorted(seed for seed in found.seeds() if seed is not None) == [7, 8]
    assert (found.successes(), found.count(), found.dealt_with("e8"), found.dealt_with("e9")) == (1, 2, True, False)


def test_one_that_was_rejected_is_dealt_with_and_its_start_state_is_used_up(tmp_path: Path) -> None:
    record(tmp_path, 3)
    (tmp_path / "e3").rename(tmp_path / "e3.rejected")
    found = Bags(tmp_path)
    assert (found.count(), found.dealt_with("e3"), found.seeds()) == (0, True, [3])


def test_recording_gives_up_when_one_after_another_is_refused() -> None:
    refusals = Refusals()
    for number in range(3 * MOST_REFUSED):
        refusals.look(number // 3, number, "a message was lost")  # every third is kept
    for _ in range(3 * MOST_REFUSED):
        refusals.look(MOST_REFUSED, 0, "")  # the recorder was started again, and nothing has come yet
    refusals.look(MOST_REFUSED, MOST_REFUSED - 1, "e9: the disk is full")
    with pytest.raises(RewardbotError, match=r"last 6 episodes could be recorded\. e9: the disk is full\.\n(.|\n)*--run-dir"):
        refusals.look(MOST_REFUSED, MOST_REFUSED, "e9: the disk is full")
