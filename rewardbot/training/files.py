"""Files that are whole or not there: a kill or a full disk leaves the old version, never half of the new one."""

from __future__ import annotations

import contextlib
import errno
import os
from collections.abc import Iterator
from pathlib import Path

from rewardbot.errors import RewardbotError

_NEXT_STEPS = {
    errno.ENOSPC: "Free some space, or name a folder on another disk with --run-dir.",
    errno.EDQUOT: "Your quota is used up: free some space, or name another folder with --run-dir.",
    errno.EROFS: "The disk is mounted read-only: name another folder with --run-dir.",
    errno.EACCES: "You may not write there: name another folder with --run-dir, or mend its permissions.",
    errno.EPERM: "You may not write there: name another folder with --run-dir, or mend its permissions.",
}


class StorageError(RewardbotError):
    """Something could not be stored: full disk, read-only folder. What was stored before is still there."""


@contextlib.contextmanager
def storing(path: Path) -> Iterator[None]:
    """Turns an OSError of the body into a StorageError that names `path` and says what to do."""
    try:
        yield
    except OSError as error:
        raise StorageError(
            f"Cannot write {error.filename or path}: {error.strerror or error}.",
            valid="What was stored before is still there.",
            next_step=_NEXT_STEPS.get(error.errno or 0, "Name another folder with --run-dir."),
        ) from error


@contextlib.contextmanager
def atomic_path(path: Path) -> Iterator[Path]:
    """A path beside `path`, with the same suffix, for the body to write to; it becomes `path` when the body ends well.

    Raises:
        StorageError: it cannot be written; `path` is as it was.
    """
    temporary = path.with_name(f".{path.stem}.{os.getpid()}{path.suffix}")
    with storing(path):
        try:
            yield temporary
            with temporary.open("rb") as file:
                os.fsync(file.fileno())
            temporary.replace(path)
        finally:
            # Gone already when all went well.
            with contextlib.suppress(OSError):
                temporary.unlink()
        sync_folder(path.parent)


def write_atomic(path: Path, content: str | bytes) -> None:
    """Writes a file: temporary file, fsync, rename. Text is UTF-8.

    Raises:
        StorageError: it cannot be written; the file is as it was.
    """
    with atomic_path(path) as temporary:
        temporary.write_bytes(content.encode() if isinstance(content, str) else content)


def try_out(path: Path) -> None:
    """Finds out now that a file cannot be written, not after an hour of measuring.

    Raises:
        StorageError: it cannot.
    """
    probe = path.with_name(f".{path.name}.probe")
    write_atomic(probe, "")
    probe.unlink()


def link_atomic(link: Path, target: str) -> None:
    """Makes the symbolic link `link` point to `target` (relative to the link's folder), whatever it pointed to before.

    Raises:
        StorageError: there is a real file or folder of that name, or it cannot be written.
    """
    temporary = link.with_name(f".{link.name}.{os.getpid()}")
    with storing(link):
        if link.exists() and not link.is_symlink():
            raise StorageError(f"{link} is not a link.", next_step="Move it away, or name another folder with --run-dir.")
        temporary.unlink(missing_ok=True)
        temporary.symlink_to(target)
        temporary.replace(link)


def sync_folder(folder: Path) -> None:
    """Makes a rename in `folder` survive a power cut, on file systems that know of it."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        with contextlib.suppress(OSError):
            os.fsync(descriptor)
    finally:
        os.close(descriptor)
