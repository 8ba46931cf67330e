"""The job's side of the graph: asks the nodes to do things and hears how it goes. The only node that hears true success."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
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
from rewardbot.errors import ConfigError, RewardbotError, RobotError
from rewardbot.ros import convert, qos
from rewardbot.ros.connections import from_text
from rewardbot.ros.environment import check_domain, check_shared_memory, set_defaults
from rewardbot.ros.graph import GUESTS, NodeStart, links
from rewardbot.ros.node import VERSION, Polled, take_all_with_info
from rewardbot.ros.scores import ScoreKeeper

OWNERS = {"pretrain": "learner_node", "learn": "learner_node", "save": "learner_node", "simulated_operator": "sim_node"}
"""Service -> the node that offers it."""

LISTENS = ("evaluation/success", "episode", "metrics")
"""Topics that the job subscribes to."""

SILENT_S = 5.0
"""A node without metrics for so long is shown as silent, and named as the one that is waited for."""

STARTING_S = 30.0
"""A node that was never heard is shown likewise; a warning comes only after so long, for it may still be starting."""

RESEND_S = 3.0
"""A request is sent again when there is no answer after this time: the node that was to answer may have died [s]."""

MOST_AT_ONCE = 20
"""Messages that are handled in a row; twice what the nodes of a graph say in a second."""

RETRY_S = 0.5
"""Time until a node that is not ready yet for what it shall do is asked again [s]."""


class _TooLate(RobotError):
    """What was waited for did not happen in time."""


@dataclass
class _Wish:
    """Something that a node is to be told, and told again in each new process of it.

    Attributes:
        told: the process that has accepted it.
        refusal: what the node said when it last refused.
        attempts: how often it was sent.
    """

    node: str
    kind: Any
    service: str
    request: Any
    told: str = ""
    refusal: str = ""
    asked: str = ""
    future: Any = None
    again_at: float = 0.0
    attempts: int = 0


class JobNode:
    """Talks to the graph in a ROS context of its own. A context manager.

    Args:
        namespace: of the graph.
        every_round: called between messages, at least ten times a second: looks after the processes and the view. What it
            raises ends the waiting.
        names: of the nodes that we start. Others may come from elsewhere, such as an operator's device or the learner of another
            machine; None: none may.
        is_ours: whether a process id is that of a node that we started.
        log: told what a person should know, a line each.

    Attributes:
        scores: ends of episodes with true success.
        metrics: node -> the newest values.
        run: counter of the requests to policy_node.
        expected: names of the nodes that should be there.
    """

    def __init__(
        self, namespace: str, every_round: Callable[[], None], *, names: Collection[str] | None = None,
        is_ours: Callable[[int], bool] = lambda pid: True, log: Callable[[str], None] = lambda line: None,
    ) -> None:
        set_defaults()
        check_domain()
        check_shared_memory()
        self.scores = ScoreKeeper()
        self.metrics: dict[str, dict[str, float | str]] = {}
        self.run = 0
        self.expected: list[str] = []
        self._heard: dict[str, float] = {}
        self._every_round, self._names, self._is_ours, self._log = every_round, names, is_ours, log
        self._since: dict[str, float] = {}  # when a node's present process was first heard
        self._links: dict[str, dict[str, int]] = {}
        self._wishes: dict[str, _Wish] = {}
        self._stranger: RewardbotError | None = None
        self._named: dict[str, bool] = {}  # who was said to be absent, and whether he had been heard before
        self._began = time.monotonic()
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

    def process(self, node: str) -> str:
        """The present process of a node, empty before it was heard; another one after each start."""
        return self.text(node, "process")

    def absent(self) -> list[str]:
        """Nodes that have said nothing for 5 s although they are expected; see `expected`."""
        now = time.monotonic()
        return [name for name in self.expected if now - self._heard.get(name, self._began) > SILENT_S]

    def rates(self) -> dict[str, float | None]:
        """Node -> main rate [Hz]; None for one that fell silent."""
        now = time.monotonic()
        return {name: self.value(name, "rate_hz") if now - heard < SILENT_S else None
                for name, heard in sorted(self._heard.items())}

    def refuse_strangers(self) -> None:
        """To be called while the nodes run, if not in `wait`: what `refuse_company` did not see in time is heard by now.

        Raises:
            ConfigError: there is a node that is not ours, or one of another version.
        """
        for _ in range(MOST_AT_ONCE):
            self._executor.spin_once(timeout_sec=0.0)
        if self._stranger is not None:
            raise self._stranger

    def refuse_company(self, seconds: float = 1.0, patience_s: float = 5.0) -> None:
        """To be called before the nodes are started: two graphs under the same names would drive each other's robots.

        Args:
            seconds: time that other nodes are given to answer; on one quiet machine a tenth of it is enough.
            patience_s: time that they are given to go away: those of a job that was killed end by themselves, but not at once.

        Raises:
            ConfigError: there are nodes in our namespace already.
        """
        begun = time.monotonic()
        while True:
            self._executor.spin_once(timeout_sec=0.05)
            space, elapsed = self._node.get_namespace(), time.monotonic() - begun
            nodes = self._node.get_node_names_and_namespaces()
            others = [name for name, where in nodes if where == space
                      and (nodes.count((name, where)) > 1 if name == "job" else self._only_ours(name))]
            if others and elapsed > seconds + patience_s:
                raise self._company(", ".join(sorted(set(others))))
            if not others and elapsed > seconds:
                return

    def _only_ours(self, name: str) -> bool:
        return name not in GUESTS and (self._names is None or name in self._names)

    def _company(self, names: str) -> ConfigError:
        return ConfigError(
            f"Nodes of another run are active here: {names} in {self._node.get_namespace()}.",
            valid=f"One graph per ROS_DOMAIN_ID; this is {os.environ.get('ROS_DOMAIN_ID', '0')}.",
            next_step="Stop the other run, or set ROS_DOMAIN_ID to another number (0 to 101) for this one.")

    def wait_connected(self, nodes: Sequence[NodeStart], timeout_s: float = 60.0) -> None:
        """Returns when the nodes and we have all found each other; a message sent before that would be lost.

        Raises:
            RobotError: not within `timeout_s`.
        """
        self._links = links(nodes, asker=self._node.get_name(), listens=LISTENS)
        self.wait(lambda: all(map(self._complete, self._links)), timeout_s, "the nodes to find each other over DDS")

    def connected(self, node: str) -> bool:
        """Whether a node's present process has found all its counterparts, or has had 5 s for it: one of them may be away."""
        return self._complete(node) or time.monotonic() - self._since[node] > SILENT_S

    def _complete(self, node: str) -> bool:
        found = from_text(self.text(node, "linked"))
        return all(found.get(other, 0) >= count for other, count in self._links[node].items())

    def wait(self, done: Callable[[], bool], timeout_s: float, what: str) -> None:
        """Handles messages until `done()`.

        Nodes that were started anew are told again what they shall do, and absent ones are named.

        Raises:
            RobotError: not done after `timeout_s`; names `what` it waited for and what each node said last.
            ConfigError: there is a node that is not ours, or one of another version.
        """
        deadline = time.monotonic() + timeout_s
        while True:
            self._executor.spin_once(timeout_sec=0.02)
            self.collect()
            self._every_round()
            if self._stranger is not None:
                raise self._stranger
            for wish in list(self._wishes.values()):
                self._tell(wish)
            self._name_absent()
            if done():
                return
            if time.monotonic() > deadline:
                raise _TooLate(f"Waited {timeout_s:.0f} s for {what}.", valid=self.state_of_nodes(),
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

    def set_parameters(self, node: str, values: dict[str, Any], *, keep: bool = False, timeout_s: float = 30.0) -> None:
        """Sets parameters of a node, all or none.

        Args:
            node: its name.
            values: parameter -> value.
            keep: set them again whenever the node is started anew.
            timeout_s: longest time until it has done so [s].

        Raises:
            RobotError: the node refuses or does not answer.
        """
        request = SetParametersAtomically.Request(
            parameters=[Parameter(name, value=value).to_parameter_msg() for name, value in values.items()])
        service = f"{node}/set_parameters_atomically"
        self._ask(_Wish(node, SetParametersAtomically, service, request), keep, timeout_s, f"{node} refuses {values}")

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
        return self._ask(_Wish(OWNERS[service], Trigger, service, Trigger.Request()), False, timeout_s,
                         f"The service '{service}' refuses").message

    def switch(self, service: str, on: bool, *, keep: bool = False, timeout_s: float = 30.0) -> str:
        """Calls a SetBool service; returns its message.

        Args:
            service: its name.
            on: what to switch to.
            keep: switch again whenever the node is started anew, as soon as it can.
            timeout_s: longest time until it has done so [s].

        Raises:
            RobotError: it refuses or does not answer.
        """
        return self._ask(_Wish(OWNERS[service], SetBool, service, SetBool.Request(data=on)), keep, timeout_s,
                         f"The service '{service}' refuses").message

    def _ask(self, wish: _Wish, keep: bool, timeout_s: float, refusal: str) -> Any:
        """Asks until there is an answer, of a later process if the node dies meanwhile; returns the answer."""
        self._wishes.pop(wish.service, None)  # what was wished before is no longer
        found: list[Any] = []

        def answered() -> bool:
            if (answer := self._tell(wish)) is not None:
                found.append(answer)
            return bool(found)

        try:
            self.wait(answered, timeout_s, f"an answer of '{wish.service}'")
        except _TooLate as error:
            seen = self._node.count_services(wish.service)
            raise _TooLate(f"{error.what} Asked {wish.attempts} times; {seen} of it are seen.", valid=error.valid,
                           next_step=error.next_step) from error
        if wish.refusal:
            raise RobotError(f"{refusal}: {wish.refusal}")
        if keep:
            self._wishes[wish.service] = wish
        return found[-1]

    def _tell(self, wish: _Wish) -> Any:
        """Sends the wish if the node's present process has not accepted it; returns an answer when one has come."""
        now, process = time.monotonic(), self.process(wish.node)
        if wish.future is not None and wish.future.done():
            answer, wish.future = wish.future.result(), None
            accepted = answer.result.successful if hasattr(answer, "result") else answer.success
            wish.refusal = "" if accepted else (answer.result.reason if hasattr(answer, "result") else answer.message)
            wish.told, wish.again_at = wish.asked if accepted else "", now + RETRY_S
            return answer
        if wish.future is not None and (now > wish.again_at or process != wish.asked):
            self._clients[wish.service].remove_pending_request(wish.future)
            wish.future = None
        if wish.future is None and process and wish.told != process and now >= wish.again_at:
            client = self._clients.get(wish.service) or self._node.create_client(wish.kind, wish.service)
            self._clients[wish.service] = client
            if client.service_is_ready():
                wish.future, wish.asked, wish.again_at = client.call_async(wish.request), process, now + RESEND_S
                wish.attempts += 1
        return None

    def _name_absent(self) -> None:
        patient = time.monotonic() - self._began <= STARTING_S
        absent = {name: name in self._heard for name in self.absent() if name in self._heard or not patient}
        for name in sorted(absent.keys() - self._named.keys()):
            self._log(f"waiting for {name}: it has said nothing "
                      + (f"for {SILENT_S:.0f} s" if absent[name] else f"since the start, {STARTING_S:.0f} s ago"))
        for name in sorted(self._named.keys() - absent.keys()):
            self._log(f"{name} is {'back' if self._named[name] else 'there'}")
        self._named = absent

    def _on_metrics(self, message: DiagnosticArray) -> None:
        now = time.monotonic()
        for name, values in convert.metrics_of(message).items():
            if values.get("process") != self.metrics.get(name, {}).get("process"):
                self._since[name] = now
            self.metrics[name], self._heard[name] = values, now
            if name in GUESTS:
                continue
            version, pid = values.get("rewardbot", "of an earlier version"), str(values.get("process", "")).partition("-")[0]
            if version != VERSION:
                self._stranger = ConfigError(
                    f"{name} in {self._node.get_namespace()} is another rewardbot: {version}.",
                    valid=f"This is {VERSION}, and all nodes of a graph must be of one version.",
                    next_step="Stop it, or set ROS_DOMAIN_ID to another number (0 to 101) for this graph.")
            elif self._only_ours(name) and pid.isdigit() and not self._is_ours(int(pid)):
                self._stranger = self._company(name)

    def state_of_nodes(self) -> str:
        """What each node said last, for an error."""
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
