"""The learner's node as a process: what it learned outlives it."""

from __future__ import annotations

import importlib
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from diagnostic_msgs.msg import DiagnosticArray
from std_srvs.srv import SetBool, Trigger

from rewardbot.data import cdr, decode
from rewardbot.data.encode import episode_messages
from rewardbot.data.episodes import write_episode
from rewardbot.robots.robot import load_contract
from rewardbot.ros import qos
from rewardbot.training import checkpoint
from rewardbot.types import Episode, EpisodeInfo, Source

pytestmark = pytest.mark.ros

QUICK = "/**:\n  ros__parameters:\n    bc: {steps: 2}\n    plain_bc: {steps: 2}\n    classifier: {first_steps: 2}\n"


CONTRACT = load_contract("sim_arm")


def episode(number: int, *, source: Source = "demonstration", steps: int = 3, **extra: Any) -> Episode:
    contract = CONTRACT
    draw = np.random.default_rng(number)
    images = {name: draw.integers(0, 256, (steps + 1, camera.height, camera.width, 3), dtype=np.uint8)
              for name, camera in contract.cameras.items()}
    return Episode(EpisodeInfo(f"e{number}", "reach", contract.name, source, seed=number, success=True, extra=extra),
                   number + np.arange(1, steps + 2) / 10.0, images, draw.normal(size=(steps + 1, 4)).astype(np.float32),
                   np.zeros((steps, 4), np.float32), np.zeros((steps, 4), np.float32))


def learned(start_node: Any, client: Any, folder: Path, episodes: int) -> Any:
    """A learner that is learning, from so many demonstrations."""
    for number in range(episodes):
        write_episode(folder / "demonstrations", episode(number), CONTRACT)
    (folder / "quick.yaml").write_text(QUICK)
    process = start_node("learner_node", "--params-file", str(folder / "quick.yaml"), "-p", "task:=reach",
                         "-p", f"run_folder:={folder}")
    assert client.call(Trigger, "pretrain", Trigger.Request()).success
    # Refused until pretraining is over, and its checkpoint is written.
    client.wait(lambda: client.call(SetBool, "learn", SetBool.Request(data=True)).success, "the end of pretraining")
    return process


def test_what_was_learned_is_kept_when_the_graph_ends(start_node: Any, client: Any, tmp_path: Path) -> None:
    process = learned(start_node, client, tmp_path, 2)
    shutil.rmtree(tmp_path / "checkpoint")
    assert process.end() == 0
    files = {path.name for path in (tmp_path / "checkpoint" / "newest").iterdir()}
    assert files == {checkpoint.POLICY, checkpoint.CLASSIFIER, checkpoint.LEARNER, "generation.json"}
    assert not any("Traceback" in line for line in process.output)


def test_takeovers_are_learned_from_and_those_that_cannot_be_are_told(start_node: Any, client: Any, tmp_path: Path) -> None:
    process = learned(start_node, client, tmp_path, 2)
    qualities = {decode.EPISODE: qos.EVENTS, **{decode.camera_topic(name): qos.IMAGES_ALL for name in CONTRACT.cameras}}
    publishers = {}
    for topic, kind in decode.episode_topics(CONTRACT).items():
        package, _, name = kind.rpartition("/")
        message_type = getattr(importlib.import_module(package.replace("/", ".")), name)
        publishers[topic] = client.publisher(message_type, topic, qualities.get(topic, qos.STATE))
    metrics = client.collect(DiagnosticArray, "metrics", qos.EVENTS)

    def known() -> dict[str, str]:
        return {item.key: item.value for item in metrics[-1].status[0].values} if metrics else {}

    for number, taken in ((10, [[1, 3]]), (11, [[2, 9]])):
        for topic, kind, _, message in episode_messages(episode(number, source="policy", takeovers=taken), CONTRACT):
            publishers[topic].publish(bytes(cdr.serialize(message, kind)))
    client.wait(lambda: known().get("episodes_rejected") == "1", "the second episode")
    assert (known()["episodes"], known()["env_steps"]) == ("1", "3")
    assert known()["demonstrated_steps"] == str(2 * 3 + 2)
    process.wait_for_line("episode e11 is not learned from: Episode e11 of 3 steps has a takeover from step 2 to 9.")
    assert process.end() == 0
