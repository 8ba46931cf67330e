"""Off-screen rendering: one reused renderer per camera, cheap flags, and a clear word when the machine cannot draw.

Import this before `mujoco`: that fails with an AttributeError from deep inside when libEGL is missing, this one with the
packages to install.
"""

from __future__ import annotations

import os

from rewardbot.errors import ConfigError, MissingSystemLibrary
from rewardbot.libraries import apt_line, drawing_packages
from rewardbot.robots.robot import RobotContract

APT_LINE = apt_line(drawing_packages())
"""Debian 12's packages: the loader, the OpenGL calls, and Mesa's software renderer, which a machine with a GPU can spare."""


def cannot_render(error: BaseException) -> MissingSystemLibrary:
    """The error to show when no off-screen OpenGL context can be made."""
    back_end = os.environ.get("MUJOCO_GL", "")
    if back_end == "egl":
        next_step = f"Debian and Ubuntu, as root: {APT_LINE}"
    else:
        next_step = f"Unset MUJOCO_GL, so that EGL is used; if that fails too, as root: {APT_LINE}"
    return MissingSystemLibrary(
        f"MuJoCo cannot draw off screen with MUJOCO_GL={back_end}: {str(error).strip()}",
        valid="The cameras need EGL (a GPU's, or Mesa's software renderer).",
        next_step=next_step,
    )


os.environ.setdefault("MUJOCO_GL", "egl")
# Mesa's software renderer draws in the caller's thread: at 64 and 128 px handing the work to threads of its own costs more than
# they save, and on a busy machine each image would wait until they get their turn.
os.environ.setdefault("LP_NUM_THREADS", "0")
try:
    import mujoco
except (ImportError, AttributeError, OSError, RuntimeError) as missing:  # which one depends on the library that is missing
    raise cannot_render(missing) from missing

_SMALLEST_SCENE = "<mujoco><worldbody><geom size='1'/></worldbody></mujoco>"


def check_rendering() -> None:
    """Draws one small image off screen, so that a missing library shows before a long job begins.

    Raises:
        MissingSystemLibrary: it cannot be drawn; `next_step` holds the apt line.
    """
    model = mujoco.MjModel.from_xml_string(_SMALLEST_SCENE)
    data = mujoco.MjData(model)
    mujoco.mj_forward(model, data)
    try:
        with mujoco.Renderer(model, height=8, width=8) as renderer:
            renderer.update_scene(data)
            renderer.render()
    except Exception as error:  # mujoco raises types of its own per back end, PyOpenGL others still
        raise cannot_render(error) from error


def renderer_name() -> str:
    """What OpenGL draws with, such as "llvmpipe (LLVM 15.0.6, 256 bits)"; empty before the first `mujoco.Renderer` was made."""
    import OpenGL.GL as gl

    name = gl.glGetString(gl.GL_RENDERER)
    return name.decode(errors="replace") if name else ""


def make_renderer(
    model: mujoco.MjModel, contract: RobotContract, *, shadows: bool = False
) -> dict[str, mujoco.Renderer]:
    """A renderer for each camera of the contract, by name; without `shadows` the scene's lamps throw none.

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
        # Shadows alone cost many times the rest on a software renderer; see `rewardbot bench sim`.
        renderer.scene.flags[mujoco.mjtRndFlag.mjRND_SHADOW] = int(shadows)
        for flag in (mujoco.mjtRndFlag.mjRND_REFLECTION, mujoco.mjtRndFlag.mjRND_SKYBOX, mujoco.mjtRndFlag.mjRND_HAZE):
            renderer.scene.flags[flag] = 0
        renderers[name] = renderer
    return renderers
