"""ros2 launch rewardbot sim.launch.py task:=lift: the simulated cell. The nodes are described in rewardbot/ros/graph.py."""

from typing import Any

from rewardbot.ros.launching import describe


def generate_launch_description() -> Any:
    """What `ros2 launch` asks for."""
    return describe("sim")
