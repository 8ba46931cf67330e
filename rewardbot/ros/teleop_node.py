"""Drives the arm by hand: a keyboard, gamepad or SpaceMouse becomes the twists that MoveIt Servo takes, and a gripper command.

It publishes only while the dead-man switch is held. When that is let go, or the device is gone, it says once to stand still; from
then on its silence gives the arm back to whoever else commands it. Keys that conduct episodes call policy_node's services.
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import Any

import numpy as np
from geometry_msgs.msg import PoseStamped, TwistStamped
from numpy.typing import NDArray
from rclpy.task import Future
from sensor_msgs.msg import Joy
from std_msgs.msg import Float64MultiArray
from std_srvs.srv import Trigger

from rewardbot.config import setting
from rewardbot.data import decode
from rewardbot.errors import DataError
from rewardbot.robots.robot import load_contract
from rewardbot.ros import convert, params, qos
from rewardbot.ros.node import RewardbotNode, start
from rewardbot.ros.operators import GRIPPER, TWIST
from rewardbot.teleop.bindings import SERVICES
from rewardbot.teleop.device import Device
from rewardbot.teleop.devices import HELP, TABLES, DeviceName, make_stream, open_device
from rewardbot.teleop.driving import Command, Driving, DrivingSettings
from rewardbot.teleop.stream import WINDOW_TOPIC
from rewardbot.teleop.teleoperation import Teleoperation

POSE_STALE_S = 1.0
"""Age from which a tool pose does not tell the tool's axes any more [s]."""


@dataclass(frozen=True)
class TeleopSettings:
    """Read-only parameters."""

    robot: str = setting("sim_arm", "robot contract in config/robots")
    device: DeviceName = setting("joy", HELP)
    path: str = setting("", "device file of the gamepad; empty: the first of /dev/input/js*")
    joy_topic: str = setting("joy", "topic of the joy node; /joy is the one in no namespace")
    rate_hz: float = setting(30.0, "commands a second while the dead-man switch is held", min=20.0, max=50.0)
    bind: str = setting("", "other keys: action=key, separated by commas")


class TeleopNode(RewardbotNode):
    """See the module."""

    def __init__(self) -> None:
        super().__init__("teleop_node")
        self.settings = params.declare(self, TeleopSettings, self.given)
        driving = params.declare(self, DrivingSettings, self.given)
        self.contract = load_contract(self.settings.robot)
        bindings = TABLES[self.settings.device].rebound(self.settings.bind)
        self._stream = make_stream(self.settings.device, bindings)
        self._driving = Driving(self.contract.action_scale * self.contract.control_hz, driving)
        self._teleoperation = Teleoperation(self._open, bindings, self._driving)
        self._pose: tuple[float, NDArray[np.float64]] | None = None  # when it came [s]
        self._grippers = self.create_publisher(Float64MultiArray, GRIPPER, qos.COMMANDS)
        self._twists = self.create_publisher(TwistStamped, TWIST, qos.COMMANDS)
        self.create_subscription(PoseStamped, decode.TOOL_POSE, self._on_pose, qos.STATE)
        if self._stream is not None:
            topic = WINDOW_TOPIC if self.settings.device == "window" else self.settings.joy_topic
            self.create_subscription(Joy, topic, self._on_joy, qos.COMMANDS if topic == WINDOW_TOPIC else qos.JOY)
        self._conducting = {name: self.create_client(Trigger, name) for name in SERVICES.values()}
        if self.settings.device != "window":  # which shows its own
            print(bindings.help(), flush=True)
        self._step()
        self.create_timer(1.0 / self.settings.rate_hz, self._step, clock=self.steady)

    def close(self) -> None:
        """Stands still, and gives the device back."""
        if self._driving.held:
            self._publish(Command(np.zeros(3), 0.0))
        self._teleoperation.close()

    def _open(self, now: float) -> Device:
        device = self._stream.opened(now) if self._stream is not None else open_device(self.settings.device, self.settings.path)
        if device.note:
            print(device.note, flush=True)
        return device

    def _step(self) -> None:
        """One look at the device."""
        now = time.monotonic()
        before = self._driving.speed, self._driving.frame
        step = self._teleoperation.step(now, self._orientation(now))
        if step.command is not None:
            self._publish(step.command)
            self.tick()
        for service in step.services:
            self._call(service)
        if step.news:
            self._say(step.news)
        if before != (self._driving.speed, self._driving.frame):
            self._say(f"speed {self._driving.speed:.0%}, axes of the {self._driving.frame}")
        device = self._teleoperation.device
        state = {"device": self.settings.device, "connected": int(device is not None), "held": int(self._driving.held),
                 "speed": self._driving.speed, "frame": self._driving.frame}
        if any(self.metrics.get(key) != value for key, value in state.items()):
            self.metrics |= state
            self.publish_metrics()

    def _orientation(self, now: float) -> NDArray[np.float64] | None:
        if self._pose is not None and now - self._pose[0] <= POSE_STALE_S:
            return self._pose[1]
        if self._driving.frame == "tool" and self._driving.held:
            self.get_logger().warning("no tool_pose, without which the tool's axes are unknown: the arm stands still",
                                      throttle_duration_sec=5.0)
        return None

    def _publish(self, command: Command) -> None:
        self.publish(self._grippers, Float64MultiArray(data=[command.gripper]))  # before the twist, to which it belongs
        twist = TwistStamped(header=convert.header(self.get_clock().now().nanoseconds, self.contract.base_frame))
        twist.twist.linear.x, twist.twist.linear.y, twist.twist.linear.z = command.linear.tolist()
        self.publish(self._twists, twist)

    def _call(self, service: str) -> None:
        client = self._conducting[service]
        if not client.service_is_ready():
            self._say(f"nobody offers '{service}' now")
            return

        def answered(future: Future[Any]) -> None:
            answer: Any = future.result()
            self._say(f"{service}: {answer.message}" if answer.success else f"{service} was refused: {answer.message}")

        client.call_async(Trigger.Request()).add_done_callback(answered)

    def _say(self, text: str) -> None:
        self.metrics["said"] = text
        self.get_logger().info(text)
        self.publish_metrics()

    def _on_joy(self, message: Joy) -> None:
        assert self._stream is not None
        self._stream.feed(message.axes, message.buttons, time.monotonic())

    def _on_pose(self, message: PoseStamped) -> None:
        try:
            self._pose = time.monotonic(), decode.tool_pose(message, self.contract.base_frame)[3:]
        except DataError as error:
            self.get_logger().warning(str(error), throttle_duration_sec=5.0)


def main() -> None:
    """The program `teleop_node`."""
    start(TeleopNode)


if __name__ == "__main__":
    main()
