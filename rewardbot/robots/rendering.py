"""Off-screen rendering: one reused renderer per camera, cheap flags, and a clear word when the machine cannot draw."""

from __future__ import annotations

import os

os.environ.setdefault("MUJOCO_GL", "egl")

import mujoco

from rewardbot.errors import ConfigError, MissingSystemLibrary
from rewardbot.robots.robot import RobotContract

APT_LINE = "apt-get install -y libegl1 libgl1-mesa-dri libgles2"


def make_renderer(model: mujoco.MjModel, contract: RobotContract) -> dict[str, mujoco.Renderer]:
    """A renderer for each camera of the contract, by name.

    Raises:
        ConfigError: the scene lacks a camera that the contract names.
        MissingSystemLibrary: no off-screen OpenGL here; names the packages.
    """
    scene_cameras = [model.camera(index).name for index in range(model.ncam)]
    renderers: dict[str, mujoco.Renderer] = {}
    for name, camera in contract.cameras.items():
        if name not in scene_cameras:
            raise ConfigError(
                f"The scene has no camera '{name}', which robot '{contract.name}' names.",
                valid=f"Cameras of the scene: {', '.join(scene_cameras)}.",
                next_step="Mend 'cameras' in the robot's file under config/robots.",
            )
        try:
            renderer = mujoco.Renderer(model, height=camera.height, width=camera.width)
        except Exception as error:  # mujoco raises types of its own per back end, PyOpenGL others still
            raise cannot_render(error) from error
        # Shadows alone cost forty times the rest on a software renderer.
        for flag in (mujoco.mjtRndFlag.mjRND_SHADOW, mujoco.mjtRndFlag.mjRND_REFLECTION, mujoco.mjtRndFlag.mjRND_SKYBOX,
                     mujoco.mjtRndFlag.mjRND_HAZE):
            renderer.scene.flags[flag] = 0
        renderers[name] = renderer
    return renderers


def cannot_render(error: Exception) -> MissingSystemLibrary:
    """The error to show when no off-screen OpenGL context can be made."""
    return MissingSystemLibrary(
        f"MuJoCo cannot draw off screen with MUJOCO_GL={os.environ.get('MUJOCO_GL', '')}: {error}".strip(),
        valid="The cameras need EGL (a GPU's, or Mesa's software renderer).",
        next_step=f"Debian and Ubuntu: {APT_LINE}",
    )
