"""Push the puck onto the green square."""

from __future__ import annotations

import mujoco
import numpy as np

from rewardbot.robots.tasks.task import Intent, Task, Vector, place, uniform_offset

GOAL = np.array([0.5, 0.15])
NEAR = 0.035
PUCK_HALF = 0.025
LOW = 0.025


class Push(Task):
    """The puck starts anywhere in a 16 cm square beside the goal."""

    horizon = 60
    goal = "the yellow puck's centre is within 3.5 cm of the green square's centre"

    def randomise(self, model: mujoco.MjModel, data: mujoco.MjData, rng: np.random.Generator) -> None:
        """See `Task.randomise`."""
        x, y = uniform_offset(rng) + (0.5, -0.03)
        place(model, data, "puck", np.array([x, y, PUCK_HALF]), yaw=rng.uniform(-0.17, 0.17))

    def success(self, model: mujoco.MjModel, data: mujoco.MjData, tool: Vector) -> bool:
        """On the square, and still on the table."""
        puck = data.body("puck").xpos
        return bool(np.linalg.norm(puck[:2] - GOAL) < NEAR and abs(puck[2] - PUCK_HALF) < 0.01)

    def intent(self, model: mujoco.MjModel, data: mujoco.MjData, tool: Vector, gripper: float) -> Intent:
        """Behind the puck as seen from the goal, down, and forward through it."""
        puck = data.body("puck").xpos[:2].copy()
        way = GOAL - puck
        if np.linalg.norm(way) < 0.02:
            return Intent(np.array([*tool[:2], 0.12]), -1.0)  # done: step back, so that the goal can be seen
        way /= np.linalg.norm(way)
        along = float((tool[:2] - puck) @ way)
        across = tool[:2] - puck - along * way
        behind = puck - 0.08 * way
        # Low and behind: push, turning back into the line through the puck's centre all the while.
        if along < -0.03 and np.linalg.norm(across) < 0.035 and tool[2] < 0.045:
            return Intent(np.array([*(tool[:2] - 1.3 * across + 0.025 * way), LOW]), -1.0)
        if np.linalg.norm(tool[:2] - behind) < 0.02:
            return Intent(np.array([*behind, LOW]), -1.0)
        return Intent(np.array([*behind, max(0.09, tool[2] - 0.03) if tool[2] > 0.07 else 0.12]), -1.0)
