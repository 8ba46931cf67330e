"""practice_node as a process: what it asks of the other nodes, in which order, and again when one of them was started anew."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from diagnostic_msgs.msg import DiagnosticArray
from rcl_interfaces.msg import SetParametersResult
from rcl_interfaces.srv import SetParametersAtomically
from std_srvs.srv import SetBool, Trigger

from rewardbot.ros import convert, qos
from tests.ros.recorded import record

pytestmark = pytest.mark.ros


class Others:
    """The other nodes, in one: they say how they are, and do what they are told."""

    def __init__(self, client: Any) -> None:
        self._client, node = client, client.node
        self.told: list[str] = []
        self.learner, self.mode, self.episode, self.process = "waiting", "idle", "", "first"
        self._metrics = node.create_publisher(DiagnosticArray, "metrics", qos.EVENTS)
        node.create_service(Trigger, "pretrain", self._pretrain)
        node.create_service(SetBool, "learn", self._learn)
        node.create_service(SetBool, "simulated_operator", self._switch)
        node.create_service(SetParametersAtomically, "policy_node/set_parameters_atomically", self._set)

    def until(self, *told: str) -> None:
        """Waits until just this has been asked since the last call."""

        def done() -> bool:
            for name, values in {"learner_node": {"state": self.learner}, "sim_node": {"process": self.process},
                                 "policy_node": {"mode": self.mode, "episode": self.episode}}.items():
                self._metrics.publish(convert.metrics(name, values, 1))
            return len(self.told) >= len(told)

        self._client.wait(done, f"{told}, not only {self.told}")
        assert self.told == list(told)
        self.told.clear()

    def _pretrain(self, request: Trigger.Request, response: Trigger.Response) -> Trigger.Response:
        self.told.append("pretrain")
        self.learner, response.success = "pretraining", True
        return response

    def _learn(self, request: SetBool.Request, response: SetBool.Response) -> SetBool.Response:
        self.told.append("learn")
        self.learner, response.success = "learning", True
        return response

    def _switch(self, request: SetBool.Request, response: SetBool.Response) -> SetBool.Response:
        self.told.append(f"operator {'on' if request.data else 'off'}")
        response.success = True
        return response

    def _set(self, request: SetParametersAtomically.Request, response: SetParametersAtomically.Response) -> Any:
        self.mode = next(one.value.string_value for one in request.parameters if one.name == "mode")
        self.told.append(self.mode)
        self.episode = "runs" if self.mode == "demonstrate" else self.episode
        response.result = SetParametersResult(successful=True)
        return response


def test_it_brings_the_others_where_they_should_be(start_node: Any, client: Any, tmp_path: Path) -> None:
    others = Others(client)
    node = start_node("practice_node", "-p", f"run_folder:={tmp_path}", "-p", "demonstrations:=2")
    others.until("operator on", "demonstrate")
    others.process = "second"
    others.until("operator on")  # the simulator was started again, and its operator is off
    record(tmp_path, 2, steps=1, source="demonstration")
    others.until("idle")
    client.quiet(0.7)
    assert others.told == [], "the operator is let to finish the episode"
    others.episode = ""
    others.until("operator off", "pretrain")
    others.learner = "ready"
    others.until("learn", "explore")
    others.learner, others.mode = "ready", "idle"  # both were started again, and the learner knows what it knew
    others.until("learn", "explore")
    assert node.end() == 0
