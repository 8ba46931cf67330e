"""A bare ROS node in a context of its own, for programs that measure."""

from __future__ import annotations

import time
from collections.abc import Callable

import rclpy
from rclpy.context import Context
from rclpy.executors import SingleThreadedExecutor
from rclpy.node import Node
from rclpy.signals import SignalHandlerOptions

from rewardbot.ros.environment import set_defaults


class Peer:
    """A node in a context of its own."""

    def __init__(self, name: str, namespace: str) -> None:
        set_defaults()
        self.context = Context()
        rclpy.init(args=[], context=self.context, signal_handler_options=SignalHandlerOptions.NO)
        self.node = Node(name, namespace=namespace, context=self.context, start_parameter_services=False)
        self.executor = SingleThreadedExecutor(context=self.context)
        self.executor.add_node(self.node)

    def wait(self, done: Callable[[], bool], seconds: float) -> bool:
        """Handles messages until `done()` or for so long; returns which."""
        until = time.monotonic() + seconds
        while not done():
            if (left := until - time.monotonic()) <= 0.0:
                return False
            self.executor.spin_once(timeout_sec=min(0.05, left))
        return True

    def close(self) -> None:
        """Takes it down."""
        self.executor.shutdown()
        self.node.destroy_node()
        rclpy.try_shutdown(context=self.context)
