"""ros2 launch rewardbot teleop.launch.py device:=gamepad: a person drives the arm. The nodes are in rewardbot/ros/graph.py."""

from typing import Any

from rewardbot.ros.launching import describe


def generate_launch_description() -> Any:
    """What `ros2 launch` asks for."""
    return describe("teleop")
