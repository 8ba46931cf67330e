"""What a simulated task is: a scene, a randomised start, a true success function for evaluation, and a demonstrator's script.

True state lives in this folder, in `demonstrators.py` and in `takeovers.py` only; learners and classifiers never see it. No task
imports MuJoCo: whoever asks for its name or horizon may be without.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    import mujoco

OBJECT_RANGE = 0.08
"""Half the side of the square in which objects start [m]."""

Vector = NDArray[np.float64]


@dataclass(frozen=True)
class Intent:
    """What a scripted demonstrator wants now: where the tool should be [m, base frame] and the gripper, -1 closed to 1 open."""

    tool: Vector
    gripper: float


class Task(ABC):
    """One task. A subclass per file; the file's name is the task's name and names the scene `sim/<name>.xml`."""

    horizon: int
    """Actions per episode; the episode is then cut off, which is a timeout and not a termination."""

    goal: str
    """One line for people."""

    @abstractmethod
    def randomise(self, model: mujoco.MjModel, data: mujoco.MjData, rng: np.random.Generator) -> None:
        """Writes a random start state of the objects into `data`."""

    @abstractmethod
    def success(self, model: mujoco.MjModel, data: mujoco.MjData, tool: Vector) -> bool:
        """Whether the goal holds now. The truth: for evaluation only."""

    @abstractmethod
    def intent(self, model: mujoco.MjModel, data: mujoco.MjData, tool: Vector, gripper: float) -> Intent:
        """What an operator would do now, from the true state; `gripper` is the opening, 0 to 1. Needs no memory."""

    def progress(self, model: mujoco.MjModel, data: mujoco.MjData, tool: Vector) -> float:
        """How far the task has come, 0 to 1, while the goal does not hold yet. It rises all the way of `intent`, but for a few
        steps in between. The truth: for the stand-in of an operator who watches, see `takeovers.py`, and for nobody else.
        """
        return 0.0

    def places(self, model: mujoco.MjModel, data: mujoco.MjData) -> Vector | None:
        """Where the goal holds, if it is that things are somewhere: of the tool and of each free object, float64 (P, 3) [m, base
        frame], NaN where it does not matter. None: the goal is of another kind.
        """
        return None


def uniform_offset(rng: np.random.Generator, half: float = OBJECT_RANGE) -> Vector:
    """A random (x, y) offset in the square of side 2 `half` [m]."""
    return rng.uniform(-half, half, size=2)


def nearness(here: Vector, there: Vector, far: float = 0.3) -> float:
    """1 at the same place, falling to 0 where they are `far` apart [m]."""
    return max(0.0, 1.0 - float(np.linalg.norm(here - there)) / far)


def place(model: mujoco.MjModel, data: mujoco.MjData, name: str, position: Vector, yaw: float = 0.0) -> None:
    """Puts the free body `name` at `position` [m], turned by `yaw` [rad], at rest."""
    joint = model.joint(name)
    start = int(joint.qposadr[0])
    data.qpos[start : start + 7] = [*position, np.cos(yaw / 2), 0.0, 0.0, np.sin(yaw / 2)]
    velocity = int(joint.dofadr[0])
    data.qvel[velocity : velocity + 6] = 0.0
