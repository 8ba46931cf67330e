"""What listens to teleop_node in tests."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from diagnostic_msgs.msg import DiagnosticArray
from geometry_msgs.msg import PoseStamped, TwistStamped
from std_msgs.msg import Float64MultiArray
from std_srvs.srv import Trigger

from rewardbot.data import decode
from rewardbot.robots.robot import load_contract
from rewardbot.ros import convert, qos
from rewardbot.types import Observation

CONTRACT = load_contract()
FULL = CONTRACT.action_scale * CONTRACT.control_hz


class Arm:
    """Listens as policy_node does, and offers the services that teleop_node calls."""

    def __init__(self, client: Any) -> None:
        self.client = client
        self.twists: list[TwistStamped] = []
        self.grippers: list[float] = []
        self.called: list[str] = []
        self._metrics: dict[str, Any] = {}
        node = client.node
        node.create_subscription(TwistStamped, "teleop/delta_twist_cmds", self.twists.append, qos.COMMANDS)
        node.create_subscription(
            Float64MultiArray, "teleop/gripper", lambda message: self.grippers.append(message.data[0]), qos.COMMANDS)
        node.create_subscription(
            DiagnosticArray, "metrics", lambda message: self._metrics.update(convert.metrics_of(message)), qos.EVENTS)
        self._pose = node.create_publisher(PoseStamped, decode.TOOL_POSE, qos.STATE)
        for service in ("episode/start", "stop"):
            node.create_service(Trigger, service, lambda request, response, name=service: self._on_call(name, response))

    def metric(self, key: str) -> Any:
        return self._metrics.get("teleop_node", {}).get(key)

    def forget(self) -> None:
        self._metrics.clear()

    def wait(self, done: Callable[[], bool], what: str) -> None:
        self.client.wait(done, what)

    def driven(self) -> list[float]:
        """The newest velocity, as shares of a full action."""
        if not self.twists:
            return []
        linear = self.twists[-1].twist.linear
        return [round(value / FULL, 6) for value in (linear.x, linear.y, linear.z)]

    def wait_driven(self, *expected: float) -> None:
        self.wait(lambda: self.driven() == list(expected), str(expected))

    def wait_silent(self) -> None:
        """Waits for the word to stand still, and until nothing more is published; it must have been the last one."""
        def standing() -> bool:
            return self.driven() == [0.0, 0.0, 0.0] and self.grippers[-1] == 0.0

        self.wait(standing, "the word to stand still")
        known = -1
        while known != len(self.twists):
            known = len(self.twists)
            self.client.quiet(0.2)
        assert standing()

    def show_tool(self, orientation: list[float]) -> None:
        images = {name: np.zeros((camera.height, camera.width, 3), np.uint8) for name, camera in CONTRACT.cameras.items()}
        seen = Observation(0.0, images, np.zeros(7), np.zeros(7), np.array([0.5, 0.0, 0.2, *orientation]), 1.0)
        self._pose.publish(convert.tool_pose(CONTRACT, seen, 0))

    def _on_call(self, name: str, response: Trigger.Response) -> Trigger.Response:
        self.called.append(name)
        response.success, response.message = name == "stop", "because"
        return response
