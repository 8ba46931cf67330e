"""What every node of ours shares: start, ready line, metrics, errors with exit code 2, and an ordered end.

The default of rclpy (its own signal handlers and `spin`) ends with an error in a fifth of all SIGTERMs. Here the signal only
sets a flag, the loop sees it between two callbacks, and everything is taken down in order, once, in one place.
"""

from __future__ import annotations

import os
import signal
import sys
import time
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, nullcontext
from itertools import takewhile
from types import FrameType
from typing import Any, NoReturn

import rclpy
from rclpy.callback_groups import CallbackGroup
from rclpy.clock import Clock
from rclpy.clock_type import ClockType
from rclpy.exceptions import ParameterException
from rclpy.impl.implementation_singleton import rclpy_implementation
from rclpy.node import Node
from rclpy.publisher import Publisher
from rclpy.qos import QoSProfile
from rclpy.signals import SignalHandlerOptions
from rclpy.subscription import MessageInfo, Subscription
from rclpy.utilities import remove_ros_args

import rewardbot
from rewardbot.errors import ConfigError, RewardbotError
from rewardbot.ros import convert, params, qos
from rewardbot.ros.connections import Connections, to_text
from rewardbot.ros.environment import PARENT_VARIABLE, check_domain, check_shared_memory, set_defaults
from rewardbot.ros.executor import LeanExecutor
from rewardbot.ros.ports import own_ports

NAMESPACE = "rewardbot"
READY = "ready:"
PROCESS = f"{os.getpid()}-{time.time_ns():x}"
"""Another in every process, so that others see that a node was started again."""

VERSION = f"v{rewardbot.__version__}"
"""Ours, in metrics as `rewardbot`: `version` is that of the weights."""

LONGEST_WAIT_S = 0.1
RCLError = rclpy_implementation.RCLError


class RewardbotNode(Node):
    """A node with metrics at 1 Hz, checked parameters and a hook for work between callbacks.

    Args:
        name: default name; `-r __node:=` changes it.
    """

    def __init__(self, name: str) -> None:
        # Parameters given from outside appear first as they are; `params` then takes them over one by one, checked, and
        # whatever is left over at the end is a spelling mistake.
        super().__init__(name, namespace=NAMESPACE, automatically_declare_parameters_from_overrides=True)
        self.metrics: dict[str, float | int | str] = {"process": PROCESS, "rewardbot": VERSION}
        self.given = params.take_overrides(self)
        self.steady = Clock(clock_type=ClockType.STEADY_TIME)
        self.stopping: Callable[[], bool] = lambda: False
        """Whether the process was asked to end; long work asks it."""
        self._ticks, self._counted_from, self._told_at = 0, time.monotonic(), 0.0
        self._metrics_publisher = self.create_publisher(convert.METRICS_TYPE, "metrics", qos.EVENTS)
        self._connections = Connections(self)
        self.create_timer(0.2, self._metrics_due, clock=self.steady)

    def work(self) -> float:
        """Called between callbacks; does a piece of the node's own work and returns how long to wait for a message [s]."""
        return LONGEST_WAIT_S

    def close(self) -> None:
        """Frees what the node holds. Called once, at the end, while publishers still work."""

    def tick(self) -> None:
        """Counts one unit of the node's main work; its rate is published as `rate_hz`."""
        self._ticks += 1

    def publish_metrics(self) -> None:
        """Publishes `metrics` now; otherwise this happens every second."""
        now = time.monotonic()
        if now - self._counted_from >= 0.5:
            self.metrics["rate_hz"] = round(self._ticks / (now - self._counted_from), 2)
            self._ticks, self._counted_from = 0, now
        self._told_at = now
        self._connections.look()
        self.metrics |= {"links_out": self._connections.outward, "links_in": self._connections.inward,
                         "linked": to_text(self._connections.nodes)}
        stamp = self.get_clock().now().nanoseconds
        self.publish(self._metrics_publisher, convert.metrics(self.get_name(), self.metrics, stamp))

    def say_again(self) -> None:
        """Publishes `metrics` once more as they are, from any thread, about every second: the node is at long work, and lives."""
        now = time.monotonic()
        if now - self._told_at >= 0.95:
            self._told_at = now
            said = convert.metrics(self.get_name(), dict(self.metrics), self.get_clock().now().nanoseconds)
            self.publish(self._metrics_publisher, said)

    def subscribe_raw(self, kind: Any, topic: str, callback: Callable[[bytes], None], quality: QoSProfile) -> Subscription[Any]:
        """A subscription that gets the serialised (CDR) messages as they are."""
        given: Any = callback  # rclpy's types do not know that a raw subscription gets bytes
        return self.create_subscription(kind, topic, given, quality, raw=True)

    def _metrics_due(self) -> None:
        """Every second, and sooner when a counterpart was found: whoever starts the graph waits for that."""
        if self._connections.look() or time.monotonic() - self._told_at >= 0.95:
            self.publish_metrics()

    def publish(self, publisher: Publisher[Any], message: Any) -> None:
        """Publishes; a message that DDS refuses (its queue is full) is counted in `publish_failures`, not fatal."""
        try:
            publisher.publish(message)
        except RCLError as error:
            failures = int(self.metrics.get("publish_failures", 0)) + 1
            self.metrics["publish_failures"] = failures
            self.get_logger().warning(f"{publisher.topic_name}: {error} ({failures} so far)", throttle_duration_sec=5.0)


def take_all(subscription: Subscription[Any]) -> list[Any]:
    """Every message that waits in the subscription's queue now, oldest first, without going through the executor.

    Topics are delivered independently, so a callback may run while an *earlier* message of another topic still waits. This
    takes it, where the order matters. It is also much cheaper per message than the executor's round.
    """
    return [message for message, _ in take_all_with_info(subscription)]


def take_all_with_info(subscription: Subscription[Any]) -> list[tuple[Any, MessageInfo]]:
    """As `take_all`, each message with its info, such as the time of sending."""
    taken: list[tuple[Any, MessageInfo]] = []
    handle = subscription.handle
    with handle:
        while (item := handle.take_message(subscription.msg_type, subscription.raw)) is not None:
            taken.append(item)
    return taken


class Polled(CallbackGroup):
    """A group of subscriptions that the executor leaves alone: they are emptied with `take_all`."""

    def can_execute(self, entity: Any) -> bool:
        return False

    def beginning_execution(self, entity: Any) -> bool:
        return False

    def ending_execution(self, entity: Any) -> None:
        pass


class Signals:
    """SIGINT and SIGTERM as a flag, and the end of the process that started us as another."""

    def __init__(self) -> None:
        self._asked = False
        parent = os.environ.get(PARENT_VARIABLE, "")
        self._parent = int(parent) if parent.isdigit() else None
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, self._handle)

    def _handle(self, number: int, frame: FrameType | None) -> None:
        self._asked = True

    def stopping(self) -> bool:
        """True from the first signal on, or when the starter is gone (killed, so that it could not tell us)."""
        return self._asked or (self._parent is not None and os.getppid() != self._parent)


def run(make: Callable[[], RewardbotNode], arguments: Sequence[str] | None = None) -> int:
    """Runs one node until a signal comes; returns the exit code. See `serve`."""
    return serve(make, Signals().stopping, arguments, around=own_ports())


def serve(
    make: Callable[[], RewardbotNode], stopping: Callable[[], bool], arguments: Sequence[str] | None = None, *,
    around: AbstractContextManager[None] | None = None,
) -> int:
    """Runs one node until `stopping()`; returns the exit code. Unlike `run` in any thread.

    Args:
        make: creates the node, after rclpy is up.
        stopping: asked ten times a second.
        arguments: command line after the program's name, `sys.argv[1:]` if not given.
        around: entered while the node is made.

    Returns:
        0 when it was stopped; 2 after a `RewardbotError`, whose text is then on stderr.
    """
    set_defaults()
    node: RewardbotNode | None = None
    executor: LeanExecutor | None = None
    try:
        with around or nullcontext():
            _init(sys.argv[1:] if arguments is None else arguments)
            executor = LeanExecutor()
            node = _make(make)
        node.stopping = stopping
        executor.add_node(node)
        print(f"{READY} {node.get_name()}", flush=True)
        while not stopping():
            executor.spin_once(timeout_sec=node.work())
    except Interrupted:
        pass
    except RewardbotError as error:
        print(f"{node.get_name() if node else 'error'}: {error}", file=sys.stderr, flush=True)
        return error.exit_code
    finally:
        if node is not None:
            node.close()
        if executor is not None:
            executor.shutdown()
        if node is not None:
            node.destroy_node()
        rclpy.try_shutdown()
    return 0


class Interrupted(Exception):
    """Raised by a node out of long work because `stopping` was true; ends the process in order, with exit code 0."""


def start(make: Callable[[], RewardbotNode]) -> NoReturn:
    """`run` as the whole of a program."""
    leave(run(make))


def leave(code: int) -> NoReturn:
    """Ends the process at once; by now all is taken down in order.

    What Python would still do is to collect, one by one, what torch and rclpy are made of: 0.6 s of a core for each node, more than
    10 s when a busy machine ends a graph, and meanwhile a signal kills as if nobody had handled it.
    """
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code)


def _init(arguments: Sequence[str]) -> None:
    check_domain()
    check_shared_memory()
    form = "They have the form --ros-args -p name:=value --params-file FILE -r from:=to."
    try:
        # rcl still takes `name:=value` alone, as a remapping, where a parameter is meant.
        if left := [*takewhile(lambda argument: argument != "--ros-args", arguments)] or remove_ros_args(args=["", *arguments])[1:]:
            raise ConfigError(f"'{left[0]}' is no argument of a node.", next_step=form)
        rclpy.init(args=[sys.argv[0], *arguments], signal_handler_options=SignalHandlerOptions.NO)
    except (RCLError, RuntimeError) as error:
        raise ConfigError(f"The ROS arguments cannot be used: {_first_line(error)}", next_step=form) from None


def _make(make: Callable[[], RewardbotNode]) -> RewardbotNode:
    try:
        node = make()
    except ParameterException as error:
        raise ConfigError(f"A parameter cannot be used: {_first_line(error)}") from None
    try:
        params.refuse_unknown(node, node.given)
    except RewardbotError:
        node.close()
        node.destroy_node()
        raise
    return node


def _first_line(error: Exception) -> str:
    return " ".join(str(error).split())[:400]
