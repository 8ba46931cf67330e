"""A robot that only pretends: cameras, joints and actions at their rates in real time, episode after episode. For measurements."""

from __future__ import annotations

import heapq
import json
import time
import uuid
from dataclasses import dataclass
from typing import Any

import numpy as np
from diagnostic_msgs.msg import DiagnosticArray
from geometry_msgs.msg import PoseStamped
from numpy.typing import NDArray
from rclpy.publisher import Publisher
from rclpy.qos import QoSProfile
from rclpy.serialization import serialize_message
from sensor_msgs.msg import Image, JointState

from rewardbot.config import setting
from rewardbot.data import decode
from rewardbot.robots.robot import CameraContract, RobotContract, load_contract
from rewardbot.ros import convert, params, qos
from rewardbot.ros.node import LONGEST_WAIT_S, RewardbotNode, start
from rewardbot.types import EpisodeInfo, Observation

PICTURES = 15
"""Different images of each camera, shown in turn."""

LATEST_S = 0.2
"""What is due for longer is not sent any more [s], as a camera keeps no old frames."""

LISTENER = "recorder_node"


@dataclass(frozen=True)
class PretendedSettings:
    """Read-only parameters."""

    robot: str = setting("sim_arm", "robot contract in config/robots, or a YAML file; its control_hz is the cameras' rate, too")
    joint_hz: float = setting(100.0, "rate of joint states and tool poses [Hz]", min=1.0, max=1000.0)
    episode_s: float = setting(3.0, "length of an episode [s]", min=0.1)
    pause_s: float = setting(0.3, "time between episodes [s]", min=0.0)
    episodes: int = setting(0, "how many episodes; 0: without end", min=0)


class PretendedRobot(RewardbotNode):
    """See the module. It begins when a recorder has found every topic, and prints a line of JSON then and at each start and end.

    Each message has the stamp of the moment at which it was due, by the wall clock. An end says how many messages of each
    topic the episode has, and the stamp of each control tick with the time at which all of its messages were sent [ns].
    """

    def __init__(self) -> None:
        super().__init__("pretended_robot")
        self.settings = params.declare(self, PretendedSettings, self.given)
        contract = self.contract = load_contract(self.settings.robot)
        self._name = uuid.uuid4().hex[:8]
        self._control_ns = round(decode.NS_PER_S / contract.control_hz)
        self._joint_ns = round(decode.NS_PER_S / self.settings.joint_hz)
        self._steps = max(1, round(self.settings.episode_s * contract.control_hz))
        self._pause = round(self.settings.pause_s * contract.control_hz)
        states = (decode.JOINT_STATES, decode.REQUESTED_ACTION, decode.APPLIED_ACTION)
        kinds: dict[str, tuple[Any, QoSProfile]] = {
            decode.EPISODE: (DiagnosticArray, qos.EVENTS), decode.TOOL_POSE: (PoseStamped, qos.STATE),
            **dict.fromkeys(states, (JointState, qos.STATE)),
            **{decode.camera_topic(name): (Image, qos.IMAGES_OUT) for name in contract.cameras}}
        self._outputs: dict[str, Publisher[Any]] = {
            topic: self.create_publisher(kind, topic, quality) for topic, (kind, quality) in kinds.items()}
        self._contents = _contents(contract)
        self._linked: set[str] = set()  # recorders that have found every topic, by their processes
        self.create_subscription(DiagnosticArray, "metrics", self._on_metrics, qos.EVENTS)
        self._due: list[tuple[int, bool]] = []  # stamp [ns], whether it is the control's
        self._tick = self._done = 0
        self._begun: int | None = None  # the control tick at which the present episode began
        self._start_ns = 0
        self._sent: dict[str, list[int]] = {topic: [] for topic in kinds}  # stamps [ns]
        self._ticks_sent: list[tuple[int, int]] = []

    def work(self) -> float:
        """Sends what is due."""
        if not self._due:
            if not self._linked:
                return LONGEST_WAIT_S
            self._plan()
        late = time.time_ns() - self._due[0][0]
        if late > LATEST_S * decode.NS_PER_S:
            self._plan()
        elif late >= 0:
            stamp, control = heapq.heappop(self._due)
            heapq.heappush(self._due, (stamp + (self._control_ns if control else self._joint_ns), control))
            if control:
                self._control(stamp)
            else:
                self._send(stamp, decode.JOINT_STATES, decode.TOOL_POSE)
        return min(LONGEST_WAIT_S, max(0.0, (self._due[0][0] - time.time_ns()) / decode.NS_PER_S))

    def _on_metrics(self, message: DiagnosticArray) -> None:
        told = convert.metrics_of(message).get(LISTENER, {})
        if float(told.get("links_in", 0)) >= len(self._outputs) and (process := str(told["process"])) not in self._linked:
            self._linked.add(process)
            _say({"kind": "linked"})

    def _plan(self) -> None:
        first = time.time_ns() + self._control_ns
        self._due = [(first, False), (first, True)]

    def _control(self, stamp: int) -> None:
        self._tick += 1
        if self._begun is None and self._tick > self._pause and self._done != (self.settings.episodes or -1):
            self._begun, self._start_ns, self._ticks_sent = self._tick, stamp, []
            self._sent = {topic: [sent for sent in stamps if sent >= stamp] for topic, stamps in self._sent.items()}
            self._announce("start", stamp)
        self._send(stamp, *map(decode.camera_topic, self.contract.cameras))
        if self._begun is None:
            return
        running = self._tick - self._begun < self._steps
        if running:
            self._send(stamp, decode.REQUESTED_ACTION, decode.APPLIED_ACTION)
        self._ticks_sent.append((stamp, time.time_ns()))
        if not running:
            self._announce("end", stamp)
            self._begun, self._tick, self._done = None, 0, self._done + 1

    def _send(self, stamp: int, *topics: str) -> None:
        for topic in topics:
            contents = self._contents[topic]
            content = contents[self._tick % len(contents)]
            content[4:12] = b"".join(part.to_bytes(4, "little") for part in divmod(stamp, decode.NS_PER_S))  # behind CDR's header
            self.publish(self._outputs[topic], bytes(content))
            self._sent[topic].append(stamp)

    def _announce(self, kind: str, stamp: int) -> None:
        name = f"pretended-{self._name}-{self._done:05d}"
        info = EpisodeInfo(name, "none", self.contract.name, "demonstration", success=True if kind == "end" else None)
        steps = self._steps if kind == "end" else None
        self.publish(self._outputs[decode.EPISODE], convert.episode_event(info, stamp, steps=steps))
        counts = {topic: len(stamps) for topic, stamps in self._sent.items() if stamps}
        end = {"start": self._start_ns, "sent": counts, "ticks": self._ticks_sent} if kind == "end" else {}
        _say({"kind": kind, "id": name, "stamp": stamp, **end})


def _say(values: dict[str, Any]) -> None:
    print(json.dumps(values), flush=True)


def _contents(contract: RobotContract) -> dict[str, list[bytearray]]:
    """Topic -> serialised messages to be sent in turn, with a stamp to be filled in."""
    resting = Observation(0.0, {}, np.zeros(len(contract.joint_names)), np.zeros(len(contract.joint_names)),
                          np.array([0.5, 0.0, 0.2, 1.0, 0.0, 0.0, 0.0]), 0.5)
    still = convert.action(contract, np.zeros(contract.action_dim), 0)
    found: dict[str, list[Any]] = {
        decode.JOINT_STATES: [convert.joint_states(contract, resting, 0)],
        decode.TOOL_POSE: [convert.tool_pose(contract, resting, 0)],
        decode.REQUESTED_ACTION: [still], decode.APPLIED_ACTION: [still]}
    for seed, (name, camera) in enumerate(contract.cameras.items()):
        draw = np.random.default_rng(seed)
        found[decode.camera_topic(name)] = [
            convert.image(_picture(camera, draw, k / PICTURES), name, 0) for k in range(PICTURES)]
    return {topic: [bytearray(serialize_message(message)) for message in messages] for topic, messages in found.items()}


def _picture(camera: CameraContract, draw: np.random.Generator, phase: float) -> NDArray[np.uint8]:
    """A coloured slope with a box that moves and a camera's noise, uint8 (H, W, 3): neither too easy to compress nor too hard."""
    row, column = np.mgrid[: camera.height, : camera.width].astype(np.float32)
    slope = np.stack([row / camera.height, column / camera.width, 0.5 + 0 * row], axis=-1) * 200.0
    left = round(phase * 0.8 * camera.width)
    slope[camera.height // 3 : camera.height // 2, left : left + camera.width // 5] = (220.0, 30.0, 30.0)
    return np.clip(slope + draw.normal(0.0, 2.0, slope.shape), 0, 255).astype(np.uint8)


def main() -> None:
    """`python -m rewardbot.ros.pretended_robot`."""
    start(PretendedRobot)


if __name__ == "__main__":
    main()
