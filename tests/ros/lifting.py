"""A person who lifts the cube: knows where it was at the start, sees where the tool is, and says where the hand should push."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from diagnostic_msgs.msg import DiagnosticArray
from geometry_msgs.msg import PoseStamped
from numpy.typing import NDArray
from std_msgs.msg import Bool

from rewardbot.data import decode
from rewardbot.data.decode import EpisodeEvent
from rewardbot.robots.mujoco import MujocoRobot
from rewardbot.robots.robot import load_contract
from rewardbot.ros import convert, qos
from rewardbot.ros.connections import from_text
from rewardbot.ros.graph import NodeStart, links

GRASP_S = 0.8
CLOSE_M = 0.008
PATIENCE_S = 90.0


class Person:
    """Watches the graph through a node of the test's own.

    Attributes:
        events: of episodes.
        truths: whether the cube is lifted, per observation.
    """

    def __init__(self, client: Any) -> None:
        self.client = client
        self.events: list[EpisodeEvent] = []
        self.truths: list[bool] = []
        self._tool: NDArray[np.float64] | None = None
        self._metrics: dict[str, dict[str, float | str]] = {}
        base, node = load_contract().base_frame, client.node

        def see(message: PoseStamped) -> None:
            self._tool = decode.tool_pose(message, base)[:3]

        self._subscriptions = [
            node.create_subscription(PoseStamped, decode.TOOL_POSE, see, qos.STATE),
            node.create_subscription(Bool, "evaluation/success", lambda truth: self.truths.append(truth.data), qos.TRUTH),
            node.create_subscription(DiagnosticArray, decode.EPISODE,
                                     lambda event: self.events.append(decode.episode_event(event)), qos.EVENTS),
            node.create_subscription(DiagnosticArray, "metrics",
                                     lambda message: self._metrics.update(convert.metrics_of(message)), qos.EVENTS)]

    def metric(self, node: str, key: str) -> float | str | None:
        return self._metrics.get(node, {}).get(key)

    def wait_for(self, done: Callable[[], bool], what: str) -> None:
        self.client.wait(done, what, PATIENCE_S)

    def wait_connected(self, nodes: Sequence[NodeStart]) -> None:
        """Waits until all have found each other and us: a message sent before that would be lost."""
        wanted = links(nodes, asker=self.client.node.get_name(),
                       listens=(decode.TOOL_POSE, "evaluation/success", decode.EPISODE, "metrics"))

        def complete(name: str) -> bool:
            found = from_text(str(self.metric(name, "linked") or ""))
            return all(found.get(other, 0) >= count for other, count in wanted[name].items())

        self.wait_for(lambda: all(map(complete, wanted)), f"connections {wanted}")

    def begun(self) -> EpisodeEvent:
        """The start of the episode that a request of the person has begun."""
        self.wait_for(lambda: self.events[-1:] != [] and self.events[-1].kind == "start", "the episode")
        return self.events[-1]

    def lift(self, push: Callable[[NDArray[np.float64], float], None], seed: int) -> None:
        """Lifts the cube of the start state `seed`.

        `push` gets how far the tool is from where it should be (3,) [m], zeros to stand still, and the gripper, -1 to close it.
        """
        robot = MujocoRobot("lift", render=False)
        robot.reset(seed)
        cube = robot.data.body("cube").xpos.copy()
        robot.close()
        for axes, target, grip in (((0, 1), cube, 1.0), ((2,), cube, 1.0)):
            self._go(lambda gap, axes=axes, grip=grip: push(np.where(np.isin(range(3), axes), gap, 0.0), grip), target, axes)
        until = time.monotonic() + GRASP_S
        while time.monotonic() < until:
            push(np.zeros(3), -1.0)
            self.client.executor.spin_once(timeout_sec=0.02)
        self._go(lambda gap: push(gap * (0, 0, 1), -1.0), np.array([*cube[:2], 0.16]), (2,), lambda: any(self.truths[-1:]))
        push(np.zeros(3), -1.0)

    def _go(self, push: Callable[[NDArray[np.float64]], None], target: NDArray[np.float64], axes: tuple[int, ...],
            there: Callable[[], bool] = lambda: False) -> None:
        until = time.monotonic() + PATIENCE_S
        while True:
            self.client.executor.spin_once(timeout_sec=0.02)
            assert time.monotonic() < until, f"the tool is at {self._tool}, not at {target}"
            if self._tool is None:
                continue
            gap = target - self._tool
            if there() or np.abs(gap[list(axes)]).max() < CLOSE_M:
                return
            push(gap)
