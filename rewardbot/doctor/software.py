"""Python, its packages and the system's libraries."""

from __future__ import annotations

import importlib.metadata
import platform
import re
import sys
from collections.abc import Iterable, Mapping

from rewardbot import libraries as system
from rewardbot.config import share_path
from rewardbot.doctor.finding import DoctorOptions, Finding
from rewardbot.errors import ConfigError

OLDEST_PYTHON = (3, 11)
DISTRIBUTION = "rewardbot"


def python(options: DoctorOptions) -> list[Finding]:
    """The interpreter."""
    return [interpreter(sys.version_info[:3], sys.prefix != sys.base_prefix)]


def interpreter(version: tuple[int, ...], in_venv: bool) -> Finding:
    """Judges a Python `version`."""
    text = ".".join(map(str, version))
    where = "in a virtual environment" if in_venv else "not in a virtual environment"
    found, values = f"{text} {where}: {sys.executable}", {"version": text, "platform": platform.platform()}
    if version[:2] < OLDEST_PYTHON:
        return Finding("Python", "problem", found, "make venv PYTHON=/path/to/python3.11", values)
    return Finding("Python", "ok", found, values=values)


def packages(options: DoctorOptions) -> list[Finding]:
    """What is installed beside what was tested together."""
    installed = {_canonical(item.metadata["Name"]): item.version for item in importlib.metadata.distributions()
                 if item.metadata["Name"]}
    try:
        required = importlib.metadata.requires(DISTRIBUTION) or []
    except importlib.metadata.PackageNotFoundError:
        required = None
    try:
        tested = constraints(share_path("constraints.txt").read_text())
    except ConfigError:  # an install without the source tree
        tested = {}
    return [compared(required, tested, installed)]


def compared(required: Iterable[str] | None, tested: Mapping[str, str], installed: Mapping[str, str]) -> Finding:
    """Judges what is installed.

    Args:
        required: our requirements as in a package's metadata; None if we are not installed, but run from a source tree.
        tested: package -> the version with which we were tested.
        installed: package -> version.
    """
    # What belongs to an extra is not required; that `ros` lacks is told by the check of rclpy.
    needed = [_canonical(re.split(r"[ ;<>=!~\[(]", item, maxsplit=1)[0]) for item in required or () if "extra ==" not in item]
    lacking = sorted(name for name in needed if name not in installed)
    other = {name: f"{installed[name]} (tested: {version})" for name, version in tested.items()
             if installed.get(name, version).partition("+")[0] != version}
    values = {"missing": lacking, "other_versions": other, "installed": required is not None}
    if lacking:
        return Finding("packages", "problem", f"missing: {', '.join(lacking)}", f"make venv, or pip install {' '.join(lacking)}",
                       values)
    if other:
        shown = ", ".join(f"{name} {text}" for name, text in sorted(other.items())[:5])
        more = f" and {len(other) - 5} more" if len(other) > 5 else ""
        return Finding("packages", "warning", f"of other versions: {shown}{more}",
                       "make venv, or pip install -c constraints.txt with the names of these packages", values)
    if required is None:
        return Finding("packages", "note", "of the tested versions; rewardbot itself is not installed, but run from its source",
                       "pip install --no-build-isolation -e . (make venv does it)", values)
    found = "of the tested versions" if tested else "all there (constraints.txt is not, to compare versions with)"
    return Finding("packages", "ok", found, values=values)


def constraints(text: str) -> dict[str, str]:
    """Package -> version of a file of lines `name==version`."""
    lines = (line.partition("#")[0].strip() for line in text.splitlines())
    return {_canonical(name): version for name, separator, version in (line.partition("==") for line in lines) if separator}


def _canonical(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


def libraries(options: DoctorOptions) -> list[Finding]:
    """Libraries of the operating system."""
    return [drawing(system.missing(system.DRAWING)), windows(system.missing(system.WINDOWS))]


def drawing(missing: Mapping[str, str]) -> Finding:
    """Judges missing libraries (file -> package) of drawing off screen."""
    if missing:
        return Finding("EGL libraries", "problem", f"missing: {', '.join(missing)}",
                       f"as root: {system.apt_line(system.drawing_packages())}", {"missing": list(missing)})
    return Finding("EGL libraries", "ok", "all there", values={"missing": []})


def windows(missing: Mapping[str, str]) -> Finding:
    """Judges missing libraries (file -> package) of PyQt5's windows, without which everything else works."""
    if missing:
        return Finding("window libraries", "warning", f"missing: {', '.join(missing)}",
                       f"for windows only, as root: {system.apt_line(list(missing.values()))}", {"missing": list(missing)})
    return Finding("window libraries", "ok", "all there (PyQt5's xcb)", values={"missing": []})
