"""The job's side of the graph, against nodes that a test pretends to be."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from diagnostic_msgs.msg import DiagnosticArray
from rcl_interfaces.msg import SetParametersResult
from rcl_interfaces.srv import SetParametersAtomically
from std_srvs.srv import SetBool

from rewardbot.errors import ConfigError, RobotError
from rewardbot.ros import convert, job_node, qos
from rewardbot.ros.graph import NodeStart
from rewardbot.ros.job_node import JobNode
from rewardbot.ros.node import VERSION

pytestmark = pytest.mark.ros
OURS = ("sim_node", "policy_node", "learner_node", "recorder_node", "teleop_node")
"""Names of the nodes that the job has started."""


class Pretender:
    """A node as the job sees it: metrics and services, in a process that it says it is."""

    def __init__(self, client: Any) -> None:
        self.node = client.node
        self.metrics = self.node.create_publisher(DiagnosticArray, "metrics", qos.EVENTS)
        self.told: list[tuple[str, Any]] = []
        self.refuse = ""
        self.silent = False
        self.process = "1-a"
        self.services = [
            self.node.create_service(SetBool, "learn", self._switch),
            self.node.create_service(SetParametersAtomically, "recorder_node/set_parameters_atomically", self._set)]

    def say(self, name: str, process: str, version: str | None = VERSION) -> None:
        values = {"process": process} if version is None else {"process": process, "rewardbot": version}
        self.metrics.publish(convert.metrics(name, values, 0))

    def _switch(self, request: Any, response: Any) -> Any:
        self.told.append((self.process, request.data))
        response.success, response.message = not self.refuse, self.refuse
        return response

    def _set(self, request: Any, response: Any) -> Any:
        self.told.append((self.process, {item.name: item.value.string_value for item in request.parameters}))
        response.result = SetParametersResult(successful=not self.refuse, reason=self.refuse)
        return response


@pytest.fixture(scope="module")
def pretender(client: Any) -> Pretender:
    return Pretender(client)


@pytest.fixture
def job(pretender: Pretender, client: Any) -> Iterator[tuple[JobNode, list[str]]]:
    """A job that lets the pretender work between its messages, and whose nodes are of processes below 1000."""
    said: list[str] = []
    pretender.told.clear()
    pretender.refuse, pretender.process = "", "1-a"
    with JobNode("rewardbot", lambda: client.executor.spin_once(timeout_sec=0.0), names=OURS,
                 is_ours=lambda pid: pid < 1000, log=said.append) as node:
        node.wait(lambda: pretender.metrics.get_subscription_count() > 0, 20.0, "discovery")
        yield node, said


def heard(node: JobNode, pretender: Pretender, name: str, process: str) -> None:
    pretender.process = process
    pretender.say(name, process)
    node.wait(lambda: node.process(name) == process, 20.0, "its metrics")


def test_what_is_to_stay_is_told_again_to_a_node_that_was_started_anew(job: Any, pretender: Pretender) -> None:
    node, _ = job
    heard(node, pretender, "learner_node", "1-a")
    heard(node, pretender, "recorder_node", "1-a")
    node.switch("learn", True, keep=True)
    node.set_parameters("recorder_node", {"record": "none"}, keep=True)
    pretender.told.clear()
    heard(node, pretender, "learner_node", "2-b")
    node.wait(lambda: pretender.told == [("2-b", True)], 20.0, "being told")
    heard(node, pretender, "recorder_node", "3-c")
    node.wait(lambda: pretender.told[1:] == [("3-c", {"record": "none"})], 20.0, "being told")
    node.switch("learn", False)
    pretender.told.clear()
    heard(node, pretender, "learner_node", "4-d")
    until = time.monotonic() + 1.0
    node.wait(lambda: time.monotonic() > until, 20.0, "nothing")
    assert pretender.told == [], "what was not to stay is not told again, and the wish before it is gone"


def test_a_node_that_is_not_ready_for_it_is_asked_until_it_is(job: Any, pretender: Pretender) -> None:
    node, _ = job
    heard(node, pretender, "learner_node", "1-a")
    node.switch("learn", True, keep=True)
    pretender.refuse = "pretrain first"
    pretender.told.clear()
    heard(node, pretender, "learner_node", "2-b")
    node.wait(lambda: len(pretender.told) >= 2, 20.0, "being asked twice")
    pretender.refuse = ""
    count = len(pretender.told)
    node.wait(lambda: len(pretender.told) == count + 1, 20.0, "being asked again")
    until = time.monotonic() + 1.0
    node.wait(lambda: time.monotonic() > until, 20.0, "nothing")
    assert len(pretender.told) == count + 1, "once it has accepted"


def test_a_refusal_of_what_was_just_asked_is_an_error(job: Any, pretender: Pretender) -> None:
    node, _ = job
    heard(node, pretender, "learner_node", "1-a")
    pretender.refuse = "pretrain first"
    with pytest.raises(RobotError, match=r"The service 'learn' refuses: pretrain first"):
        node.switch("learn", True, keep=True)


def test_a_node_that_dies_while_it_is_asked_is_asked_again_when_it_is_back(
    job: Any, pretender: Pretender, monkeypatch: pytest.MonkeyPatch
) -> None:
    node, _ = job
    heard(node, pretender, "learner_node", "1-a")
    dead, begun = True, time.monotonic()
    every_round: Callable[[], None] = node._every_round

    def round() -> None:
        nonlocal dead
        if dead:  # its requests are taken and forgotten
            handle = pretender.services[0].handle
            with handle:
                handle.service_take_request(SetBool.Request)
            if time.monotonic() - begun > 0.5:
                dead, pretender.process = False, "2-b"
                pretender.say("learner_node", "2-b")
        else:
            every_round()

    monkeypatch.setattr(node, "_every_round", round)
    node.switch("learn", True)
    assert pretender.told == [("2-b", True)]


def test_who_never_answers_is_told_to_the_caller(job: Any, pretender: Pretender, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(job_node, "RESEND_S", 0.3)
    node, _ = job
    heard(node, pretender, "learner_node", "1-a")
    monkeypatch.setattr(node, "_every_round", lambda: None)
    with pytest.raises(RobotError, match=r"Waited 1 s for an answer of 'learn'. Asked [1-4] times; 1 of it are seen"):
        node.switch("learn", True, timeout_s=1.0)


@pytest.mark.parametrize(("process", "version", "said"), [
    ("1-a", "v0.0.9", r"policy_node in /rewardbot is another rewardbot: v0\.0\.9"),
    ("1-a", None, "policy_node in /rewardbot is another rewardbot: of an earlier version"),
    ("5000-a", VERSION, "Nodes of another run are active here: policy_node in /rewardbot"),
])
def test_a_stranger_in_the_graph_ends_the_job(
    job: Any, pretender: Pretender, process: str, version: str | None, said: str
) -> None:
    node, _ = job
    pretender.say("policy_node", process, version)
    with pytest.raises(ConfigError, match=said) as caught:
        node.wait(lambda: False, 20.0, "an error")
    assert "ROS_DOMAIN_ID" in str(caught.value) and os.environ["ROS_DOMAIN_ID"].isdigit()


def test_all_are_connected_when_each_has_found_each_by_name(
    job: Any, pretender: Pretender, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Two topics between the two, and of each what the job hears. A listener of another name stands for nobody."""
    monkeypatch.setattr(job_node, "SILENT_S", 60.0)  # the machine may be busy
    node, _ = job
    nodes = [NodeStart("sim_node", "/rewardbot", {}, (), {}, ("metrics", "episode"), ("command",), "never"),
             NodeStart("policy_node", "/rewardbot", {}, (), {}, ("metrics", "command"), ("episode",), "never")]

    def tell(name: str, linked: str) -> None:
        values = {"process": "1-a", "rewardbot": VERSION, "links_out": 9, "links_in": 9, "linked": linked}
        pretender.metrics.publish(convert.metrics(name, values, 0))
        node.wait(lambda: node.text(name, "linked") == linked, 20.0, "its metrics")

    tell("policy_node", "job 1, sim_node 2")
    for linked in ("job 2, policy_node 1", "job 2", "job 2, rosbag2_recorder 2"):
        tell("sim_node", linked)
        with pytest.raises(RobotError, match="the nodes to find each other"):
            node.wait_connected(nodes, timeout_s=0.1)
        assert not node.connected("sim_node") and node.connected("policy_node")
    tell("sim_node", "foxglove 1, job 2, policy_node 2")
    node.wait_connected(nodes, timeout_s=0.1)
    assert node.connected("sim_node")


@pytest.mark.parametrize("name", ["preference_window", "teleop_node", "classifier_node"])
def test_what_we_have_not_is_welcome_from_elsewhere_and_so_are_operators(job: Any, pretender: Pretender, name: str) -> None:
    node, _ = job
    assert ("teleop_node" in OURS) and "classifier_node" not in OURS
    heard(node, pretender, name, "5000-a")
    node.refuse_strangers()


def test_who_is_absent_is_named_once_and_greeted(job: Any, pretender: Pretender, monkeypatch: pytest.MonkeyPatch) -> None:
    node, said = job
    monkeypatch.setattr("rewardbot.ros.job_node.SILENT_S", 0.5)
    monkeypatch.setattr("rewardbot.ros.job_node.STARTING_S", 1.5)
    node.expected = ["sim_node"]
    node.wait(lambda: bool(node.absent()), 20.0, "its absence")
    assert not said, "it may be starting"
    node.wait(lambda: bool(said), 20.0, "being told")
    until = time.monotonic() + 0.3
    node.wait(lambda: time.monotonic() > until, 20.0, "nothing more")
    assert said == ["waiting for sim_node: it has said nothing since the start, 2 s ago"] and node.absent() == ["sim_node"]
    pretender.say("sim_node", "1-a")
    node.wait(lambda: len(said) == 2, 20.0, "being greeted")
    assert said[1] == "sim_node is there" and node.absent() == []
    node.wait(lambda: len(said) == 3, 20.0, "its silence")
    assert said[2] == "waiting for sim_node: it has said nothing for 0 s"
    pretender.say("sim_node", "1-a")
    node.wait(lambda: len(said) == 4, 20.0, "its return")
    assert said[3] == "sim_node is back"
