"""Push the puck onto the green square."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from rewardbot.robots.tasks.task import Intent, Task, Vector, nearness, place, uniform_offset

if TYPE_CHECKING:
    import mujoco

GOAL = np.array([0.5, 0.15])
NEAR = 0.035
PUCK_HALF = 0.025
LOW = 0.025
DONE = 0.022
"""The operator's own idea of near enough [m]: inside `NEAR`, with room for the puck to slide on."""


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
        """Behind the puck as seen from the goal, down, and forward through it, ever more slowly; then back and up."""
        puck = data.body("puck").xpos[:2].copy()
        way = GOAL - puck
        left = float(np.linalg.norm(way))
        from_puck = tool[:2] - puck
        apart = float(np.linalg.norm(from_puck))
        if left < DONE:  # step back from the puck, so that the goal can be seen and a trembling hand does no harm
            away = puck + from_puck / max(apart, 1e-6) * 0.11
            return Intent(np.array([*away, 0.12 if apart > 0.075 else tool[2]]), -1.0)
        way /= left
        along = float(from_puck @ way)
        across = from_puck - along * way
        behind = puck - 0.08 * way
        # Low and behind: push, turning back into the line through the puck's centre all the while.
        if along < -0.03 and np.linalg.norm(across) < 0.04 and tool[2] < 0.055:
            forward = min(0.035, 0.01 + 0.5 * left) * max(0.0, 1.0 - float(np.linalg.norm(across)) / 0.03)
            return Intent(np.array([*(tool[:2] - 1.5 * across + forward * way), LOW]), -1.0)
        off = float(np.linalg.norm(tool[:2] - behind))
        if off < 0.025:
            return Intent(np.array([*behind, LOW]), -1.0)
        # Come in from above, the closer the lower, but over the puck where that lies in between.
        return Intent(np.array([*behind, max(0.06 + 0.5 * off, 0.09 if along > -0.05 else 0.0)]), -1.0)

    def progress(self, model: mujoco.MjModel, data: mujoco.MjData, tool: Vector) -> float:
        """A third of it is the way to behind the puck, the rest the puck's."""
        puck = data.body("puck").xpos[:2]
        way = GOAL - puck
        behind = puck - 0.08 * way / max(1e-6, float(np.linalg.norm(way)))
        return (nearness(tool[:2], behind) + 2.0 * nearness(puck, GOAL)) / 3.0

    def places(self, model: mujoco.MjModel, data: mujoco.MjData) -> Vector:
        """The puck on the square, wherever the tool is."""
        return np.array([[np.nan] * 3, [*GOAL, PUCK_HALF]])
