"""The whole graph for real: separate processes, DDS, bags, learning and evaluation, in a version of seconds."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from rewardbot.commands import demo
from rewardbot.config import from_mapping
from rewardbot.data.demonstrations import read_demonstrations
from rewardbot.data.episodes import PLAY, list_episodes, read_episode
from rewardbot.data.success_images import SUCCESS_IMAGES, write_success_images
from rewardbot.errors import ConfigError, RewardbotError, RobotError
from rewardbot.robots.mujoco import MujocoRobot
from rewardbot.robots.robot import load_contract
from rewardbot.ros import job as job_module
from rewardbot.ros.graph import NodeStart, load_graph, resolve
from rewardbot.ros.job import DemoOptions, run_demo
from rewardbot.ros.job_node import JobNode
from rewardbot.ros.supervisor import NodeDied, Supervisor, up
from rewardbot.training.collect import picture_success
from rewardbot.training.options import JobOptions
from rewardbot.training.summary import Summary

pytestmark = pytest.mark.ros

QUICK = """/**:
  ros__parameters:
    bc: {steps: 20}
    plain_bc: {steps: 10}
    classifier: {first_steps: 20}
"""

PLAYED = """/**:
  ros__parameters:
    prior: play
    autoencoder: {steps: 3}
    classifier: {first_steps: 5, reward: logit}
"""


def children() -> set[int]:
    """Processes that we started and that are still there."""
    return {int(pid) for pid in Path(f"/proc/self/task/{os.getpid()}/children").read_text().split()}


@pytest.fixture
def options(tmp_path: Path) -> DemoOptions:
    config = tmp_path / "quick.yaml"
    config.write_text(QUICK)
    return DemoOptions(task="reach", demos=4, episodes=3, learn_s=2.0, config=str(config))


def test_the_job_goes_from_demonstrations_to_a_summary(domain: int, options: DemoOptions, tmp_path: Path) -> None:
    before = children()
    reported: list[tuple[dict[str, float], int]] = []
    found = run_demo(options, tmp_path, live=False, report=lambda metrics, steps: reported.append((dict(metrics), steps)))
    assert children() <= before
    summary = from_mapping(Summary, {name: value for name, value in json.loads(json.dumps(found)).items() if name != "intervals"})
    assert (summary.task, summary.demonstrations, summary.episodes) == ("reach", 4, 3)
    assert summary.success.keys() == {"bc", "bc_tuned", "rl"} and summary.env_steps >= 15
    assert summary.total_s > summary.learn_s > 2.0
    assert len(read_demonstrations(tmp_path / "demonstrations", load_contract(), "reach")) == 4
    assert not (tmp_path / "episodes").exists(), "only demonstrations were to be recorded"
    assert (tmp_path / "checkpoint" / "policy.safetensors").exists()
    assert run_demo(replace(options, resume=True), tmp_path, live=False) == found, "there was nothing left to do"
    log = (tmp_path / "nodes.log").read_text()
    assert "[policy_node] ready: policy_node" in log and "Traceback" not in log



def test_the_job_without_demonstrations(domain: int, options: DemoOptions, tmp_path: Path) -> None:
    """Play through the recorder, success images, and nobody who is cloned."""
    robot = MujocoRobot("reach")
    try:
        write_success_images(tmp_path / SUCCESS_IMAGES, picture_success(robot, 12, seed=0))
    finally:
        robot.close()
    (tmp_path / "quick.yaml").write_text(PLAYED)
    found = run_demo(replace(options, demos=0, play=8), tmp_path, live=False)
    assert found["demonstrations"] == 0 and found["success"].keys() == {"rl"} and found["env_steps"] >= 15
    played = [read_episode(path, load_contract(), "reach") for path in list_episodes(tmp_path / PLAY)]
    assert len(played) >= 8 and {episode.info.source for episode in played} == {"play"}
    assert len({episode.info.seed for episode in played}) == len(played), "each from a start state of its own"
    assert not (tmp_path / "demonstrations").exists()
    spread = np.concatenate([episode.actions for episode in played]).std(0)
    assert (spread > 0.3).all(), "it moved about"


def test_an_interrupted_job_ends_in_order_and_keeps_its_demonstrations(domain: int, options: DemoOptions, tmp_path: Path) -> None:
    code = (f"from pathlib import Path; from rewardbot.ros.job import *; import sys\n"
            f"try: run_demo({options!r}, Path({str(tmp_path)!r}), live=False)\n"
            f"except Stopped as error: print(error); sys.exit(error.exit_code)")
    job = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True, start_new_session=True)
    assert job.stdout is not None
    for line in job.stdout:
        if "pretraining" in line:
            break
    nodes = [int(pid) for pid in Path(f"/proc/{job.pid}/task/{job.pid}/children").read_text().split()]
    assert len(nodes) == 5
    job.send_signal(signal.SIGINT)
    assert job.wait(timeout=30.0) == 130
    assert "Stopped." in job.stdout.read()
    assert not any(Path(f"/proc/{pid}").exists() for pid in nodes)
    assert len(list_episodes(tmp_path / "demonstrations")) == 4


def test_a_wrong_setting_of_the_learner_ends_the_job_in_its_words(domain: int, options: DemoOptions, tmp_path: Path) -> None:
    Path(options.config).write_text("/**:\n  ros__parameters:\n    rlpd: {bach: 3}\n")
    with pytest.raises(NodeDied, match=r"Did you mean 'rlpd\.batch'\?"):
        run_demo(options, tmp_path, live=False)


def test_a_disk_that_is_nearly_full_ends_the_job_in_the_words_of_the_recorder(
    domain: int, options: DemoOptions, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def greedy(*arguments: Any) -> list[NodeStart]:
        return [replace(start, parameters={**start.parameters, "least_free_gb": 1e9} if start.name == "recorder_node"
                        else start.parameters) for start in resolve(*arguments)]

    monkeypatch.setattr(job_module, "resolve", greedy)
    with pytest.raises(RewardbotError, match=r"recorded\. demonstration-.*: the disk is nearly full: (.|\n)*free some space"):
        run_demo(options, tmp_path, live=False)
    assert list_episodes(tmp_path / "demonstrations") == []


# What the nodes really do with topics, against what the graph says.


@pytest.fixture(scope="module")
def nodes(tmp_path_factory: Any) -> list[NodeStart]:
    return resolve(load_graph("sim"), {"task": "reach", "run_folder": str(tmp_path_factory.mktemp("a run"))})


@pytest.fixture(scope="module")
def job(domain: int, nodes: list[NodeStart]) -> Iterator[JobNode]:
    with Supervisor(nodes, log=lambda *line: None) as supervisor:
        supervisor.start()
        with JobNode("rewardbot", supervisor.poll) as node:
            node.wait(lambda: supervisor.all_ready, 60.0, "the nodes")
            node.wait_connected(nodes)
            yield node


def test_nodes_have_the_topics_that_the_graph_says(job: JobNode, nodes: list[NodeStart]) -> None:
    # Which node a topic is of comes over a topic of its own, later than the topic.
    names = {(start.name, start.namespace) for start in nodes}
    job.wait(lambda: names <= set(job.node.get_node_names_and_namespaces()), 30.0, "the nodes' names")
    for start in nodes:
        for find, expected in ((job.node.get_subscriber_names_and_types_by_node, start.subscribes),
                               (job.node.get_publisher_names_and_types_by_node, start.publishes)):
            topics = {topic for topic, _ in find(start.name, start.namespace) if topic.startswith("/rewardbot/")}
            assert topics == {f"/rewardbot/{topic}" for topic in expected}, start.name


def test_true_success_is_heard_by_the_job_alone(job: JobNode) -> None:
    topics = [topic for topic, _ in job.node.get_topic_names_and_types() if "evaluation" in topic]
    assert topics == ["/rewardbot/evaluation/success"]
    assert [info.node_name for info in job.node.get_subscriptions_info_by_topic(topics[0])] == ["job"]


def test_policy_node_conducts_what_it_is_asked_and_goes_idle(job: JobNode) -> None:
    job.switch("simulated_operator", True)
    run = job.request("demonstrate", episodes=2)
    job.wait(lambda: job.text("policy_node", "mode") == "idle" and job.scores.count(run) == 2, 30.0, "two episodes")
    first, second = [score for score in job.scores.scores if score.event.info.extra["run"] == run]
    assert first.event.info.id != second.event.info.id and first.event.info.seed != second.event.info.seed
    assert all(score.event.steps == 15 and score.event.info.source == "demonstration" for score in (first, second))
    # The operator judged what the simulator knows, at the same observation.
    assert [score.event.info.success for score in (first, second)] == [score.success for score in (first, second)]
    job.switch("simulated_operator", False)


def test_without_weights_the_policy_waits_and_says_for_what(job: JobNode) -> None:
    run = job.request("explore", episodes=1)
    job.wait(lambda: job.text("policy_node", "waiting_for") == "weights/policy", 10.0, "its word")
    assert job.scores.count(run) == 0
    job.request("idle")


def test_a_second_graph_under_the_same_names_is_refused(job: JobNode, options: DemoOptions, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="Nodes of another run are active here: "):
        run_demo(options, tmp_path, live=False)
    with pytest.raises(ConfigError, match="ROS_DOMAIN_ID"):
        up("sim", {})
    with pytest.raises(ConfigError, match="Nodes of another run are active here: "):
        demo(JobOptions(task="reach", run_dir=str(tmp_path / "runs")))
    assert not (tmp_path / "runs").exists(), "the newest run is still the one that goes on there"


def test_learning_before_pretraining_is_refused(job: JobNode) -> None:
    with pytest.raises(RobotError, match="pretrain first"):
        job.switch("learn", True)
    with pytest.raises(RobotError, match="mode is 'dance'"):
        job.set_parameters("policy_node", {"mode": "dance"})
