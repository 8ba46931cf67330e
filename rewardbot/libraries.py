"""Libraries of the operating system that pip cannot bring, and the Debian 12 packages that hold them. Standard library only.

One list for `rewardbot doctor`, for the errors of rendering, and for tools/make_venv.sh, which runs this file with the system's
Python before there is an environment: `python -m rewardbot.libraries GROUP` prints the packages that are missing.
"""

from __future__ import annotations

import ctypes
import sys

DRAWING = {"libEGL.so.1": "libegl1", "libOpenGL.so.0": "libopengl0"}
"""Loaded by MuJoCo to draw off screen."""

RENDERER = "libgl1-mesa-dri"
"""Mesa's software renderer. EGL finds it at run time, so that no loader can tell whether it is there; a GPU can spare it."""

WINDOWS = {
    "libGL.so.1": "libgl1", "libX11-xcb.so.1": "libx11-xcb1", "libdbus-1.so.3": "libdbus-1-3",
    "libfontconfig.so.1": "libfontconfig1", "libfreetype.so.6": "libfreetype6", "libglib-2.0.so.0": "libglib2.0-0",
    "libxcb-icccm.so.4": "libxcb-icccm4", "libxcb-image.so.0": "libxcb-image0", "libxcb-keysyms.so.1": "libxcb-keysyms1",
    "libxcb-randr.so.0": "libxcb-randr0", "libxcb-render-util.so.0": "libxcb-render-util0",
    "libxcb-render.so.0": "libxcb-render0", "libxcb-shape.so.0": "libxcb-shape0", "libxcb-shm.so.0": "libxcb-shm0",
    "libxcb-sync.so.1": "libxcb-sync1", "libxcb-xfixes.so.0": "libxcb-xfixes0", "libxcb-xinerama.so.0": "libxcb-xinerama0",
    "libxcb-xkb.so.1": "libxcb-xkb1", "libxkbcommon-x11.so.0": "libxkbcommon-x11-0", "libxkbcommon.so.0": "libxkbcommon0",
}
"""What the xcb plugin of PyQt5's wheel is linked against, beside libc and what it carries itself. Needed for windows only."""

GROUPS = {"drawing": DRAWING, "windows": WINDOWS}


def missing(libraries: dict[str, str]) -> dict[str, str]:
    """Those of `libraries` (file name -> package) that the loader does not find."""
    return {name: package for name, package in libraries.items() if not _loads(name)}


def drawing_packages() -> list[str]:
    """Everything that drawing off screen needs on a machine without a GPU."""
    return [*DRAWING.values(), RENDERER]


def apt_line(packages: list[str]) -> str:
    """The command that installs `packages`, without sudo."""
    return f"apt-get install -y {' '.join(packages)}"


def _loads(name: str) -> bool:
    try:
        ctypes.CDLL(name)
    except OSError:
        return False
    return True


def _packages(group: str) -> list[str]:
    if group == "drawing-all":
        return drawing_packages()
    lacking = missing(GROUPS[group])
    return drawing_packages() if lacking and group == "drawing" else list(lacking.values())


if __name__ == "__main__":
    print(*_packages(sys.argv[1]))
