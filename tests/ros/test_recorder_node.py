"""The recorder as a process, with a pretended robot: what it stores, and what is said of it later over the topic."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import yaml
from diagnostic_msgs.msg import DiagnosticArray

from rewardbot.config import to_mapping
from rewardbot.data import decode
from rewardbot.data.episodes import list_episodes, raw_messages, read_episode, read_header
from rewardbot.robots.robot import CameraContract, load_contract
from rewardbot.ros import convert, qos

pytestmark = pytest.mark.ros


def test_what_a_person_says_of_episodes_is_done_to_their_bags(
    start_node: Callable[..., Any], client: Any, tmp_path: Path
) -> None:
    cameras = {"front": CameraContract(32, 24), "wrist": CameraContract(16, 16)}
    contract = replace(load_contract(), name="pretended", cameras=cameras)
    file = tmp_path / "pretended.yaml"
    file.write_text(yaml.safe_dump(to_mapping(contract)))
    (tmp_path / "episodes" / "killed.part").mkdir(parents=True)
    start_node("recorder_node", "-p", f"robot:={file}", "-p", f"run_folder:={tmp_path}", "-p", "images:=png", "-p", "pre_roll_s:=0.5")
    metrics = client.collect(DiagnosticArray, "metrics", qos.EVENTS)
    robot = start_node("pretended_robot", "-p", f"robot:={file}", "-p", "joint_hz:=30.0", "-p", "episode_s:=0.6", "-p",
                       "pause_s:=0.6", "-p", "episodes:=2")

    def metric(name: str) -> Any:
        told = [found["recorder_node"] for message in metrics if "recorder_node" in (found := convert.metrics_of(message))]
        return told[-1].get(name) if told else None

    client.wait(lambda: metric("episodes_saved") == 2, "two bags")
    first, second = list_episodes(tmp_path / "demonstrations")
    linked, *said = [json.loads(line) for line in robot.output if line.startswith("{")]
    assert linked == {"kind": "linked"}
    assert [item["id"] for item in said] == [first.name, first.name, second.name, second.name]
    episode = read_episode(first, contract)
    assert len(episode) == 6 and episode.info.success is True
    assert "killed.part was left by an interrupted recording" in metric("last_problem"), "and nothing is wrong with these two"
    stamps = [stamp for topic, _, stamp, _ in raw_messages(second) if topic == decode.compressed_topic("front")]
    before = [said[2]["stamp"] - stamp for stamp in stamps if stamp < said[2]["stamp"]]
    assert len(stamps) == len(before) + 7 and before and max(before) <= 500_000_000, "half a second before, and the episode"

    events = client.publisher(DiagnosticArray, decode.EPISODE, qos.EVENTS)
    events.publish(convert.episode_event(replace(episode.info, success=False), 0, kind="verdict"))
    events.publish(convert.episode_event(read_header(second).info, 0, kind="discard"))
    client.wait(lambda: metric("episodes_discarded") == 1, "the second to be put aside")
    assert read_header(first).info == replace(episode.info, success=False)
    assert sorted(path.name for path in first.parent.iterdir()) == [first.name, f"{second.name}.discarded"]


@pytest.mark.parametrize(("parameter", "says"), [
    ("pre_roll_s:=-1.0", "pre_roll_s is -1.0"), ("images:=gif", "images is 'gif'"), ("jpeg_quality:=0", "jpeg_quality is 0")])
def test_wrong_parameters(start_node: Callable[..., Any], parameter: str, says: str) -> None:
    node = start_node("recorder_node", "-p", parameter, ready=False)
    node.wait_for_line(says)
    assert node.popen.wait(timeout=30.0) == 2
