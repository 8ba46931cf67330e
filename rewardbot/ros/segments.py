"""What processes that were killed leave in shared memory: 18 MB each with config/fastdds.xml, and nothing else removes it.

Each process of Fast DDS keeps the lock file of its segment locked as long as it lives, and the kernel lets go of it when it dies.
Whoever makes a segment looks, once it has the lock, whether its file was removed meanwhile, and then makes another. Ports are
no segments, and are small: they stay, see `ports`.
"""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

SHARED_MEMORY = Path("/dev/shm")
FAMILIES = ("fastdds_", "fastrtps_")
LOCK = "_el"
"""Behind the name of a segment or a port: its lock file."""


def dead_segments(folder: Path = SHARED_MEMORY) -> list[Path]:
    """Segments in `folder` that no living process holds, and their lock files.

    Files of other users that cannot be opened are left out.
    """
    return [path for lock in _locks(folder) if is_free(lock) for path in (_segment(lock), lock) if path.exists()]


def held_segments(process: int) -> list[Path]:
    """Segments of a living process, given its id: those whose lock files it has open. It may have mapped others' as well."""
    found = []
    for descriptor in Path(f"/proc/{process}/fd").iterdir():
        with suppress(OSError):  # closed meanwhile
            found.append(descriptor.readlink())
    return [_segment(path) for path in found if path in _locks(SHARED_MEMORY)]


def remove_dead_segments(folder: Path = SHARED_MEMORY) -> None:
    """Removes those of this user's dead processes. Who has one open keeps it in memory until it lets go of it."""
    for lock in _locks(folder):
        with suppress(OSError), _held(lock) as free:  # another process may remove it at the same time
            if free and lock.stat().st_uid == os.geteuid():
                _segment(lock).unlink(missing_ok=True)
                lock.unlink()


def is_free(lock: Path) -> bool:
    """Whether nobody holds a lock file; False if it cannot be opened."""
    try:
        with _held(lock) as free:
            return free
    except OSError:
        return False


@contextmanager
def _held(lock: Path) -> Iterator[bool]:
    """Holds a lock file unless somebody else does; gives whether."""
    descriptor = os.open(lock, os.O_RDONLY)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        free = True
    except BlockingIOError:
        free = False
    try:
        yield free
    finally:
        os.close(descriptor)


def _locks(folder: Path) -> list[Path]:
    return sorted(path for family in FAMILIES for path in folder.glob(f"{family}*{LOCK}")
                  if not path.name.startswith(f"{family}port"))


def _segment(lock: Path) -> Path:
    return lock.with_name(lock.name.removesuffix(LOCK))
