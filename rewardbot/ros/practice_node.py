"""Has the robot practise without a job around the graph: the simulated operator demonstrates, the learner pretrains, and from then on
the policy explores while it learns, until the graph is stopped. Nodes that are started again are brought to where they should be.
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import Any

from diagnostic_msgs.msg import DiagnosticArray
from rcl_interfaces.srv import SetParametersAtomically
from rclpy.parameter import Parameter
from std_srvs.srv import SetBool, Trigger

from rewardbot.config import setting, user_path
from rewardbot.data.episodes import DEMONSTRATIONS
from rewardbot.ros import convert, params, qos
from rewardbot.ros.node import LONGEST_WAIT_S, RewardbotNode, start
from rewardbot.ros.practice import Demonstrations, Situation, Step, next_step, progress

SILENT_S = 3.0
"""A node without metrics for so long is away [s]."""

ANSWER_S = 10.0
"""Longest wait for the answer of a service, before it is asked again [s]."""

PAUSE_S = 0.5
"""Between two things that are asked for: metrics must tell what came of the first [s]."""

SAID_S = 5.0
"""Between two lines that say how far it is [s]."""

WORDS: dict[Step, str] = {
    "": "", "wait": "", "demonstrate": "the simulated operator demonstrates", "idle": "demonstrating is over",
    "pretrain": "the learner pretrains", "learn": "learning begins", "explore": "the policy explores"}


@dataclass(frozen=True)
class PracticeSettings:
    """Read-only parameters."""

    run_folder: str = setting("runs/up", f"folder with '{DEMONSTRATIONS}'")
    demonstrations: int = setting(10, "successful demonstrations before pretraining", min=2, max=10_000)
    simulated_operator: bool = setting(True, "sim_node's operator gives them; false: they come from elsewhere")


class PracticeNode(RewardbotNode):
    """See the module; what to do next is decided in `practice`."""

    def __init__(self) -> None:
        super().__init__("practice_node")
        self.settings = params.declare(self, PracticeSettings, self.given)
        self._demonstrations = Demonstrations(user_path(self.settings.run_folder) / DEMONSTRATIONS)
        self._heard: dict[str, tuple[float, dict[str, Any]]] = {}
        self._asked: tuple[Any, Any, float] | None = None  # client, future, when
        self._operator = self._switching = ""  # the process of sim_node whose operator is on, and will be
        self._run, self._due, self._said_at = 0, 0.0, time.monotonic()
        self._pretrain, self._learn = self.create_client(Trigger, "pretrain"), self.create_client(SetBool, "learn")
        self._switch = self.create_client(SetBool, "simulated_operator")
        self._set = self.create_client(SetParametersAtomically, "policy_node/set_parameters_atomically")
        self.create_subscription(DiagnosticArray, "metrics", self._on_metrics, qos.EVENTS)

    def work(self) -> float:
        """Asks for the next thing, one at a time."""
        now = time.monotonic()
        if self._asked is not None:
            self._answered(now)
        elif now >= self._due:
            self._due = now + PAUSE_S
            self._practise(now)
        return LONGEST_WAIT_S

    def _practise(self, now: float) -> None:
        learner, mode = self._value("learner_node", "state", now), self._value("policy_node", "mode", now)
        seen = Situation(self._demonstrations.count(), learner, mode)
        step = next_step(seen, self.settings.demonstrations, operator=self.settings.simulated_operator)
        self.metrics |= {"step": step, "demonstrations": seen.demonstrations}
        if now - self._said_at >= SAID_S:
            self._said_at = now
            learning, asked = (self._heard.get(node, (0.0, {}))[1] for node in ("learner_node", "preference_node"))
            if said := progress(seen, self.settings.demonstrations, learning, asked):
                self.get_logger().info(said)
        if step == "wait":
            missing = [node for node, value in (("learner_node", learner), ("policy_node", mode)) if not value]
            self.metrics["waiting_for"] = ", ".join(missing) or f"{self.settings.demonstrations - seen.demonstrations} demonstrations"
            return
        self.metrics["waiting_for"] = ""
        demonstrates = learner == "waiting" and step in ("", "demonstrate")
        process = self._value("sim_node", "process", now) if self.settings.simulated_operator else ""
        if process and step != "idle" and demonstrates != (self._operator == process):
            if demonstrates or not self._value("policy_node", "episode", now):  # before a policy explores, or he would take over
                self._switching = process if demonstrates else ""
                self._ask(self._switch, SetBool.Request(data=demonstrates), now)
        elif step in ("demonstrate", "idle", "explore"):
            self._run += 1
            values = {"mode": step, "episodes": 0, "run": self._run}
            self._ask(self._set, SetParametersAtomically.Request(
                parameters=[Parameter(name, value=value).to_parameter_msg() for name, value in values.items()]), now)
        elif step == "pretrain":
            self._ask(self._pretrain, Trigger.Request(), now)
        elif step == "learn":
            self._ask(self._learn, SetBool.Request(data=True), now)
        if self._asked is not None and WORDS[step] and self.metrics.get("said") != WORDS[step]:
            self.metrics["said"] = WORDS[step]
            self.get_logger().info(WORDS[step])

    def _ask(self, client: Any, request: Any, now: float) -> None:
        if client.service_is_ready():
            self._asked = client, client.call_async(request), now

    def _answered(self, now: float) -> None:
        assert self._asked is not None
        client, future, since = self._asked
        if future.done():
            self._asked = None
            answer = future.result()
            accepted = answer.result.successful if hasattr(answer, "result") else answer.success
            if client is not self._switch:  # what the node said before it answered no longer holds
                self._heard.pop("policy_node" if client is self._set else "learner_node", None)
            elif accepted:
                self._operator = self._switching
            if not accepted:
                reason = answer.result.reason if hasattr(answer, "result") else answer.message
                self.get_logger().warning(f"{client.srv_name}: {reason}", throttle_duration_sec=5.0)
            self._due = now + PAUSE_S
        elif now - since > ANSWER_S:  # whoever was asked is gone
            client.remove_pending_request(future)
            self._asked = None

    def _value(self, node: str, key: str, now: float) -> str:
        at, values = self._heard.get(node, (0.0, {}))
        return str(values.get(key, "")) if now - at < SILENT_S or values.get("state") == "pretraining" else ""

    def _on_metrics(self, message: DiagnosticArray) -> None:
        for node, values in convert.metrics_of(message).items():
            self._heard[node] = time.monotonic(), values


def main() -> None:
    """The program `practice_node`."""
    start(PracticeNode)


if __name__ == "__main__":
    main()
