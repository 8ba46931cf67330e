"""What the robot sees: a scripted demonstrator does a task once, and the camera images become a strip of pictures.

    .venv/bin/python examples/00_look.py                      # lift, into docs/lift.png
    .venv/bin/python examples/00_look.py push push.png 3      # another task, file and start state

Above the `front` camera, below it the `wrist` camera, from left to right in time. The images are 64 x 64 pixels, exactly
those that classifier and policy get; they are only enlarged.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
from matplotlib.image import imsave

from rewardbot.arguments import call
from rewardbot.robots.demonstrators import ScriptedDemonstrator
from rewardbot.robots.mujoco import MujocoRobot
from rewardbot.robots.robot import load_contract
from rewardbot.training.collect import run_episode
from rewardbot.types import EpisodeInfo

PICTURES, ENLARGE, GAP = 7, 3, 6


def main(task: str = "lift", file: str = "", start: int = 0) -> None:
    """Demonstrates `task` from the start state number `start` and writes the strip as a PNG, of another task here."""
    file = file or ("docs/lift.png" if (task, start) == ("lift", 0) else f"{task}.png")
    robot = MujocoRobot(task, load_contract("sim_arm"))
    operator = ScriptedDemonstrator(robot, noise=0.2, seed=0)
    operator.begin_episode(start)
    info = EpisodeInfo(f"look-{task}", task, robot.contract.name, "demonstration", seed=start)
    episode, truth = run_episode(robot, lambda observation: operator.act(), info)
    robot.close()

    steps = np.linspace(0, len(episode), PICTURES).round().astype(int)
    rows = [np.concatenate([framed(images[step]) for step in steps], axis=1) for images in episode.images.values()]
    strip = np.pad(np.concatenate(rows), ((GAP, 0), (GAP, 0), (0, 0)), constant_values=255)
    Path(file).parent.mkdir(parents=True, exist_ok=True)
    imsave(file, np.ascontiguousarray(strip))
    print(f"{file}: {', '.join(episode.images)} at steps {', '.join(map(str, steps))} of {len(episode)}; "
          f"at the end the goal {'holds' if truth[-1] else 'does not hold'}")


def framed(image: np.ndarray) -> np.ndarray:
    """An image, uint8 (H, W, 3), enlarged so that pixels stay pixels, with white to its right and below."""
    large = image.repeat(ENLARGE, axis=0).repeat(ENLARGE, axis=1)
    return np.pad(large, ((0, GAP), (0, GAP), (0, 0)), constant_values=255)


if __name__ == "__main__":
    call(main)
