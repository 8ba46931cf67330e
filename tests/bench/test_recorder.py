"""The smoke version of `rewardbot bench recorder` runs, with real nodes; and the comparison notices what is lost."""

from __future__ import annotations

import json
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from rewardbot import cli
from rewardbot.bench.recorder import CONTRACT, Kills, Scene, contents, left_by, newest_of_slowest
from rewardbot.data import decode
from rewardbot.data.episodes import reject, write_episode
from rewardbot.robots.robot import CameraContract
from rewardbot.types import Episode, EpisodeInfo

SMALL = replace(CONTRACT, cameras={name: CameraContract(8, 8) for name in CONTRACT.cameras})
STEPS = 5


@pytest.mark.ros
def test_quick_bench_writes_what_is_promised(tmp_path: Path) -> None:
    file = tmp_path / "recorder.json"
    cli.run(["bench", "recorder", "--json", str(file), "--quick", "--run-dir", str(tmp_path / "runs")])
    result = json.loads(file.read_text())
    assert result["name"] == "recorder" and result["seeds"] == [0]
    recorded, killed = result["rows"]
    assert recorded["run"] == "1 s raw" and recorded["frames"] >= 3 * 31 + 2 * 30 + 2 * 100
    assert recorded["MB/s"] > 80.0 and recorded["packed"] == 0.0 and 0.0 < recorded["CPU"] < 2.0
    assert killed["run"] == "1 kills" and killed["lost"] == 0 and killed["running"] == 1
    assert [target["name"] for target in result["targets"]] == [
        "dropped frames", "finished episodes lost", "seconds lost of the running episode"]
    assert [target["target"] for target in result["targets"]] == ["<= 0", "<= 0", "<= 1"]
    assert list((tmp_path / "runs").iterdir()) == [], "nothing is left behind"


def episode(name: str) -> Episode:
    actions = np.zeros((STEPS, 4), np.float32)
    return Episode(
        EpisodeInfo(name, "none", SMALL.name, "demonstration", success=True), 10.0 + 0.1 * np.arange(STEPS + 1),
        {camera: np.zeros((STEPS + 1, 8, 8, 3), np.uint8) for camera in SMALL.cameras},
        np.zeros((STEPS + 1, 4), np.float32), actions, actions)


@pytest.fixture
def scene(tmp_path: Path) -> Scene:
    """Episodes e1 and e2 have ended, e3 is being written."""
    found = Scene(tmp_path / "scene")
    for number, name in enumerate(("e1", "e2", "e3")):
        found._listen("pretended_robot", json.dumps({"kind": "start", "id": name, "stamp": (10 + number) * 10**9}))
    for name in ("e1", "e2"):
        write_episode(found.bags, episode(name), SMALL)
        end = {"kind": "end", "id": name, "stamp": 10_500_000_000, "ticks": [[10_500_000_000, 10_700_000_000]]}
        found._listen("pretended_robot", json.dumps(end))
    (found.bags / "e3.part").mkdir()
    return found


def test_what_is_finished_and_what_runs(scene: Scene) -> None:
    assert left_by(scene, "e1", 12 * 10**9) == (12 * 10**9, {"e1", "e2"}, {"e3"})
    shutil.rmtree(scene.bags / "e1")
    assert left_by(scene, "e1", 12 * 10**9)[1] == {"e1", "e2"}, "it ended long ago, and its bag must be there"
    assert left_by(scene, "e2", 12 * 10**9)[1] == {"e2"}, "before that recorder's time"
    assert left_by(scene, "e1", 11_699_999_999)[1] == {"e2"}, "it has only just been sent"
    scene.ends["e3"] = {"ticks": [[11_900_000_000, 11_900_000_000]]}
    assert left_by(scene, "e1", 12 * 10**9)[2] == set()


def test_each_episode_that_is_gone_counts(scene: Scene) -> None:
    left, kills = left_by(scene, "e1", 12 * 10**9), Kills()
    scene.ends["e3"] = {"ticks": [[12 * 10**9, 12_100_000_000]]}
    shutil.rmtree(scene.bags / "e1")
    mcap = scene.bags / "e2" / "e2.mcap"
    mcap.write_bytes(mcap.read_bytes()[:-1000])
    assert newest_of_slowest(scene.bags / "e2") == 0
    kills.judge(scene, *left)
    assert (kills.kills, kills.finished, kills.lost) == (1, 2, 2)
    assert kills.seconds == [0.0], "killed as it began, so that there is nothing to lose"


def test_the_time_lost_is_that_of_the_slowest_topic(scene: Scene) -> None:
    path = write_episode(scene.bags, episode("e4"), SMALL)
    assert newest_of_slowest(path) == 10_400_000_000, "there is no action at the end"
    scene.starts["e4"], kills = 10 * 10**9, Kills()
    scene.ends["e4"] = {"ticks": [[10_300_000_000, 10_300_000_000], [10_900_000_000, 10_990_000_000], [11 * 10**9, 11_000_000_001]]}
    reject(path)
    kills.judge(scene, 11 * 10**9, set(), {"e4"})
    assert kills.seconds == [pytest.approx(0.5)] and kills.row()["s lost"] == 0.5, "the last one was sent after the kill"
    kills.judge(scene, 10_400_000_000, set(), {"e4"})
    assert kills.seconds[1] == 0.0, "nothing is lost that was not sent"


def test_messages_within_an_episode_are_counted(scene: Scene) -> None:
    stored, packed, size = contents(scene.bags / "e1", 10_100_000_000, 10_300_000_000)
    assert stored[decode.camera_topic("front")] == stored["joint_states"] == stored["applied_action"] == 3
    assert packed == 0 and size > 10_000
