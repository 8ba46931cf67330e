"""Weights of a policy that has learned nothing, as learner_node publishes them."""

from __future__ import annotations

from std_msgs.msg import UInt8MultiArray

from rewardbot.nets.encoders import Encoder
from rewardbot.nets.heads import SquashedGaussianPolicy
from rewardbot.policies.base import policy_to_bytes
from rewardbot.robots.robot import RobotContract
from rewardbot.ros import convert
from rewardbot.types import PROPRIO_NAMES


def untrained(contract: RobotContract, task: str) -> UInt8MultiArray:
    """Version 1, with the actors `rl` and `explore`."""
    cameras = {name: (camera.height, camera.width) for name, camera in contract.cameras.items()}
    encoder = Encoder(cameras)
    sizes = encoder.features, len(PROPRIO_NAMES), contract.action_dim
    actors = {name: ("encoder", SquashedGaussianPolicy(*sizes, latent=8, hidden=16)) for name in ("rl", "explore")}
    note = {"version": 1, "task": task, "cameras": cameras, "robot": contract.name}
    return convert.weights(policy_to_bytes({"encoder": encoder}, actors, note))
