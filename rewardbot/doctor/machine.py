"""Processor, memory, disk and shared memory."""

from __future__ import annotations

import os
import shutil
import uuid
from pathlib import Path

from rewardbot.config import user_path
from rewardbot.doctor.finding import DoctorOptions, Finding
from rewardbot.ros.segments import SHARED_MEMORY, dead_segments

GB = 1e9
SEGMENT_MB = 18
"""What a process takes of /dev/shm with config/fastdds.xml."""

PARTICIPANTS = 8
"""Processes of a graph, with some room."""


def machine(options: DoctorOptions) -> list[Finding]:
    """Cores, memory, and how busy they are: the figures of all other checks depend on that."""
    cores = len(os.sched_getaffinity(0))
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / GB
    return [busy(cores, memory, os.getloadavg()[0])]


def busy(cores: int, memory_gb: float, load: float) -> Finding:
    """A judgement of `load`, the mean number of processes that want a core."""
    found = f"{cores} cores, {memory_gb:.0f} GB, load {load:.1f}"
    values = {"cores": cores, "memory_gb": round(memory_gb, 1), "load": load}
    if cores < 2:
        return Finding("machine", "warning", found, "The main job is made for two cores; give it more --minutes.", values)
    if load > cores:
        return Finding("machine", "warning", found, "Busy: the rates below are too low. End other programs, or look again.", values)
    return Finding("machine", "ok", found, values=values)


def disk(options: DoctorOptions) -> list[Finding]:
    """Whether run folders can be written, and how much fits."""
    return [disk_of(user_path(options.run_dir), options.free_gb)]


def disk_of(folder: Path, least_gb: float) -> Finding:
    """Judges the disk of `folder`, which need not exist: then that of the folder in which it would be made."""
    there = folder.absolute()
    while not there.exists():
        there = there.parent
    if not there.is_dir():
        return Finding("disk", "problem", f"{there} is a file, not a folder", "Move it away, or name another folder with --run-dir.")
    probe = there / f".rewardbot-doctor-{uuid.uuid4().hex}"
    try:
        try:
            with probe.open("wb") as file:
                file.write(bytes(1 << 20))
                os.fsync(file.fileno())
        finally:
            probe.unlink(missing_ok=True)
    except OSError as error:
        mend = "Name another folder with --run-dir, or mend its permissions or space."
        return Finding("disk", "problem", f"cannot write in {there}: {error.strerror}", mend)
    free = shutil.disk_usage(there).free / GB
    found, values = f"{free:.1f} GB free in {there}", {"free_gb": round(free, 2), "folder": str(there)}
    if free < least_gb:
        mend = f"At least {least_gb:g} GB (--free-gb): free some space, or name a folder on another disk with --run-dir."
        return Finding("disk", "problem", found, mend, values)
    return Finding("disk", "ok", found, values=values)


def shared_memory(options: DoctorOptions) -> list[Finding]:
    """Space for Fast DDS's segments, and what processes that were killed left of them."""
    return [space_of(SHARED_MEMORY), leftovers_of(SHARED_MEMORY)]


def space_of(folder: Path) -> Finding:
    """Whether a graph's segments fit into `folder`."""
    name, needed = "shared memory", SEGMENT_MB * PARTICIPANTS
    more = f"A graph needs about {needed} MB: docker run --shm-size=1g, or mount -o remount,size=1g {folder}"
    try:
        free = shutil.disk_usage(folder).free / 1e6
    except OSError as error:
        return Finding(name, "problem", f"{folder}: {error.strerror}", more)
    found, values = f"{free:.0f} MB free in {folder}", {"free_mb": round(free)}
    if free < needed:
        return Finding(name, "problem", found, more, values)
    return Finding(name, "ok", found, values=values)


def leftovers_of(folder: Path) -> Finding:
    """Segments in `folder` whose process is gone."""
    name = "leftover files"
    dead = dead_segments(folder)
    size = sum(path.stat().st_size for path in dead if path.exists()) / 1e6
    if not dead:
        return Finding(name, "ok", f"none in {folder}", values={"files": 0, "mb": 0})
    found = f"{len(dead)} files ({size:.0f} MB) of dead processes in {folder}"
    names = sorted({f"{path.name.split('_')[0]}_*" for path in dead})
    mend = ("The next node that starts removes those of your own programs. All of them, while no ROS program runs: "
            f"cd {folder} && rm -f {' '.join(names)} {' '.join(f'sem.{item}' for item in names)}")
    return Finding(name, "warning", found, mend, {"files": len(dead), "mb": round(size)})
