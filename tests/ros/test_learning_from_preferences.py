"""A learner, a preference node and answers over DDS, without a robot: each of the two is killed once, and the budget is spent."""

from __future__ import annotations

import signal
import time
from pathlib import Path
from typing import Any

import pytest
from diagnostic_msgs.msg import DiagnosticArray
from std_msgs.msg import UInt8MultiArray
from std_srvs.srv import Trigger

from rewardbot.config import share_path
from rewardbot.feedback.ledger import Ledger
from rewardbot.ros import convert, qos
from rewardbot.training.fitting import LEDGER
from tests.ros.recorded import QUICK, record

pytestmark = pytest.mark.ros

ASKING = ("-p", "teacher:=simulated", "-p", "asking.steps:=8", "-p", "asking.clips:=12", "-p", "asking.schedule.first:=4",
          "-p", "asking.schedule.budget:=12", "-p", "asking.schedule.per_minute:=1000.0", "-p", "minutes:=100.0",
          "-p", "oversight.every:=4", "-p", "oversight.newest:=2", "-p", "oversight.stop_when_enough:=false")


class Graph:
    """The two nodes, and what they say."""

    def __init__(self, start_node: Any, client: Any, run: Path) -> None:
        self._start, self._client, self._run = start_node, client, run
        (run / "quick.yaml").write_text(QUICK)
        self.said: dict[str, dict[str, float | str]] = {}
        self.rewards: list[bytes] = []
        client.node.create_subscription(DiagnosticArray, "metrics", self._hear, qos.EVENTS)
        client.node.create_subscription(
            UInt8MultiArray, "weights/reward", lambda message: self.rewards.append(bytes(message.data)), qos.LATCHED)

    def _hear(self, message: DiagnosticArray) -> None:
        self.said |= convert.metrics_of(message)

    def learner(self, *given: str) -> Any:
        files = share_path("config/preferences.yaml"), self._run / "quick.yaml"
        return self._start("learner_node", *(word for file in files for word in ("--params-file", str(file))),
                           "-p", f"run_folder:={self._run}", "-p", "resume:=true", *given)

    def asker(self) -> Any:
        return self._start("preference_node", "-p", f"run_folder:={self._run}", *ASKING)

    def value(self, node: str, key: str) -> float | str:
        return self.said.get(node, {}).get(key, 0.0)

    def wait(self, node: str, key: str, value: float | str, what: str) -> None:
        self._client.wait(lambda: self.value(node, key) == value, what)


def test_nodes_that_are_killed_go_on_and_the_reward_is_rebuilt_to_the_bit(start_node: Any, client: Any, tmp_path: Path) -> None:
    record(tmp_path, 3, source="demonstration")
    record(tmp_path, 4, first=3)
    graph = Graph(start_node, client, tmp_path)
    learner, asker = graph.learner(), graph.asker()
    graph.wait("preference_node", "answered", 4.0, "the first answers, before anybody learns")
    assert graph.value("preference_node", "state") == "asking" and graph.value("preference_node", "reward_version") == 0.0
    assert client.call(Trigger, "pretrain", Trigger.Request()).success
    graph.wait("learner_node", "reward_answers", 4.0, "the first fit")
    client.wait(lambda: bool(graph.value("preference_node", "reward_version")), "the reward to be heard")
    assert graph.value("preference_node", "reward_version") == graph.value("learner_node", "reward_version")
    assert isinstance(graph.value("learner_node", "reward_accuracy"), float) and graph.value("learner_node", "reward_trouble") == ""

    before = graph.rewards[-1]
    assert learner.end(signal.SIGKILL) == -signal.SIGKILL
    graph.said.pop("learner_node")
    learner = graph.learner()
    graph.wait("learner_node", "reward_answers", 4.0, "the reward of the learner that was started again")
    client.wait(lambda: len(graph.rewards) > 1, "its weights")
    assert graph.rewards[-1] == before, "the same answers, the same bits"

    assert asker.end(signal.SIGKILL) == -signal.SIGKILL
    graph.said.pop("preference_node")
    asker = graph.asker()
    client.wait(lambda: bool(graph.value("preference_node", "reward_version")), "the reward to be heard again")
    publisher = client.node.create_publisher(DiagnosticArray, "metrics", qos.EVENTS)

    def finished() -> bool:
        publisher.publish(convert.metrics("learner_node", {"learn_s": 6000.0}, 1))  # all of its time is over, so all is due
        return graph.value("preference_node", "state") == "finished"

    client.wait(finished, "the end of the budget")
    client.wait(lambda: graph.value("learner_node", "reward_answers") == 12.0, "the last fit")
    client.wait(lambda: isinstance(graph.value("preference_node", "meter"), float), "the meter")
    assert asker.end() == 0

    def frozen(alarm: str) -> bool:
        publisher.publish(convert.metrics("preference_node", {"alarm": alarm}, 1))
        return graph.value("learner_node", "frozen") == float(bool(alarm))

    client.wait(lambda: frozen("it pleases the reward, and not you"), "the learner to freeze the reward")
    client.wait(lambda: frozen(""), "the learner to go on")
    assert learner.end() == 0
    assert not any("Traceback" in line for line in (*learner.output, *asker.output))
    with Ledger(tmp_path / LEDGER, read_only=True) as ledger:
        history = ledger.history()
        assert len(ledger.active()) == 12 == len(history.queries)
        assert {"uniform", "disagreement"} == {query.strategy for query in history.queries.values()} - {"check"}


def test_a_learner_ends_in_the_middle_of_a_fit_and_keeps_what_there_is(start_node: Any, client: Any, tmp_path: Path) -> None:
    record(tmp_path, 3, source="demonstration")
    record(tmp_path, 4, first=3)
    graph = Graph(start_node, client, tmp_path)
    asker = graph.asker()
    graph.wait("preference_node", "answered", 4.0, "the first answers")
    assert asker.end() == 0
    learner = graph.learner("-p", "preference.steps:=100000000")
    assert client.call(Trigger, "pretrain", Trigger.Request()).success
    graph.wait("learner_node", "state", "ready", "the end of pretraining")
    client.quiet(0.5)  # the fit has begun, which would take days
    began = time.monotonic()
    assert learner.end() == 0 and time.monotonic() - began < 10.0, "2 s and less where nothing else runs"
    assert list((tmp_path / "checkpoint").iterdir()) and not any("Traceback" in line for line in learner.output)
