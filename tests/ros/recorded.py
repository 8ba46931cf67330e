"""Bags as a recorder leaves them, without a graph: what happened is simulated, and the pictures are noise."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from rewardbot.data.episodes import DEMONSTRATIONS, EPISODES, write_episode
from rewardbot.robots.mujoco import MujocoRobot
from rewardbot.robots.robot import load_contract
from rewardbot.types import Episode, EpisodeInfo, Source

QUICK = """/**:
  ros__parameters:
    bc: {steps: 2}
    plain_bc: {steps: 2}
    classifier: {first_steps: 2}
    preference: {steps: 10, hidden: 8}
    refit_s: 0.1
"""
"""A parameter file of a learner that learns next to nothing, at once."""


def record(run_folder: Path, count: int, *, steps: int = 10, first: int = 0, source: Source = "policy") -> list[Path]:
    """Bags of `lift` in which a hand wanders, and calls that a success."""
    contract = load_contract()
    robot = MujocoRobot("lift", contract, render=False)
    found: list[Path] = []
    for seed in range(first, first + count):
        draw = np.random.default_rng(seed)
        observed, applied = [robot.reset(seed)], []
        for _ in range(steps):
            applied.append(robot.send(draw.uniform(-1.0, 1.0, 4)))
            observed.append(robot.read())
        images = {name: draw.integers(0, 256, (steps + 1, camera.height, camera.width, 3), dtype=np.uint8)
                  for name, camera in contract.cameras.items()}
        info = EpisodeInfo(f"{source}-{seed}", "lift", contract.name, source, seed=seed, success=True)
        folder = run_folder / (DEMONSTRATIONS if source == "demonstration" else EPISODES)
        found.append(write_episode(folder, Episode(
            info, np.array([one.stamp + 1.0 for one in observed]), images, np.stack([one.proprio for one in observed]),
            np.stack(applied), np.stack(applied)), contract))
    robot.close()
    return found
