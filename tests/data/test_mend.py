"""What a recorder that was killed leaves behind is dealt with, at whatever moment that was."""

from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from rewardbot.data.bag_changes import delete
from rewardbot.data.bags import examine
from rewardbot.data.cdr import serialize
from rewardbot.data.encode import episode_messages
from rewardbot.data.episodes import BagWriter, list_episodes, read_episode, read_header, write_episode
from rewardbot.data.repair import mend, repair
from rewardbot.errors import DataError
from rewardbot.robots.robot import CameraContract, RobotContract
from rewardbot.types import Episode, EpisodeInfo
from tests.full_disk import full_disk

CONTRACT = RobotContract(cameras={"front": CameraContract(160, 120)})
STEPS = 12


def episode(name: str) -> Episode:
    draw = np.random.default_rng(5)
    actions = draw.uniform(-1, 1, (STEPS, 4)).astype(np.float32)
    return Episode(
        EpisodeInfo(name, "reach", CONTRACT.name, "demonstration", success=True), np.round(1.0 + 0.1 * np.arange(STEPS + 1), 3),
        {"front": draw.integers(0, 256, (STEPS + 1, 120, 160, 3), np.uint8)},
        draw.uniform(0, 1, (STEPS + 1, 4)).astype(np.float32), actions, actions)


def killed_recording(folder: Path, name: str, share: float) -> None:
    """A recording that was killed after that share of its messages; the rest of the last chunk had not been written."""
    messages = list(episode_messages(episode(name), CONTRACT))
    writer = BagWriter(folder, CONTRACT, episode(name).info)
    for topic, msgtype, stamp, message in messages[: round(share * len(messages))]:
        writer.write(topic, msgtype, stamp, serialize(message, msgtype))
    writer._writer.storage.bio.flush()  # type: ignore[union-attr]


@pytest.mark.parametrize("share", [0.0, 0.3, 0.7, 0.99])
def test_a_killed_recording_is_no_episode_and_stops_no_recorder(tmp_path: Path, share: float) -> None:
    write_episode(tmp_path, episode("good"), CONTRACT)
    killed_recording(tmp_path, "killed", share)
    (said,) = mend(tmp_path)
    assert "killed.part was left by an interrupted recording" in said
    assert [path.name for path in list_episodes(tmp_path)] == ["good"]
    assert not list(tmp_path.glob("*.part")) and not list(tmp_path.glob("*.broken"))
    assert (tmp_path / "killed.rejected").exists() == ("not all of the episode" in said)
    assert mend(tmp_path) == [], "nothing is left to mend"


def test_a_recording_that_runs_is_left_alone(tmp_path: Path) -> None:
    messages = list(episode_messages(episode("runs"), CONTRACT))
    writer, part = BagWriter(tmp_path, CONTRACT, episode("runs").info), tmp_path / "runs.part"
    for number, (topic, msgtype, stamp, message) in enumerate(messages):
        writer.write(topic, msgtype, stamp, serialize(message, msgtype))
        if number == len(messages) // 2:
            assert mend(tmp_path) == [f"{part} is being recorded now, and left alone."]
            for refused in (repair, lambda path: delete([path]), lambda path: BagWriter(tmp_path, CONTRACT, episode("runs").info)):
                with pytest.raises(DataError, match=r"runs\.part is being recorded now"):
                    refused(part)
            assert [found.fault for found in examine([part])] == ["is being recorded now"]
    assert read_episode(writer.close(episode("runs").info)).info == episode("runs").info


def test_a_recording_that_only_lacked_its_end_is_saved(tmp_path: Path) -> None:
    write_episode(tmp_path, episode("whole"), CONTRACT)
    part = tmp_path / "whole.part"
    part.mkdir()
    (tmp_path / "whole").rename(part / "whole")
    (part / "whole" / "metadata.yaml").unlink()
    header = BagWriter(tmp_path / "other", CONTRACT, episode("whole").info)
    shutil.copy(tmp_path / "other" / "whole.part" / "header.json", part)
    header.discard()
    (mcap,) = (part / "whole").glob("*.mcap")
    assert mcap.name == "whole.mcap"
    (said,) = mend(tmp_path)
    assert "the episode is whole" in said
    np.testing.assert_array_equal(read_episode(tmp_path / "whole").images["front"], episode("whole").images["front"])


def test_what_was_killed_between_two_steps_of_closing(tmp_path: Path) -> None:
    write_episode(tmp_path, episode("closed"), CONTRACT)
    (tmp_path / "closed.part").mkdir()
    (tmp_path / "closed.part" / "header.json").write_text("{}")
    (tmp_path / "begun.part").mkdir()
    assert len(mend(tmp_path)) == 2
    assert [path.name for path in tmp_path.iterdir()] == ["closed"]


def test_an_interrupted_repair_is_repeated(tmp_path: Path) -> None:
    killed_recording(tmp_path, "killed", 0.7)
    (tmp_path / "killed.part").rename(tmp_path / "killed.broken")
    killed_recording(tmp_path, "killed", 0.2)
    mend(tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["killed.rejected"]


def test_a_repair_that_was_killed_at_its_end_is_not_done_twice(tmp_path: Path) -> None:
    killed_recording(tmp_path, "killed", 0.7)
    shutil.copytree(tmp_path / "killed.part", tmp_path / "copy")
    assert repair(tmp_path / "killed.part") == tmp_path / "killed.rejected"
    (tmp_path / "copy").rename(tmp_path / "killed.broken")
    mend(tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["killed.rejected"]


def test_what_is_wrong_is_in_the_bag(tmp_path: Path) -> None:
    killed_recording(tmp_path, "killed", 0.7)
    info = read_header(repair(tmp_path / "killed.part")).info
    assert info.extra["problems"] == ["not ended"] and info.success is None


def test_a_whole_episode_with_a_problem_is_no_success(tmp_path: Path) -> None:
    """The robot stood still in the middle of it; the recorder was killed before it could say so."""
    whole = episode("still")
    stamps = whole.stamps + np.where(np.arange(STEPS + 1) > 5, 3.0, 0.0)
    messages = list(episode_messages(replace(whole, stamps=stamps), CONTRACT))
    writer = BagWriter(tmp_path, CONTRACT, whole.info)
    for topic, msgtype, stamp, message in messages:
        writer.write(topic, msgtype, stamp, serialize(message, msgtype))
    writer.flush()
    writer.abandon()
    path = repair(tmp_path / "still.part")
    assert path == tmp_path / "still" and len(read_episode(path)) == STEPS
    info = read_header(path).info
    assert info.success is None and info.extra["problems"] == ["the clock jumped forward, or the robot stood still, by 3.1 s"]


@pytest.mark.parametrize("free", [0, 40_000])
def test_a_repair_without_space_waits_for_it(tmp_path: Path, free: int) -> None:
    killed_recording(tmp_path, "killed", 0.7)
    with full_disk(free):
        (said,) = mend(tmp_path)
        assert "cannot be repaired now" in said and "killed" in said
        assert [path.name for path in tmp_path.iterdir()] == ["killed.part"]
    mend(tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["killed.rejected"]


def test_no_folder_is_nothing_to_mend(tmp_path: Path) -> None:
    assert mend(tmp_path / "none") == []
