"""The learner's node as a process: what it learned outlives it."""

from __future__ import annotations

import dataclasses
import importlib
import shutil
import signal
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from diagnostic_msgs.msg import DiagnosticArray
from std_srvs.srv import SetBool, Trigger

from rewardbot.data import cdr, decode
from rewardbot.data.encode import StampedMessage, episode_messages, event_message
from rewardbot.data.episodes import write_episode
from rewardbot.data.verdicts import write_verdict
from rewardbot.robots.robot import load_contract
from rewardbot.ros import connections, qos
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


def learned(start_node: Any, client: Any, folder: Path, episodes: int, more: str = "") -> Any:
    """A learner that is learning, from so many demonstrations, with `more` lines of settings."""
    for number in range(episodes):
        write_episode(folder / "demonstrations", episode(number), CONTRACT)
    (folder / "quick.yaml").write_text(QUICK + more)
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


class Graph:
    """What a learner hears, and what it says of itself."""

    def __init__(self, client: Any, process: Any) -> None:
        self._client = client
        qualities = {decode.EPISODE: qos.EVENTS, **{decode.camera_topic(name): qos.IMAGES_ALL for name in CONTRACT.cameras}}
        self._publishers = {}
        for topic, kind in decode.episode_topics(CONTRACT).items():
            package, _, name = kind.rpartition("/")
            message_type = getattr(importlib.import_module(package.replace("/", ".")), name)
            self._publishers[topic] = client.publisher(message_type, topic, qualities.get(topic, qos.STATE))
        self._metrics = client.collect(DiagnosticArray, "metrics", qos.EVENTS)
        # That we have found somebody means neither that it is this process, nor that it has found us.
        said = {f"/rewardbot/{topic}" for topic in self._publishers}
        ours = [*(item for item in client.node.publishers if item.topic_name in said),
                *(item for item in client.node.subscriptions if item.topic_name == "/rewardbot/metrics")]
        client.wait(lambda: self.known().get("process", "").startswith(f"{process.popen.pid}-")
                    and connections.from_text(self.known()["linked"]).get("tester") == len(ours), "it to find us")

    def show(self, shown: Episode) -> None:
        for message in episode_messages(shown, CONTRACT):
            self._say(message)

    def word(self, folder: Path, shown: Episode, kind: decode.EventKind, success: bool | None = None) -> None:
        """Something about an episode that has ended, kept by policy_node before it says so."""
        write_verdict(folder, shown.info.id, success)
        info = dataclasses.replace(shown.info, success=success)
        self._say(event_message(decode.EpisodeEvent(kind, decode.nanoseconds(float(shown.stamps[-1])), info)))

    def wait(self, **values: str) -> None:
        """Until the learner's metrics say this."""
        self._client.wait(lambda: values.items() <= self.known().items(), f"{values}")

    def said(self, **values: str) -> int:
        """How often the learner's metrics said this."""
        return sum(values.items() <= self._values(message).items() for message in self._metrics)

    def known(self) -> dict[str, str]:
        return self._values(self._metrics[-1]) if self._metrics else {}

    @staticmethod
    def _values(message: DiagnosticArray) -> dict[str, str]:
        return {item.key: item.value for item in message.status[0].values}

    def _say(self, message: StampedMessage) -> None:
        self._publishers[message.topic].publish(bytes(cdr.serialize(message.message, message.msgtype)))


def test_takeovers_are_learned_from_and_those_that_cannot_be_are_told(start_node: Any, client: Any, tmp_path: Path) -> None:
    process = learned(start_node, client, tmp_path, 2)
    graph = Graph(client, process)
    for number, taken in ((10, [[1, 3]]), (11, [[2, 9]])):
        graph.show(episode(number, source="policy", takeovers=taken))
    graph.wait(episodes_rejected="1", episodes="1", env_steps="3", demonstrated_steps=str(2 * 3 + 2))
    process.wait_for_line("episode e11 is not learned from: Episode e11 of 3 steps has a takeover from step 2 to 9.")
    graph.wait(waiting_for="sim_node")  # nobody moves
    assert process.end() == 0


def test_what_comes_while_it_is_at_long_work_is_not_lost(start_node: Any, client: Any, tmp_path: Path) -> None:
    """More than its queues hold, which is a hundred words about fifty episodes."""
    count = qos.EVENTS.depth // 2 + 10
    process = learned(start_node, client, tmp_path, 2, "    corrections: {every: 1, cloning: {steps: 8000}}\n")
    graph = Graph(client, process)
    graph.show(episode(10, source="policy", takeovers=[[1, 3]]))
    graph.wait(episodes="1")  # it clones the correction now, for many seconds
    for number in range(count):
        graph.show(episode(11 + number, source="policy"))
        client.quiet(0.03)  # as pictures come in one burst from no robot
    graph.wait(episodes=str(1 + count), env_steps=str(3 * (1 + count)))
    assert "episodes_rejected" not in graph.known()
    assert graph.said(episodes="1") > 3, "it gave signs of life"
    assert process.end() == 0


def test_what_an_operator_says_later_reaches_the_learner_even_if_it_is_killed(start_node: Any, client: Any, tmp_path: Path) -> None:
    process = learned(start_node, client, tmp_path, 2)
    graph = Graph(client, process)
    graph.wait(state="learning")
    before = int(graph.known()["success_examples"])
    good, given_up, early = (dataclasses.replace(shown, info=dataclasses.replace(shown.info, success=None))
                             for shown in (episode(number, source="policy") for number in (10, 11, 12)))
    for shown in (good, given_up):
        graph.show(shown)
    graph.wait(episodes="2", visited_steps="6", success_examples=str(before))
    graph.word(tmp_path, good, "verdict", True)
    process.wait_for_line("episode e10 is a success, says its operator")
    graph.word(tmp_path, given_up, "discard")
    process.wait_for_line("episode e11 is given up by its operator")
    graph.wait(visited_steps="3", success_examples=str(before + 1))
    graph.word(tmp_path, early, "verdict", True)  # the messages of a topic may come after all of those of another
    graph.show(early)
    process.wait_for_line("episode e12 is a success, says its operator")
    graph.wait(visited_steps="6", success_examples=str(before + 2))
    write_verdict(tmp_path, "e12", False)  # it is killed before it hears that
    assert process.end(signal.SIGKILL) == -signal.SIGKILL
    again = start_node("learner_node", "--params-file", str(tmp_path / "quick.yaml"), "-p", "task:=reach",
                       "-p", f"run_folder:={tmp_path}", "-p", "resume:=true")
    graph.wait(state="ready", visited_steps="6", success_examples=str(before + 1))
    assert again.end() == 0
