"""Who of several operators has the arm, and what it shall do. No rclpy here.

The operator who began first keeps the arm until he is silent for a while, so that two devices are never mixed. How old a command is
tells the time at which it came; the clock of the machine that sent it may be wrong, or jump.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray
from std_msgs.msg import Float64MultiArray

from rewardbot.data import decode
from rewardbot.errors import DataError
from rewardbot.robots.robot import RobotContract
from rewardbot.ros import convert

RELEASE_S = 0.3
"""Time of silence after which an operator has let go [s]."""

PARTICIPANT = 12
"""Bytes at the beginning of a DDS identifier that all publishers of one process share."""

KEEP = 4
"""Commands that are remembered by their stamp."""

ANOTHER_CLOCK_NS = 60 * decode.NS_PER_S
"""A command whose stamp is further from the observation's is of no observation at all [ns]."""


class Arbiter:
    """See the module.

    Args:
        contract: of the robot.
        lockstep: the robot waits for each command: a command is for the observation of its stamp and for no other.
        name_of: identifier of a publisher of twists -> its name, for people.
        tell: gets what a person should know.
    """

    def __init__(self, contract: RobotContract, *, lockstep: bool, name_of: Callable[[bytes], str],
                 tell: Callable[[str], None]) -> None:
        self._contract, self._lockstep, self._name_of, self._tell = contract, lockstep, name_of, tell
        self._owner: bytes | None = None
        self._name = ""
        self._heard = float("-inf")
        self._newest = np.zeros(contract.action_dim)
        self._by_stamp: dict[int, NDArray[np.float64]] = {}
        self._grippers: dict[bytes, Float64MultiArray] = {}
        self._ignored: set[bytes] = set()

    def gripper(self, publisher: bytes, message: Float64MultiArray) -> None:
        """Takes a gripper command, which belongs to the next twist of the same process."""
        self._grippers[publisher[:PARTICIPANT]] = message

    def twist(self, publisher: bytes, message: Any, now: float) -> bool:
        """Takes a TwistStamped; returns whether it counts.

        Args:
            publisher: identifies who sent it.
            message: it.
            now: time of a clock that nobody sets [s].
        """
        mine = publisher == self._owner
        if not mine and now - self._heard <= RELEASE_S:
            if publisher not in self._ignored:
                self._ignored.add(publisher)
                self._tell(f"{self._name} has the arm until it has been silent for {RELEASE_S} s; "
                           f"{self._name_of(publisher)} is ignored")
            return False
        if (action := self._action(publisher, message)) is None:
            if mine:
                self._newest = np.zeros(self._contract.action_dim)  # what it said before is over, too
            return False
        if not mine:
            self._owner, self._name = publisher, self._name_of(publisher)
            self._ignored.clear()
            self._tell(f"{self._name} has the arm")
        self._heard, self._newest = now, action
        self._by_stamp[decode.stamp_ns(message)] = action
        while len(self._by_stamp) > KEEP:
            del self._by_stamp[next(iter(self._by_stamp))]
        return True

    def action(self, stamp: int, now: float) -> NDArray[np.float64] | None:
        """The operator's action for the observation of `stamp` [ns], float64 (A,); None when nobody says anything."""
        if stamp in self._by_stamp:
            return self._by_stamp[stamp].copy()
        if now - self._heard > RELEASE_S:
            return None
        if not self._lockstep:
            return self._newest.copy()
        if self._by_stamp and all(abs(stamp - told) > ANOTHER_CLOCK_NS for told in self._by_stamp):
            self._tell(f"{self._name} is not obeyed: in lockstep the robot waits for a command for each observation. "
                       "lockstep:=false lets a person drive.")
        return None

    def present(self, now: float) -> str:
        """Name of who has the arm now, empty when nobody has."""
        return self._name if now - self._heard <= RELEASE_S else ""

    def forget(self) -> None:
        """Commands by their stamp are of a robot that may be started again since."""
        self._by_stamp.clear()

    def _action(self, publisher: bytes, message: Any) -> NDArray[np.float64] | None:
        gripper = self._grippers.get(publisher[:PARTICIPANT], Float64MultiArray(data=[0.0]))
        try:
            action = convert.action_of_command(self._contract, message, gripper)
        except DataError as error:
            self._tell(f"{self._name_of(publisher)}: {error}")
            return None
        if not np.isfinite(action).all():
            self._tell(f"A command of {self._name_of(publisher)} with a number that is none was refused.")
            return None
        return action


class Gripper:
    """Tells the gripper again what it does already where a command says nothing of it, so that whoever learns sees no third state.

    Args:
        contract: of the robot.
    """

    def __init__(self, contract: RobotContract) -> None:
        self._index = contract.action_names.index("gripper") if "gripper" in contract.action_names else None
        self._told = 0.0

    def begin_episode(self, opening: float) -> None:
        """Takes how far it is open, 0 to 1, when nobody has told it anything."""
        self._told = 1.0 if opening > 0.5 else -1.0

    def whole(self, action: NDArray[np.floating]) -> NDArray[np.floating]:
        """The action, float (A,), with the gripper's entry in any case."""
        if self._index is None:
            return action
        self._told = float(np.sign(action[self._index])) or self._told
        filled = action.copy()
        filled[self._index] = action[self._index] or self._told
        return filled
