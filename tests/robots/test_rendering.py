"""A machine that cannot draw says which packages it lacks, whatever the way in which drawing fails."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from rewardbot.robots.rendering import APT_LINE, check_rendering

PROGRAM = """
from rewardbot.errors import MissingSystemLibrary
try:
    from rewardbot.robots.mujoco import MujocoRobot
    from rewardbot.robots.rendering import check_rendering
    check_rendering()
    MujocoRobot("reach")
except MissingSystemLibrary as error:
    print(error)
    raise SystemExit(2)
"""


def test_this_machine_draws():
    check_rendering()


def test_the_software_renderer_has_no_threads_that_an_image_would_wait_for():
    check_rendering()
    threads = [task.joinpath("comm").read_text() for task in Path("/proc/self/task").iterdir()]
    assert not [name for name in threads if name.startswith("llvmpipe")]


@pytest.mark.parametrize("broken", [
    {"MUJOCO_GL": "egl", "__EGL_VENDOR_LIBRARY_DIRS": "/nonexistent", "__EGL_VENDOR_LIBRARY_FILENAMES": ""},
    {"MUJOCO_GL": "no-such-back-end"},
    {"MUJOCO_GL": "disabled"},
])
def test_the_error_names_the_packages(broken: dict[str, str]):
    result = subprocess.run([sys.executable, "-c", PROGRAM], env={**os.environ, **broken}, capture_output=True, text=True,
                            timeout=120, check=False)
    assert result.returncode == 2, result.stderr
    assert APT_LINE in result.stdout and f"MUJOCO_GL={broken['MUJOCO_GL']}" in result.stdout
    assert ("Unset MUJOCO_GL" in result.stdout) == (broken["MUJOCO_GL"] != "egl")
    assert "Traceback" not in result.stderr


def test_a_missing_libegl_is_named_at_import(tmp_path):
    """PyOpenGL then fails inside `import mujoco` with an AttributeError; a stand-in does the same."""
    package = tmp_path / "OpenGL"
    package.mkdir()
    (package / "__init__.py").write_text("")
    (package / "EGL.py").write_text("None.eglQueryString")
    result = subprocess.run([sys.executable, "-c", PROGRAM], capture_output=True, text=True, timeout=120, check=False,
                            env={**os.environ, "MUJOCO_GL": "egl",
                                 "PYTHONPATH": f"{tmp_path}{os.pathsep}{os.environ.get('PYTHONPATH', '')}"})
    assert result.returncode == 2, result.stderr
    assert APT_LINE in result.stdout
