"""Small recorded episodes for windows: real bags, whose pictures tell episode and step."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from rewardbot.data.episodes import write_episode
from rewardbot.robots.robot import CameraContract, RobotContract
from rewardbot.types import Episode, EpisodeInfo

CONTRACT = RobotContract(name="sim_arm", joint_names=("j1",), control_hz=10.0, cameras={
    "front": CameraContract(48, 32), "wrist": CameraContract(32, 32)})


def episode(name: str, steps: int = 12, *, shade: int = 0) -> Episode:
    """The front camera's red is 10 times the step, its green the episode's `shade`."""
    images = {camera: np.zeros((steps + 1, of.height, of.width, 3), np.uint8) for camera, of in CONTRACT.cameras.items()}
    images["front"][..., 0] = (10 * np.arange(steps + 1, dtype=np.uint8))[:, None, None]
    for of in images.values():
        of[..., 1] = shade
    size = len(CONTRACT.action_names)
    along, same = np.linspace(0.0, 1.0, steps + 1), np.ones(steps + 1)
    proprio = np.stack([along, shade / 255 * same, 0.0 * same, same], 1)
    return Episode(EpisodeInfo(name, "reach", "sim_arm", "play"), np.arange(10, 11 + steps) / 10, images, proprio.astype(np.float32),
                   np.zeros((steps, size), np.float32), np.zeros((steps, size), np.float32))


def make_bags(folder: Path, count: int = 4, steps: int = 12) -> list[Path]:
    """Bags `e0`, `e1` and so on."""
    return [write_episode(folder, episode(f"e{n}", steps, shade=40 * n), CONTRACT) for n in range(count)]
