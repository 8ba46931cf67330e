"""Open the drawer by its handle."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from rewardbot.robots.tasks.task import Intent, Task, Vector, nearness, uniform_offset

if TYPE_CHECKING:
    import mujoco

OPEN = 0.08
PULL = 0.11
"""How far the operator pulls; well past `OPEN`, short of the stop."""


class Drawer(Task):
    """The cabinet stands anywhere in a 16 cm square, turned by up to 10 degrees, its drawer closed."""

    horizon = 35
    goal = "the drawer is open by at least 8 cm"

    def randomise(self, model: mujoco.MjModel, data: mujoco.MjData, rng: np.random.Generator) -> None:
        """See `Task.randomise`."""
        x, y = uniform_offset(rng) + (0.5, 0.1)
        yaw = rng.uniform(-0.17, 0.17)
        data.mocap_pos[0] = [x, y, 0.0]
        data.mocap_quat[0] = [np.cos(yaw / 2), 0.0, 0.0, np.sin(yaw / 2)]

    def success(self, model: mujoco.MjModel, data: mujoco.MjData, tool: Vector) -> bool:
        """Open far enough, whoever holds it."""
        return bool(data.joint("drawer").qpos[0] > OPEN)

    def intent(self, model: mujoco.MjModel, data: mujoco.MjData, tool: Vector, gripper: float) -> Intent:
        """Above the handle with open fingers, down around it, close, pull."""
        axes = data.body("cabinet").xmat.reshape(3, 3)  # columns: along the handle, into the cabinet, up
        handle = data.geom("handle").xpos.copy()
        along, inwards, up = axes.T @ (tool - handle)
        around = abs(along) < 0.03 and abs(inwards) < 0.03 and abs(up) < 0.019
        if around and gripper < 0.3:
            remaining = max(0.0, PULL - float(data.joint("drawer").qpos[0]))
            return Intent(handle - remaining * axes[:, 1], -1.0)
        if around:
            return Intent(tool.copy(), -1.0)
        # Off centre, where both fingers have room: one between handle and drawer, the other outside.
        over = handle - 0.014 * axes[:, 1]
        beside = float(np.linalg.norm((tool - over)[:2]))
        if beside < 0.015 or (beside < 0.022 and up < 0.03):
            return Intent(over, 1.0)
        return Intent(np.array([over[0], over[1], handle[2] + 0.05 + max(0.0, beside - 0.03)]), 1.0)

    def progress(self, model: mujoco.MjModel, data: mujoco.MjData, tool: Vector) -> float:
        """Half of it is the way to the handle, half the drawer's."""
        opened = float(np.clip(data.joint("drawer").qpos[0] / OPEN, 0.0, 1.0))
        return 0.5 * nearness(tool, data.geom("handle").xpos) + 0.5 * opened
