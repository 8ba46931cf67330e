"""Put the pencil case behind the notebook: a relation between two things, easier to show than to write."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from rewardbot.robots.tasks.task import Intent, Task, Vector, nearness, place, uniform_offset

if TYPE_CHECKING:
    import mujoco

CASE_HALF = 0.018
NOTEBOOK_HALF = 0.03
BEHIND = (0.03, 0.13)
"""Distance of the case's centre behind the notebook's [m]; nearer than the first bound they would touch."""

ASIDE = 0.05
"""Furthest that the case's centre is to the side of the notebook's [m]; its whole width is then behind it."""

PLACE_BEHIND, PLACE_ASIDE = 0.085, 0.02
CLEAR = 2 * NOTEBOOK_HALF + CASE_HALF + 0.012
"""Height of the case's centre at which it passes over the notebook [m]."""

CARRY_HEIGHT = CLEAR + 0.03
RETREAT_HEIGHT = 0.17
"""From there the wrist camera sees both things [m]."""

WHOLE_WAY = 0.5
"""Longest way that the case is carried [m]."""

WAIT = 0.075
"""How far before the notebook the case waits until it is high enough [m]."""


class PencilCase(Task):
    """The case lies anywhere in a 16 cm square before the notebook, which stands somewhere in 3 x 10 cm; both are turned.

    "Behind" is as the front camera sees it: the notebook is between camera and case.
    """

    horizon = 55
    goal = "the pencil case lies on the table behind the standing notebook"

    def randomise(self, model: mujoco.MjModel, data: mujoco.MjData, rng: np.random.Generator) -> None:
        """See `Task.randomise`."""
        x, y = uniform_offset(rng) + (0.62, 0.0)
        place(model, data, "pencil_case", np.array([x, y, CASE_HALF]), yaw=rng.uniform(-0.35, 0.35))
        x, y = 0.445 + rng.uniform(-0.015, 0.015), rng.uniform(-0.05, 0.05)
        place(model, data, "notebook", np.array([x, y, NOTEBOOK_HALF]), yaw=rng.uniform(-0.3, 0.3))

    def success(self, model: mujoco.MjModel, data: mujoco.MjData, tool: Vector) -> bool:
        """Behind, on the table, and the notebook still stands."""
        behind, aside, height = _case_from_notebook(data)
        stands = data.body("notebook").xmat[8] > 0.95  # its own up against the world's
        return bool(stands and BEHIND[0] < behind < BEHIND[1] and abs(aside) < ASIDE and height < CASE_HALF + 0.01)

    def intent(self, model: mujoco.MjModel, data: mujoco.MjData, tool: Vector, gripper: float) -> Intent:
        """Grasp the case from above, lift it over the notebook, set it down, open, and go up out of the picture."""
        behind, aside, height = _case_from_notebook(data)
        case = data.body("pencil_case").xpos.copy()
        if BEHIND[0] + 0.02 < behind < BEHIND[1] and abs(aside) < ASIDE - 0.01 and height < CASE_HALF + 0.006:
            if gripper < 0.7:
                return Intent(tool.copy(), 1.0)
            over = tool if tool[2] < RETREAT_HEIGHT / 2 else case + (0.02, 0.0, 0.0)  # straight up, out of the fingers
            return Intent(np.array([over[0], over[1], RETREAT_HEIGHT]), 1.0)
        along, across, up = np.abs(data.body("pencil_case").xmat.reshape(3, 3).T @ (tool - case))
        if 0.3 < gripper < 0.55 and along < 0.035 and across < 0.02 and up < 0.025:
            return Intent(tool + _carry(data), -1.0)
        if along < 0.022 and across < 0.016 and up < 0.015:
            return Intent(case, -1.0)
        if along < 0.018 and across < 0.013:
            return Intent(case, 1.0)
        notebook = data.body("notebook").xpos
        if (tool[0] - notebook[0]) * (case[0] - notebook[0]) < 0 and tool[2] < CLEAR:  # first over the notebook
            return Intent(np.array([*tool[:2], CARRY_HEIGHT]), 1.0)
        # Come in from above, the closer the lower, so that the fingers never sweep the case away.
        over = case[2] + 0.05 + max(0.0, float(np.linalg.norm((tool - case)[:2])) - 0.03)
        return Intent(np.array([case[0], case[1], over]), 1.0)

    def progress(self, model: mujoco.MjModel, data: mujoco.MjData, tool: Vector) -> float:
        """A third of it is the way to the case, the rest the case's: up, over the notebook, and down."""
        behind, aside, height = _case_from_notebook(data)
        left = abs(behind - PLACE_BEHIND) + max(0.0, abs(aside) - PLACE_ASIDE)
        left += max(0.0, CLEAR - height) + CLEAR - CASE_HALF if behind < BEHIND[0] else max(0.0, height - CASE_HALF)
        return (nearness(tool, data.body("pencil_case").xpos) + 2.0 * max(0.0, 1.0 - left / WHOLE_WAY)) / 3.0


def _case_from_notebook(data: mujoco.MjData) -> tuple[float, float, float]:
    """How far the case is behind the notebook, how far to its side, and how high above the table [m]."""
    notebook, case = data.body("notebook"), data.body("pencil_case").xpos
    way = notebook.xmat.reshape(3, 3).T @ (case - notebook.xpos)
    return -float(way[0]), float(way[1]), float(case[2])


def _carry(data: mujoco.MjData) -> Vector:
    """How the held case should move [m]: up before the notebook, over it, down behind it."""
    behind, aside, height = _case_from_notebook(data)
    way = np.array([behind - PLACE_BEHIND, np.clip(aside, -PLACE_ASIDE, PLACE_ASIDE) - aside, 0.0])
    if np.linalg.norm(way) < 0.03:
        way[2] = CASE_HALF - height
    else:
        if height < CLEAR and behind < BEHIND[0] + 0.02:
            way[0] = min(0.0, behind + WAIT)
        way[2] = CARRY_HEIGHT - height
    return data.body("notebook").xmat.reshape(3, 3) @ way
