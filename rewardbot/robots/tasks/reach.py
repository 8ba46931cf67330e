"""Bring the closed fingers to the ball."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from rewardbot.robots.tasks.task import Intent, Task, Vector, nearness, uniform_offset

if TYPE_CHECKING:
    import mujoco

NEAR = 0.025


class Reach(Task):
    """The ball starts anywhere in a 16 cm square, 4 to 12 cm above the table."""

    horizon = 15
    goal = "the fingertips are within 2.5 cm of the blue ball's centre"

    def randomise(self, model: mujoco.MjModel, data: mujoco.MjData, rng: np.random.Generator) -> None:
        """See `Task.randomise`."""
        x, y = uniform_offset(rng) + (0.5, 0.0)
        data.mocap_pos[0] = [x, y, rng.uniform(0.04, 0.12)]

    def success(self, model: mujoco.MjModel, data: mujoco.MjData, tool: Vector) -> bool:
        """Near enough."""
        return bool(np.linalg.norm(data.mocap_pos[0] - tool) < NEAR)

    def intent(self, model: mujoco.MjModel, data: mujoco.MjData, tool: Vector, gripper: float) -> Intent:
        """Straight to the ball with closed fingers."""
        return Intent(data.mocap_pos[0].copy(), -1.0)

    def progress(self, model: mujoco.MjModel, data: mujoco.MjData, tool: Vector) -> float:
        """The way to the ball."""
        return nearness(tool, data.mocap_pos[0])

    def places(self, model: mujoco.MjModel, data: mujoco.MjData) -> Vector:
        """The tool at the ball."""
        return data.mocap_pos[:1].copy()
