"""What people and their stand-ins say to policy_node: commands of the teleop devices, and verdicts on demonstrations."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable

import numpy as np
from geometry_msgs.msg import TwistStamped
from numpy.typing import NDArray
from rclpy.subscription import MessageInfo
from std_msgs.msg import Bool, Float64MultiArray

from rewardbot.robots.robot import RobotContract
from rewardbot.ros import qos
from rewardbot.ros.arbiter import Arbiter
from rewardbot.ros.node import RewardbotNode, take_all_with_info

GRIPPER, TWIST, VERDICT = "teleop/gripper", "teleop/delta_twist_cmds", "operator/success"


class Operators:
    """The teleop topics of a node.

    Args:
        node: gets the subscriptions.
        contract: of the robot.
        lockstep: see `Arbiter`.
        heard: called with each twist that counts.
        tell: gets what a person should know.

    Attributes:
        silent_s: for how long nothing was heard [s], as far as `waited` was told.
    """

    def __init__(self, node: RewardbotNode, contract: RobotContract, *, lockstep: bool, heard: Callable[[TwistStamped], None],
                 tell: Callable[[str], None]) -> None:
        self.silent_s = float("inf")
        self._node, self._dim, self._heard = node, contract.action_dim, heard
        self._arbiter = Arbiter(contract, lockstep=lockstep, name_of=self._name_of, tell=tell)
        self._grippers = node.create_subscription(Float64MultiArray, GRIPPER, self._on_gripper, qos.COMMANDS)
        self._twists = node.create_subscription(TwistStamped, TWIST, self._on_twist, qos.COMMANDS)

    def action(self, stamp: int, *, look: bool = True) -> NDArray[np.float64] | None:
        """What an operator says to the observation of `stamp` [ns], float64 (A,); None when nobody says anything.

        With `look` the commands count that have come and are not read yet; `heard` is not called for those.
        """
        for message, info in take_all_with_info(self._twists) if look else ():
            self._take(message, info)
        return self._arbiter.action(stamp, time.monotonic())

    def action_or_hold(self, stamp: int, *, look: bool = True) -> NDArray[np.float64]:
        """As `action`; when nobody says anything, no motion and the gripper as it is."""
        wish = self.action(stamp, look=look)
        return wish if wish is not None else np.zeros(self._dim)

    def present(self) -> str:
        """Name of who has the arm now, empty when nobody has."""
        return self._arbiter.present(time.monotonic())

    def waited(self, seconds: float) -> None:
        """Time went by in which commands would have been taken."""
        self.silent_s += seconds

    def forget(self) -> None:
        """Before an episode: see `Arbiter.forget`."""
        self._arbiter.forget()

    def _on_gripper(self, message: Float64MultiArray, info: MessageInfo) -> None:
        self._arbiter.gripper(_publisher(info), message)

    def _on_twist(self, message: TwistStamped, info: MessageInfo) -> None:
        if self._take(message, info):
            self._heard(message)

    def _take(self, message: TwistStamped, info: MessageInfo) -> bool:
        self.silent_s = 0.0
        for gripper, about in take_all_with_info(self._grippers):  # they have no stamp, and were sent before the twist
            self._on_gripper(gripper, about)
        return self._arbiter.twist(_publisher(info), message, time.monotonic())

    def _name_of(self, publisher: bytes) -> str:
        """The name of the node that publishes twists under this identifier."""
        for endpoint in self._node.get_publishers_info_by_topic(self._twists.topic_name):
            if bytes(endpoint.endpoint_gid)[: len(publisher)] == publisher != b"":
                return endpoint.node_name
        return "an operator"


class Verdicts:
    """An operator's verdicts on each observation, matched by the time of sending.

    Args:
        node: gets the subscription.
    """

    def __init__(self, node: RewardbotNode) -> None:
        self._said: deque[tuple[int, bool]] = deque(maxlen=100)  # time of sending [ns], the word
        self._words = node.create_subscription(Bool, VERDICT, self._on_word, qos.EVENTS)

    def before(self, observed: int) -> bool | None:
        """The newest verdict that was sent before the observation sent at `observed` [ns], hence not one on a later one."""
        # The verdict on it was sent before it, so it has arrived: but perhaps not been read. In real time that on the next
        # one may be here as well.
        for message, info in take_all_with_info(self._words):
            self._on_word(message, info)
        return next((verdict for sent, verdict in reversed(self._said) if sent < observed), None)

    def forget(self) -> None:
        """Before an episode."""
        self._said.clear()

    def _on_word(self, message: Bool, info: MessageInfo) -> None:
        self._said.append((info["source_timestamp"], message.data))


def _publisher(info: MessageInfo) -> bytes:
    """What identifies who sent a message; empty where the middleware does not tell."""
    return (info.get("publisher_gid") or {}).get("data", b"")
