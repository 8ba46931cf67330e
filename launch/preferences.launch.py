"""ros2 launch rewardbot preferences.launch.py teacher:=human: learning from preferences. Its nodes are in rewardbot/ros/graph.py."""

from typing import Any

from rewardbot.ros.launching import describe


def generate_launch_description() -> Any:
    """What `ros2 launch` asks for."""
    return describe("preferences")
