"""What the simulated cameras are drawn with, and how fast."""

from __future__ import annotations

import os

from rewardbot.doctor.finding import DoctorOptions, Finding
from rewardbot.doctor.run import timed

SLOW = 100.0
"""Observations per second below which drawing, not learning, takes most of the main job's time."""

SECONDS = 1.5


def rendering(options: DoctorOptions) -> list[Finding]:
    """Draws the cell's cameras. What cannot be drawn is raised, with the packages to install."""
    from rewardbot.robots.rendering import check_rendering, renderer_name

    check_rendering()
    from rewardbot.robots.mujoco import MujocoRobot

    robot = MujocoRobot("reach")
    try:
        rate = timed(robot.read, SECONDS)
        sizes = [f"{name} {camera.width}x{camera.height}" for name, camera in robot.contract.cameras.items()]
        return [speed(os.environ["MUJOCO_GL"], renderer_name(), rate, sizes)]
    finally:
        robot.close()


def speed(back_end: str, renderer: str, rate: float, cameras: list[str]) -> Finding:
    """Judges `rate`, the observations of all `cameras` per second."""
    found = f"{back_end} by {renderer}: {rate:.0f} observations/s of {' and '.join(cameras)}"
    values = {"back_end": back_end, "renderer": renderer, "observations_per_s": round(rate, 1), "cameras": cameras}
    if rate < SLOW:
        return Finding("rendering", "warning", found, "Slow: end other programs; a GPU's EGL driver draws faster than llvmpipe.",
                       values)
    return Finding("rendering", "ok", found, values=values)
