"""Grasp the cube and hold it up."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from rewardbot.robots.tasks.task import Intent, Task, Vector, nearness, place, uniform_offset

if TYPE_CHECKING:
    import mujoco

CUBE_HALF = 0.02
LIFTED = 0.06
CARRY_HEIGHT = 0.16


class Lift(Task):
    """The cube starts anywhere in a 16 cm square, turned by up to 10 degrees."""

    horizon = 30
    goal = "the gripper holds the red cube at least 6 cm above the table"

    def randomise(self, model: mujoco.MjModel, data: mujoco.MjData, rng: np.random.Generator) -> None:
        """See `Task.randomise`."""
        x, y = uniform_offset(rng) + (0.5, 0.0)
        place(model, data, "cube", np.array([x, y, CUBE_HALF]), yaw=rng.uniform(-0.17, 0.17))

    def success(self, model: mujoco.MjModel, data: mujoco.MjData, tool: Vector) -> bool:
        """Raised, and in the hand rather than in the air."""
        cube = data.body("cube").xpos
        return bool(cube[2] > CUBE_HALF + LIFTED and np.linalg.norm(cube - tool) < 0.04)

    def intent(self, model: mujoco.MjModel, data: mujoco.MjData, tool: Vector, gripper: float) -> Intent:
        """Above the cube with open fingers, down, close, up."""
        cube = data.body("cube").xpos.copy()
        beside = float(np.linalg.norm(cube[:2] - tool[:2]))
        inside = beside < 0.018 and abs(cube[2] - tool[2]) < 0.015
        holding = 0.3 < gripper < 0.58 and beside < 0.035 and abs(cube[2] - tool[2]) < 0.025
        if holding:  # the cube is half as wide as the opening
            return Intent(np.array([tool[0], tool[1], CARRY_HEIGHT]), -1.0)
        if inside:
            return Intent(cube, -1.0)
        if beside < 0.015:
            return Intent(cube, 1.0)
        # Come in from above, the closer the lower, so that the fingers never sweep the cube away.
        height = cube[2] + 0.055 if beside < 0.06 or tool[2] < cube[2] + 0.05 else tool[2]
        return Intent(np.array([cube[0], cube[1], height]), 1.0)

    def progress(self, model: mujoco.MjModel, data: mujoco.MjData, tool: Vector) -> float:
        """Half of it is the way to the cube, half the cube's way up."""
        cube = data.body("cube").xpos
        return 0.5 * nearness(tool, cube) + 0.5 * float(np.clip((cube[2] - CUBE_HALF) / LIFTED, 0.0, 1.0))
