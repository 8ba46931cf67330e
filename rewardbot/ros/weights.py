"""Weights that come on a topic, for nodes that need torch for nothing but using them."""

from __future__ import annotations

from rclpy.node import Node
from std_msgs.msg import UInt8MultiArray

from rewardbot.ros import qos
from rewardbot.ros.loading import Loading


class NewestWeights:
    """The newest weights on a topic; those before them are of no use to anybody.

    Args:
        node: hears them.
        topic: where they come.
        module: what is imported to use them, see `Loading`.
    """

    def __init__(self, node: Node, topic: str, module: str) -> None:
        self._newest, self._loading = b"", Loading(module)
        self._senders = node.create_subscription(UInt8MultiArray, topic, self._on_weights, qos.LATCHED)

    @property
    def expected(self) -> bool:
        """Whether somebody is there who may send some."""
        return self._senders.get_publisher_count() > 0

    def take(self) -> bytes:
        """Those that nobody took before, as soon as the module is there; else nothing. To import it takes seconds, and begins when
        somebody is there who may send some.
        """
        if not (self._newest or self.expected) or not self._loading.done():
            return b""
        newest, self._newest = self._newest, b""
        return newest

    def _on_weights(self, message: UInt8MultiArray) -> None:
        self._newest = bytes(message.data)
