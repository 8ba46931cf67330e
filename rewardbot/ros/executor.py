"""A single-threaded executor whose round costs a tenth of rclpy's, which otherwise is a third of a lockstep loop.

rclpy builds its wait set anew for each message, in Python, with four events for every publisher and subscription, and wakes up a
second time after each callback. Here one wait set is used again and again, without the events, and callbacks of subscriptions
are called directly. Everything else (timers, services, clients, and the events, which warn of QoS that does not fit) is handed
to rclpy's own round as soon as any of it is ready; a timer is, several times a second.
"""

from __future__ import annotations

from typing import Any

from rclpy.executors import SingleThreadedExecutor
from rclpy.impl.implementation_singleton import rclpy_implementation
from rclpy.node import Node
from rclpy.subscription import Subscription

NS_PER_S = 1_000_000_000


class LeanExecutor(SingleThreadedExecutor):
    """For nodes whose subscriptions have plain functions as callbacks, in groups that let them run always or never."""

    def __init__(self, **arguments: Any) -> None:
        super().__init__(**arguments)
        self._known: list[Any] = []
        self._hot: dict[int, Subscription[Any]] = {}
        self._rest: tuple[list[Any], ...] = ()
        self._waits: Any = None

    def spin_once(self, timeout_sec: float | None = None) -> None:
        """Handles what is ready, or waits up to `timeout_sec` [s] for something; None: for ever.

        Of each subscription one message is handled, of everything else one piece of work.
        """
        self._refresh()
        if any(not task.done() for task, _, _ in self._tasks):  # such as the callback of a service's answer
            super().spin_once(timeout_sec=0.0)
            timeout_sec = 0.0
        waits = self._fill()
        waits.wait(-1 if timeout_sec is None else int(timeout_sec * NS_PER_S))
        for pointer in waits.get_ready_entities("subscription"):
            self._handle(self._hot[pointer])
        others = any(waits.get_ready_entities(kind) for kind in ("timer", "service", "client"))
        if others or not self._hot:
            super().spin_once(timeout_sec=0.0)

    def shutdown(self, timeout_sec: float | None = None) -> bool:
        """See `Executor.shutdown`."""
        self._known, self._hot, self._rest, self._waits = [], {}, (), None
        return super().shutdown(timeout_sec)

    def _refresh(self) -> None:
        """Notices entities that were created or destroyed."""
        nodes: list[Node] = self.get_nodes()
        present = [item for node in nodes
                   for items in (node.subscriptions, node.timers, node.services, node.clients, node.guards) for item in items]
        if self._waits is not None and present == self._known:
            return
        self._known = present
        hot = [item for node in nodes for item in node.subscriptions if item.callback_group.can_execute(item)]
        self._hot = {item.handle.pointer: item for item in hot}
        timers = [item for node in nodes for item in node.timers]
        services = [item for node in nodes for item in node.services]
        clients = [item for node in nodes for item in node.clients]
        guards = [*(item for node in nodes for item in node.guards), self._guard]
        self._rest = (timers, services, clients, guards)
        context: Any = self._context.handle
        self._waits = rclpy_implementation.WaitSet(
            len(hot), len(guards), len(timers), len(clients), len(services), 0, context)

    def _fill(self) -> Any:
        """The wait set with everything in it: waiting takes out what is not ready."""
        waits, (timers, services, clients, guards) = self._waits, self._rest
        waits.clear_entities()
        for item in self._hot.values():
            waits.add_subscription(item.handle)
        for item in timers:
            waits.add_timer(item.handle)
        for item in services:
            waits.add_service(item.handle)
        for item in clients:
            waits.add_client(item.handle)
        for item in guards:  # the last is triggered when entities come and go
            waits.add_guard_condition(item.handle)
        return waits

    @staticmethod
    def _handle(subscription: Subscription[Any]) -> None:
        taken: Any = subscription.handle.take_message(subscription.msg_type, subscription.raw)
        if taken is None:
            return
        with_info = subscription._callback_type is not Subscription.CallbackType.MessageOnly
        callback: Any = subscription.callback  # rclpy's types do not know which of the two kinds it is
        callback(*taken) if with_info else callback(taken[0])
