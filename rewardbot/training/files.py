"""Files that are whole or not there: a kill or a full disk leaves the old version, never half of the new one."""

from __future__ import annotations

import contextlib
import errno
import os
from collections.abc import Iterator
from pathlib import Path

from rewardbot.errors import RewardbotError

_NEXT_STEPS = {
    errno.ENOENT: "Make that folder first, or name {elsewhere}.",
    errno.ENOSPC: "Free some space, or name {elsewhere}, on another disk.",
    errno.EDQUOT: "Your quota is used up: free some space, or name {elsewhere}.",
    errno.EROFS: "The disk is mounted read-only: name {elsewhere}.",
    errno.EACCES: "You may not write there: name {elsewhere}, or mend its permissions.",
    errno.EPERM: "You may not write there: name {elsewhere}, or mend its permissions.",
}


class StorageError(RewardbotError):
    """Something could not be stored: full disk, read-only folder. What was stored before is still there."""


@contextlib.contextmanager
def storing(path: Path, elsewhere: str = "another place") -> Iterator[None]:
    """Turns an OSError of the body into a StorageError that names its file, or `path`, and says what to do.

    Args:
        path: what the body writes.
        elsewhere: what to name instead, in words, such as an option.
    """
    try:
        yield
    except OSError as error:
        raise StorageError(
            f"Cannot write {error.filename or path}: {error.strerror or error}.",
            valid="What was stored before is still there.",
            next_step=_NEXT_STEPS.get(error.errno or 0, "Name {elsewhere}.").format(elsewhere=elsewhere),
        ) from error


@contextlib.contextmanager
def atomic_path(path: Path) -> Iterator[Path]:
    """A path beside `path`, with the same suffix, for the body to write to; it becomes `path` when the body ends well.

    Raises:
        StorageError: it cannot be written; `path` is as it was.
    """
    _refuse_folder(path)
    temporary = path.with_name(f".{path.stem}.{os.getpid()}{path.suffix}")
    with storing(path):
        try:
            yield temporary
            with temporary.open("rb") as file:
                os.fsync(file.fileno())
            temporary.replace(path)
        except OSError as error:
            if error.filename == str(temporary):
                error.filename = str(path)  # the one that somebody knows
            raise
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
    _refuse_folder(path)
    probe = path.with_name(f".{path.name}.probe")
    with storing(path):
        try:
            probe.write_bytes(b"")
            probe.unlink()
        except OSError as error:
            error.filename = str(path)
            raise


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


def _refuse_folder(path: Path) -> None:
    if path.is_dir():
        raise StorageError(f"{path} is a folder.", next_step="Name a file.")
