"""Who acts where no operator does: the policy of the newest weights, or chance. No rclpy here."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from rewardbot.data import decode
from rewardbot.errors import DataError
from rewardbot.robots.play import RandomPlay
from rewardbot.robots.robot import RobotContract
from rewardbot.ros.requests import Request

if TYPE_CHECKING:
    from rewardbot.policies.base import DeployedPolicy

OF_THE_POLICY = ("explore", "evaluate")
"""Modes in which the policy acts."""


class Actors:
    """See the module.

    Args:
        contract: of the robot.
        task: that is done.
    """

    def __init__(self, contract: RobotContract, task: str) -> None:
        self._contract, self._task = contract, task
        self._player = RandomPlay(contract)
        self._policy: DeployedPolicy | None = None
        self._newest: DeployedPolicy | None = None

    def take(self, weights: bytes) -> int:
        """Takes new weights, which act from the next episode on; returns their version.

        Raises:
            DataError: these are not weights, or those of another task.
        """
        # Not above: where nothing but operators act, no weights ever come, and torch is most of the memory and of the start.
        import torch

        from rewardbot.policies.base import DeployedPolicy

        torch.set_num_threads(1)
        policy = DeployedPolicy(weights)
        if policy.task != self._task:
            raise DataError(f"The weights on weights/policy are for task '{policy.task}'.",
                            valid=f"This graph runs '{self._task}'.", next_step="Is another graph in this namespace?")
        self._newest = policy
        return policy.version

    def lacks(self, request: Request) -> str:
        """What is missing for a request, for people; empty when nothing is."""
        if request.mode not in OF_THE_POLICY:
            return ""
        if self._newest is None:
            return "weights/policy"
        return f"weights/policy of version {request.least_version}" if self._newest.version < request.least_version else ""

    def begin_episode(self, request: Request, start: int) -> None:
        """Begins from the start state of seed `start`, with the newest weights; nothing may be lacking."""
        if request.mode == "play":
            self._player.begin_episode(start)
        elif request.mode in OF_THE_POLICY:
            assert self._newest is not None
            self._policy = self._newest
            self._policy.begin_episode(start)

    @property
    def version(self) -> int:
        """Version of the weights that act, or acted last; 0 for none."""
        return self._policy.version if self._policy is not None else 0

    def act(self, request: Request, parts: Mapping[str, Any]) -> NDArray[np.floating]:
        """The action on an observation of these messages by topic, float (A,).

        Raises:
            DataError: the messages do not fit the contract.
        """
        if request.mode == "play":
            return self._player.act(decode.tool_pose(parts[decode.TOOL_POSE], self._contract.base_frame)[:3])
        assert self._policy is not None
        images = {name: parts[decode.camera_topic(name)] for name in self._contract.cameras}
        observation = decode.observation(self._contract, parts[decode.JOINT_STATES], parts[decode.TOOL_POSE], images)
        return self._policy.act(observation, actor=request.actor, explore=request.mode == "explore")
