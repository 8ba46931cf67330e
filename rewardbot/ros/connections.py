"""Which nodes DDS has connected ours with: a message that is sent before that is lost.

Counts alone do not tell. A bag recorder or Foxglove listens to the same topics, and would stand for a node that is still missing.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

from rclpy.duration import Infinite
from rclpy.node import Node
from rclpy.publisher import Publisher
from rclpy.qos import LivelinessPolicy, QoSCompatibility, QoSProfile, qos_check_compatible
from rclpy.subscription import Subscription
from rclpy.topic_endpoint_info import TopicEndpointInfo

UNKNOWN = "_NODE_NAME_UNKNOWN_"
"""What DDS calls the node of a topic until its name has come, which is later."""

NAMED_EVERY_S = 1.0
"""Names are looked up when counts change, and so often in any case: one who leaves and one who comes may not change them [s]."""


def to_text(nodes: Mapping[str, int]) -> str:
    """`Connections.nodes` as a text that people can read, too: `job 3, sim_node 9`."""
    return ", ".join(f"{name} {count}" for name, count in nodes.items())


def from_text(text: str) -> dict[str, int]:
    """The inverse of `to_text`."""
    parts = [part.rsplit(" ", 1) for part in text.split(", ") if part]
    return {name: int(count) for name, count in parts}


class Connections:
    """See the module.

    Args:
        node: ours; only its topics in its own namespace count.

    Attributes:
        outward: subscriptions that our publishers have, foreign ones among them.
        inward: publishers that our subscriptions have, likewise.
        nodes: node of our namespace -> how many of its publishers and subscriptions are connected with ours.
    """

    def __init__(self, node: Node) -> None:
        self._node = node
        self.outward = self.inward = 0
        self.nodes: dict[str, int] = {}
        self._named_at, self._unclear = 0.0, True

    def look(self) -> bool:
        """Finds out how it is now; returns whether anything has changed. To be called a few times a second: it is cheap."""
        before, now = (self.outward, self.inward, self.nodes), time.monotonic()
        publishers = [item for item in self._node.publishers if self._ours(item.topic_name)]
        subscriptions = [item for item in self._node.subscriptions if self._ours(item.topic_name)]
        self.outward = sum(item.get_subscription_count() for item in publishers)
        self.inward = sum(item.get_publisher_count() for item in subscriptions)
        if self._unclear or (self.outward, self.inward) != before[:2] or now - self._named_at >= NAMED_EVERY_S:
            self._named_at, self._unclear = now, False
            found: Counter[str] = Counter()
            for item in publishers:
                others = self._node.get_subscriptions_info_by_topic(item.topic_name)
                fitting = [other for other in others if _fits(item, _filled(item.qos_profile), other, other.qos_profile)]
                found.update(self._names(fitting, item.get_subscription_count()))
            for item in subscriptions:
                others = self._node.get_publishers_info_by_topic(item.topic_name)
                fitting = [other for other in others if _fits(item, other.qos_profile, other, _filled(item.qos_profile))]
                found.update(self._names(fitting, item.get_publisher_count()))
            self.nodes = dict(sorted(found.items()))
        return (self.outward, self.inward, self.nodes) != before

    def _names(self, others: Sequence[TopicEndpointInfo], connected: int) -> list[str]:
        """Nodes of our namespace among those who are connected on a topic.

        Whose an endpoint is comes later than the endpoint; until then it is nobody's. One that was seen and fits may not be connected
        yet, and it is not known which: then nobody is.
        """
        self._unclear |= connected != len(others) or any(other.node_name == UNKNOWN for other in others)
        space = self._node.get_namespace()
        return [other.node_name for other in others if other.node_namespace == space] if connected >= len(others) else []

    def _ours(self, topic: str) -> bool:
        return topic.startswith(f"{self._node.get_namespace().rstrip('/')}/")


def _fits(item: Publisher[Any] | Subscription[Any], offered: QoSProfile, other: TopicEndpointInfo, asked: QoSProfile) -> bool:
    """Whether DDS connects them at all."""
    kind = f"{item.msg_type.__module__.partition('.')[0]}/msg/{item.msg_type.__name__}"
    return other.topic_type == kind and qos_check_compatible(offered, asked)[0] != QoSCompatibility.ERROR


def _filled(quality: QoSProfile) -> QoSProfile:
    """Ours as DDS has it, in which what we leave open has a value, so that it can be compared with others'."""
    return QoSProfile(history=quality.history, depth=quality.depth, reliability=quality.reliability, durability=quality.durability,
                      deadline=Infinite, liveliness=LivelinessPolicy.AUTOMATIC, liveliness_lease_duration=Infinite)
