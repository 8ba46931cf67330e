"""The job's side of the graph: asks the nodes to do things and hears how it goes. The only node that hears true success."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Sequence
from typing import Any

import rclpy
from diagnostic_msgs.msg import DiagnosticArray
from rcl_interfaces.srv import SetParametersAtomically
from rclpy.client import Client
from rclpy.context import Context
from rclpy.executors import SingleThreadedExecutor
from rclpy.node import Node
from rclpy.parameter import Parameter
from rclpy.signals import SignalHandlerOptions
from std_msgs.msg import Bool
from std_srvs.srv import SetBool, Trigger

from rewardbot.data import decode
from rewardbot.data.decode import EpisodeEvent
from rewardbot.errors import ConfigError, RobotError
from rewardbot.ros import convert, qos
from rewardbot.ros.environment import set_defaults
from rewardbot.ros.graph import NodeStart, links
from rewardbot.ros.node import Polled, take_all_with_info
from rewardbot.ros.scores import ScoreKeeper

LISTENS = ("evaluation/success", "episode", "metrics")
"""Topics that the job subscribes to."""

SILENT_S = 5.0
"""A node without metrics for so long is shown as silent."""


class JobNode:
    """Talks to the graph in a ROS context of its own. A context manager.

    Args:
        namespace: of the graph.
        every_round: called between messages, at least ten times a second: looks after the processes and the view. What it
            raises ends the waiting.

    Attributes:
        scores: ends of episodes with true success.
        metrics: node -> the newest values.
        run: counter of the requests to policy_node.
    """

    def __init__(self, namespace: str, every_round: Callable[[], None]) -> None:
        set_defaults()
        self.scores = ScoreKeeper()
        self.metrics: dict[str, dict[str, float | str]] = {}
        self.run = 0
        self._heard: dict[str, float] = {}
        self._every_round = every_round
        self._context = Context()
        rclpy.init(args=[], context=self._context, signal_handler_options=SignalHandlerOptions.NO)
        self._node = Node("job", namespace=namespace, context=self._context, start_parameter_services=False)
        self._executor = SingleThreadedExecutor(context=self._context)
        self._executor.add_node(self._node)
        self._polled = Polled()
        self._truths = self._node.create_subscription(
            Bool, LISTENS[0], lambda message: None, qos.TRUTH, callback_group=self._polled)
        self._episodes = self._node.create_subscription(
            DiagnosticArray, LISTENS[1], lambda message: None, qos.EVENTS, callback_group=self._polled)
        self._node.create_subscription(DiagnosticArray, LISTENS[2], self._on_metrics, qos.EVENTS)
        self._clients: dict[str, Client[Any, Any]] = {}

    @property
    def node(self) -> Node:
        """The ROS node, for further subscriptions."""
        return self._node

    @property
    def polled(self) -> Polled:
        """The group for subscriptions that are emptied by hand."""
        return self._polled

    def value(self, node: str, key: str) -> float | None:
        """The newest number that a node published in its metrics."""
        value = self.metrics.get(node, {}).get(key)
        return value if isinstance(value, float) else None

    def text(self, node: str, key: str) -> str:
        """The newest text that a node published in its metrics, empty if there is none."""
        return str(self.metrics.get(node, {}).get(key, ""))

    def rates(self) -> dict[str, float | None]:
        """Node -> main rate [Hz]; None for one that fell silent."""
        now = time.monotonic()
        return {name: self.value(name, "rate_hz") if now - heard < SILENT_S else None
                for name, heard in sorted(self._heard.items())}

    def refuse_company(self, seconds: float = 0.5) -> None:
        """To be called before the nodes are started: two graphs under the same names would drive each other's robots.

        Args:
            seconds: time that other nodes are given to answer; on one machine a tenth of it is enough.

        Raises:
            ConfigError: there are nodes in our namespace already.
        """
        until = time.monotonic() + seconds
        others: list[str] = []
        while time.monotonic() < until and not others:
            self._executor.spin_once(timeout_sec=0.05)
            space = self._node.get_namespace()
            others = [name for name, where in self._node.get_node_names_and_namespaces() if where == space and name != "job"]
        if others:
            raise ConfigError(
                f"Nodes of another run are active here: {', '.join(sorted(others))} in {self._node.get_namespace()}.",
                valid=f"One graph per ROS_DOMAIN_ID; this is {os.environ.get('ROS_DOMAIN_ID', '0')}.",
                next_step="Stop the other run, or set ROS_DOMAIN_ID to another number (0 to 101) for this one.")

    def wait_connected(self, nodes: Sequence[NodeStart], timeout_s: float = 60.0) -> None:
        """Returns when the nodes and we have all found each other; a message sent before that would be lost.

        Raises:
            RobotError: not within `timeout_s`.
        """
        expected = links(nodes, listens=LISTENS)

        def connected() -> bool:
            found = {name: (self.value(name, "links_out") or 0, self.value(name, "links_in") or 0) for name in expected}
            return all(found[name][0] >= out and found[name][1] >= into for name, (out, into) in expected.items())

        self.wait(connected, timeout_s, "the nodes to find each other over DDS")

    def wait(self, done: Callable[[], bool], timeout_s: float, what: str) -> None:
        """Handles messages until `done()`.

        Raises:
            RobotError: not done after `timeout_s`; names `what` it waited for and what each node said last.
        """
        deadline = time.monotonic() + timeout_s
        while True:
            self._executor.spin_once(timeout_sec=0.02)
            self.collect()
            self._every_round()
            if done():
                return
            if time.monotonic() > deadline:
                raise RobotError(f"Waited {timeout_s:.0f} s for {what}.", valid=self._state_of_nodes(),
                                 next_step="Look at the nodes' output in nodes.log of the run folder.")

    def collect(self) -> None:
        """Takes the episode events and truths that have come."""
        for message, info in take_all_with_info(self._episodes):
            # Read after the event: all truths that were sent before it are here by now.
            self._take_truths()
            event: EpisodeEvent = decode.episode_event(message)
            if event.kind == "end":
                self.scores.ended(info["source_timestamp"], event)
        self._take_truths()

    def _take_truths(self) -> None:
        for truth, sent in take_all_with_info(self._truths):
            self.scores.truth(sent["source_timestamp"], truth.data, sent["publication_sequence_number"])

    # Asking --------------------------------------------------------------------------------------------------------------

    def set_parameters(self, node: str, values: dict[str, Any]) -> None:
        """Sets parameters of a node, all or none.

        Raises:
            RobotError: the node refuses or does not answer.
        """
        request = SetParametersAtomically.Request(
            parameters=[Parameter(name, value=value).to_parameter_msg() for name, value in values.items()])
        answer = self._call(SetParametersAtomically, f"{node}/set_parameters_atomically", request)
        if not answer.result.successful:
            raise RobotError(f"{node} refuses {values}: {answer.result.reason}")

    def request(self, mode: str, *, episodes: int = 0, actor: str = "rl", least_version: int = 0) -> int:
        """Tells policy_node what to do from the next episode on; returns the number of this request."""
        self.run += 1
        self.set_parameters("policy_node", {"mode": mode, "episodes": episodes, "actor": actor, "run": self.run,
                                            "least_version": least_version})
        return self.run

    def trigger(self, service: str, timeout_s: float = 30.0) -> str:
        """Calls a Trigger service; returns its message.

        Raises:
            RobotError: it refuses or does not answer.
        """
        return self._accepted(service, self._call(Trigger, service, Trigger.Request(), timeout_s))

    def switch(self, service: str, on: bool, timeout_s: float = 30.0) -> str:
        """Calls a SetBool service; returns its message.

        Raises:
            RobotError: it refuses or does not answer.
        """
        return self._accepted(service, self._call(SetBool, service, SetBool.Request(data=on), timeout_s))

    @staticmethod
    def _accepted(service: str, answer: Any) -> str:
        if not answer.success:
            raise RobotError(f"The service '{service}' refuses: {answer.message}")
        return answer.message

    def _call(self, kind: Any, service: str, request: Any, timeout_s: float = 30.0) -> Any:
        client = self._clients.get(service) or self._node.create_client(kind, service)
        self._clients[service] = client
        self.wait(client.service_is_ready, timeout_s, f"the service '{service}'")
        future = client.call_async(request)
        self.wait(future.done, timeout_s, f"an answer of '{service}'")
        return future.result()

    def _on_metrics(self, message: DiagnosticArray) -> None:
        now = time.monotonic()
        for name, values in convert.metrics_of(message).items():
            self.metrics[name], self._heard[name] = values, now

    def _state_of_nodes(self) -> str:
        def said(name: str) -> str:
            values = self.metrics[name]
            keys = ("state", "mode", "waiting_for", "episodes_done", "episodes_saved", "command_timeouts", "last_rejection")
            return ", ".join(f"{key} {values[key]}" for key in keys if values.get(key) not in (None, "")) or "alive"

        rates = self.rates()
        return "; ".join(f"{name}: {'silent' if rates[name] is None else said(name)}" for name in rates) or "No node was heard."

    def __enter__(self) -> JobNode:
        return self

    def __exit__(self, *exception: object) -> None:
        self._executor.shutdown()
        self._node.destroy_node()
        rclpy.try_shutdown(context=self._context)
