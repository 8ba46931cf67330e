"""Which nodes DDS has connected ours with, among others who listen, too."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest
import rclpy
from rclpy.context import Context
from rclpy.node import Node
from std_msgs.msg import Bool, Float32

from rewardbot.ros import qos
from rewardbot.ros.connections import UNKNOWN, Connections, from_text, to_text

pytestmark = pytest.mark.ros


@contextmanager
def node(domain: int, name: str, namespace: str) -> Iterator[Node]:
    """A node as another process would have it: found over DDS."""
    context = Context()
    rclpy.init(args=[], context=context, domain_id=domain)
    found = Node(name, namespace=namespace, context=context, start_parameter_services=False)
    try:
        yield found
    finally:
        found.destroy_node()
        rclpy.try_shutdown(context=context)


def test_texts_and_back() -> None:
    assert to_text({"job": 3, "sim_node": 12}) == "job 3, sim_node 12"
    for nodes in ({}, {"job": 3}, {"job": 3, "sim_node": 12}):
        assert from_text(to_text(nodes)) == nodes


def test_a_foreign_listener_stands_for_nobody(domain: int, client: Any) -> None:
    """A bag recorder has the topics of ours, and one that ours cannot be connected with does not hold them up."""

    def reaches(done: Callable[[], bool]) -> None:
        def look() -> bool:
            connections.look()
            assert UNKNOWN not in connections.nodes
            return done()

        client.wait(look)

    with (node(domain, "policy_node", "rewardbot") as ours, node(domain, "rosbag2_recorder", "") as foreign,
          node(domain, "foxglove_bridge", "") as mistaken):
        ours.create_publisher(Bool, "command", qos.EVENTS)
        ours.create_publisher(Bool, "frame", qos.IMAGES_OUT)
        ours.create_subscription(Bool, "answer", lambda message: None, qos.EVENTS)
        connections = Connections(ours)
        assert not connections.look() and connections.nodes == {}
        foreign.create_subscription(Bool, "/rewardbot/command", lambda message: None, qos.EVENTS)
        foreign.create_subscription(Bool, "/rewardbot/frame", lambda message: None, qos.EVENTS)  # asks for more than is offered
        mistaken.create_subscription(Float32, "/rewardbot/command", lambda message: None, qos.EVENTS)
        foreign.create_publisher(Bool, "/rewardbot/answer", qos.EVENTS)
        reaches(lambda: (connections.outward, connections.inward) == (1, 1))
        reaches(lambda: {info.node_name for info in ours.get_subscriptions_info_by_topic("/rewardbot/command")} == {
            "rosbag2_recorder", "foxglove_bridge"})
        assert connections.nodes == {}
        with node(domain, "sim_node", "rewardbot") as counterpart:
            counterpart.create_subscription(Bool, "command", lambda message: None, qos.EVENTS)
            counterpart.create_subscription(Bool, "frame", lambda message: None, qos.IMAGES_OUT)
            counterpart.create_publisher(Bool, "answer", qos.EVENTS)
            reaches(lambda: connections.nodes == {"sim_node": 3})
            assert (connections.outward, connections.inward) == (3, 2)
        reaches(lambda: connections.nodes == {})
