"""Measures DDS between two real processes: is the other one found, how many images arrive, and how late. For `rewardbot doctor`.

The receiver is a program of its own, `python -m rewardbot.ros.probe NAMESPACE`. Both live in the ROS_DOMAIN_ID of the user, in a
namespace that nobody else has. First images are sent one by one, each when the answer to the last has come, which shows the rate
of a lockstep loop; then at a camera's rate, whatever comes of them, which shows losses.
"""

from __future__ import annotations

import os
import subprocess
import sys
import time
import uuid
from dataclasses import dataclass
from typing import Any

import numpy as np
from sensor_msgs.msg import Image, JointState
from std_msgs.msg import Int64

from rewardbot.data import decode
from rewardbot.errors import RobotError
from rewardbot.ros import convert, qos
from rewardbot.ros.peer import Peer
from rewardbot.ros.segments import held_segments

IMAGE, ANSWER, SUMMARY = "probe/image", "probe/answer", "probe/summary"
DISCOVERY_S = 15.0
SETTLE_S = 1.0
"""How long after the last image it may still be on its way."""


@dataclass(frozen=True)
class Link:
    """What was measured for one size of image.

    Attributes:
        sent: images sent at `rate_hz`.
        lost: share of them that did not arrive.
        p50_ms, p99_ms: time from before the message is made to the receiver's callback [ms]; infinite when none arrived.
        round_trips_hz: image there, answer back, one after the other [1/s].
    """

    width: int
    height: int
    rate_hz: float
    sent: int
    lost: float
    p50_ms: float
    p99_ms: float
    round_trips_hz: float


@dataclass(frozen=True)
class Probed:
    """What was measured.

    Attributes:
        discovery_s: from the start of the other process until both had found each other, its start included [s].
        segment_bytes: the largest shared memory segment of this process's participant; 0: it has none.
    """

    discovery_s: float
    segment_bytes: int
    links: tuple[Link, ...]


def probe(sizes: tuple[tuple[int, int, float], ...], *, seconds: float = 2.0) -> Probed:
    """Measures with a process that it starts and ends.

    Args:
        sizes: (width, height, rate [Hz]) of the images to send.
        seconds: how long each size is sent at its rate.

    Raises:
        RobotError: the two processes did not find each other.
    """
    namespace = f"doctor_{uuid.uuid4().hex[:12]}"
    started = time.monotonic()
    other = subprocess.Popen([sys.executable, "-m", __name__, namespace], stdin=subprocess.PIPE, stdout=subprocess.DEVNULL)
    peer = Peer("sender", namespace)
    try:
        sender = _Sender(peer)
        if not peer.wait(sender.connected, DISCOVERY_S):
            what = "ended" if other.poll() is not None else "was not found"
            raise RobotError(f"The other process {what} within {DISCOVERY_S:g} s.",
                             next_step="A firewall, or a FASTDDS_DEFAULT_PROFILES_FILE that does not fit: unset it.")
        found = time.monotonic() - started
        links = tuple(sender.measure(width, height, rate, seconds) for width, height, rate in sizes)
        return Probed(found, max((path.stat().st_size for path in held_segments(os.getpid())), default=0), links)
    finally:
        other.communicate(timeout=10.0)  # the end of its stdin ends it
        peer.close()


class _Sender:
    """Sends images and hears how many came and how old."""

    def __init__(self, peer: Peer) -> None:
        self._peer = peer
        self._images = peer.node.create_publisher(Image, IMAGE, qos.IMAGES_OUT)
        self._answers: list[int] = []
        self._summaries: list[Any] = []
        self._ask = peer.node.create_publisher(Int64, SUMMARY, qos.EVENTS)
        node = peer.node
        self._subscriptions = [
            node.create_subscription(Int64, ANSWER, lambda message: self._answers.append(message.data), qos.EVENTS),
            node.create_subscription(JointState, f"{SUMMARY}/result", self._summaries.append, qos.EVENTS)]

    def connected(self) -> bool:
        """Whether every topic has its counterpart."""
        out, back = (self._images, self._ask), self._subscriptions
        return all(item.get_subscription_count() for item in out) and all(item.get_publisher_count() for item in back)

    def measure(self, width: int, height: int, rate: float, seconds: float) -> Link:
        """Both ways of sending, for one size."""
        pixels = np.random.default_rng(0).integers(0, 255, (height, width, 3), dtype=np.uint8)
        round_trips = self._one_by_one(pixels, seconds / 2)
        self._result()  # forgets these
        sent = int(rate * seconds)
        begin = time.monotonic()
        for number in range(sent):
            self._peer.wait(lambda number=number: time.monotonic() >= begin + number / rate, 2.0 / rate)
            self._publish(pixels)
        ages = self._result(expected=sent)
        p50, p99 = np.percentile(ages, [50, 99]) if len(ages) else (float("inf"),) * 2
        return Link(width, height, rate, sent, 1.0 - min(len(ages), sent) / sent, float(p50), float(p99), round_trips)

    def _publish(self, pixels: np.ndarray) -> int:
        # Of the monotonic clock, which both processes share and nobody sets.
        stamp = time.monotonic_ns()
        self._images.publish(convert.image(pixels, "probe", stamp))
        return stamp

    def _one_by_one(self, pixels: np.ndarray, seconds: float) -> float:
        """Round trips per second; a lost image costs half a second."""
        begin, count = time.monotonic(), 0
        while (passed := time.monotonic() - begin) < seconds:
            stamp = self._publish(pixels)
            count += self._peer.wait(lambda stamp=stamp: bool(self._answers) and self._answers[-1] == stamp, 0.5)
        return count / passed

    def _result(self, expected: int = 0) -> np.ndarray:
        """Ages [ms] of what came since the last call. Waits until it is as many as expected, or `SETTLE_S`."""
        until = time.monotonic() + SETTLE_S
        ages: list[float] = []
        while True:
            self._summaries.clear()
            self._ask.publish(Int64(data=0))
            if not self._peer.wait(lambda: bool(self._summaries), 5.0):
                raise RobotError("The other process fell silent.", next_step="Look at the machine's load and memory.")
            ages += self._summaries[-1].position
            if len(ages) >= expected or time.monotonic() > until:
                return np.array(ages)


def nodes_here(namespace: str, seconds: float = 1.5) -> list[str]:
    """Names of the nodes in `namespace` of this ROS domain, given so long to answer."""
    peer = Peer("doctor", namespace)
    try:
        space = peer.node.get_namespace()

        def others() -> list[str]:
            found = peer.node.get_node_names_and_namespaces()
            return sorted(name for name, where in found if where == space and name != "doctor")

        peer.wait(lambda: False, seconds)
        return others()
    finally:
        peer.close()


def implementation() -> str:
    """Name of the DDS binding in use, such as rmw_fastrtps_cpp."""
    from rclpy.utilities import get_rmw_implementation_identifier

    return get_rmw_implementation_identifier()


def _receive(namespace: str) -> None:
    """The other process: answers images with their stamp, and questions with the ages of all since the last one."""
    import select

    peer = Peer("receiver", namespace)
    ages: list[float] = []
    answers = peer.node.create_publisher(Int64, ANSWER, qos.EVENTS)
    results = peer.node.create_publisher(JointState, f"{SUMMARY}/result", qos.EVENTS)

    def on_image(message: Image) -> None:
        stamp = decode.stamp_ns(message)
        ages.append((time.monotonic_ns() - stamp) / 1e6)
        answers.publish(Int64(data=stamp))

    def on_question(message: Int64) -> None:
        results.publish(JointState(position=ages))
        ages.clear()

    peer.node.create_subscription(Image, IMAGE, on_image, qos.IMAGES_ALL)
    peer.node.create_subscription(Int64, SUMMARY, on_question, qos.EVENTS)

    def left_alone() -> bool:  # the other end of stdin is closed when who started us ends, however that ends
        return bool(select.select([0], [], [], 0.0)[0]) and not os.read(0, 1)

    peer.wait(left_alone, float("inf"))
    peer.close()


if __name__ == "__main__":
    _receive(sys.argv[1])
