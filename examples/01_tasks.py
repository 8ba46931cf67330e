"""All tasks on one sheet: what both cameras see when an episode begins, and when its goal holds.

    .venv/bin/python examples/01_tasks.py                     # into docs/tasks.png
    .venv/bin/python examples/01_tasks.py sheet.png 3         # another file and start state

A column per task, in the order that is printed. From above: `front` and `wrist` at the start, `front` and `wrist` at the end of
a scripted demonstration. The images are 64 x 64 pixels, exactly those that classifier and policy get; they are only enlarged.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
from matplotlib.image import imsave

from rewardbot.arguments import call
from rewardbot.robots.demonstrators import ScriptedDemonstrator
from rewardbot.robots.mujoco import MujocoRobot
from rewardbot.robots.tasks import task_names

ENLARGE, GAP = 3, 6


def main(file: str = "docs/tasks.png", start: int = 0) -> None:
    """Demonstrates every task from the start state number `start` and writes the sheet as a PNG."""
    sheet = np.concatenate([column(task, start) for task in task_names()], axis=1)
    Path(file).parent.mkdir(parents=True, exist_ok=True)
    imsave(file, np.ascontiguousarray(np.pad(sheet, ((GAP, 0), (GAP, 0), (0, 0)), constant_values=255)))
    print(f"{file}: {', '.join(task_names())}")


def column(task: str, start: int) -> np.ndarray:
    """The pictures of one task below each other, uint8 (H, W, 3)."""
    robot = MujocoRobot(task)
    operator = ScriptedDemonstrator(robot, noise=0.0)
    first = last = robot.reset(start).images
    for _ in range(robot.task.horizon):
        robot.send(operator.act())
        last = robot.read().images
    robot.close()
    return np.concatenate([framed(image) for images in (first, last) for image in images.values()])


def framed(image: np.ndarray) -> np.ndarray:
    """An image, uint8 (H, W, 3), enlarged so that pixels stay pixels, with white to its right and below."""
    large = image.repeat(ENLARGE, axis=0).repeat(ENLARGE, axis=1)
    return np.pad(large, ((0, GAP), (0, GAP), (0, 0)), constant_values=255)


if __name__ == "__main__":
    call(main)
