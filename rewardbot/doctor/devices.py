"""GPU, cameras and hand-held devices. Nobody needs them for the simulated cell: what is not there is a note."""

from __future__ import annotations

import os
import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from rewardbot.doctor.finding import DoctorOptions, Finding

SPACEMOUSE_VENDORS = {"256F", "046D"}
"""3Dconnexion, and Logitech, which sold them before."""


def gpu(options: DoctorOptions) -> list[Finding]:
    """What torch can compute on."""
    import torch

    found = [(torch.cuda.get_device_name(index), torch.cuda.get_device_properties(index).total_memory / 1e9)
             for index in range(torch.cuda.device_count())] if torch.cuda.is_available() else []
    there = shutil.which("nvidia-smi") is not None or any(Path("/dev").glob("nvidia[0-9]*"))
    return [gpus(found, torch.__version__, torch.version.cuda or torch.version.hip or "", there)]


def gpus(found: Sequence[tuple[str, float]], version: str, platform: str, hardware: bool) -> Finding:
    """Judges the GPUs that torch finds.

    Args:
        found: name and memory [GB] of each.
        version: torch's version.
        platform: version of CUDA or HIP for which torch was built; empty for a CPU build.
        hardware: whether the machine seems to have one.
    """
    build = f"torch {version} ({f'for CUDA or HIP {platform}' if platform else 'a CPU build'})"
    values = {"gpus": [{"name": name, "memory_gb": round(memory, 1)} for name, memory in found], "torch": version,
              "platform": platform}
    if found:
        return Finding("GPU", "ok", f"{', '.join(f'{name}, {memory:.0f} GB' for name, memory in found)}; {build}", values=values)
    if hardware:
        mend = "nvidia-smi tells whether the driver works." if platform else \
            "pip install --force-reinstall torch with the CUDA index of pytorch.org/get-started"
        return Finding("GPU", "warning", f"there is one, but torch cannot use it: {build}", mend, values)
    return Finding("GPU", "note", f"none; {build}", "The main job needs none.", values)


def cameras(options: DoctorOptions) -> list[Finding]:
    """Video devices."""
    return [video(Path("/dev"), Path("/sys/class/video4linux"))]


def video(dev: Path, sys: Path) -> Finding:
    """The cameras in `dev`, with their names from `sys`."""
    found = {path: _text(sys / path.name / "name") or "unnamed" for path in sorted(dev.glob("video*"))}
    if not found:
        return Finding("cameras", "note", "none (/dev/video*)", "The simulated cell needs none.", {"cameras": {}})
    text = ", ".join(f"{path.name}: {name}" for path, name in found.items())
    values = {"cameras": {path.name: name for path, name in found.items()}}
    return _permitted("cameras", text, list(found), "video", values)


def joystick(options: DoctorOptions) -> list[Finding]:
    """Hand-held devices for teleoperation."""
    return [pads(Path("/dev/input")), spacemouse(Path("/dev"), Path("/sys/class/hidraw"))]


def pads(folder: Path) -> Finding:
    """Joysticks and gamepads in `folder`, /dev/input."""
    found = sorted(folder.glob("js*"))
    if not found:
        return Finding("joystick", "note", f"none ({folder}/js*)", "The simulated operator needs none.", {"joysticks": []})
    # Newer programs read the event devices, which cannot be told apart by name: some of them readable is enough.
    events = sorted(folder.glob("event*"))
    blocked = [*(path for path in found if not os.access(path, os.R_OK)),
               *(events if events and not any(os.access(path, os.R_OK) for path in events) else [])]
    return _blocked("joystick", ", ".join(path.name for path in found), blocked, "input", {"joysticks": [p.name for p in found]})


def spacemouse(dev: Path, sys: Path) -> Finding:
    """A SpaceMouse among the hidraw devices that `sys` describes."""
    found: list[Path] = []
    for folder in sorted(sys.glob("hidraw*")):
        lines = (line.partition("=") for line in _text(folder / "device" / "uevent").splitlines())
        fields = {key: value for key, _, value in lines}
        vendor = (fields.get("HID_ID", "").split(":") + ["", ""])[1][-4:].upper()
        if vendor in SPACEMOUSE_VENDORS and any(word in fields.get("HID_NAME", "") for word in ("Space", "3Dconnexion")):
            found.append(dev / folder.name)
    if not found:
        return Finding("SpaceMouse", "note", "none", "Optional.", {"devices": []})
    return _permitted("SpaceMouse", ", ".join(path.name for path in found), found, "plugdev", {"devices": [p.name for p in found]})


def _permitted(name: str, found: str, paths: list[Path], group: str, values: Mapping[str, Any]) -> Finding:
    return _blocked(name, found, [path for path in paths if not os.access(path, os.R_OK | os.W_OK)], group, values)


def _blocked(name: str, found: str, blocked: list[Path], group: str, values: Mapping[str, Any]) -> Finding:
    """A finding about devices of which some may not be opened."""
    if blocked:
        return Finding(name, "warning", f"{found}; no permission for {', '.join(map(str, blocked[:4]))}",
                       f"sudo usermod -aG {group} $USER, then log in again", values)
    return Finding(name, "ok", found, values=values)


def _text(path: Path) -> str:
    try:
        return path.read_text(errors="replace").strip()
    except OSError:
        return ""
