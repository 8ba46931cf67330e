"""A folder or file that is whole or not there: made beside its place under a hidden name, then renamed."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from rewardbot.config import user_path
from rewardbot.errors import DataError


@contextmanager
def staged(place: Path) -> Iterator[Path]:
    """A path beside `place` for the body to make a folder or a file at; it is on the disk as `place` when the body ends well.

    A kill leaves `.<name>.unfinished`, which the next attempt removes.

    Raises:
        DataError: `place` is a file or holds something, or cannot be written; then nothing has changed there.
    """
    place = user_path(place).resolve()
    with writing(place):
        if place.is_dir() and any(place.iterdir()):
            raise DataError(f"{place} is not empty.", valid="A new or empty folder.", next_step="Name another one, or empty it.")
        if place.exists() and not place.is_dir():
            raise DataError(f"{place} exists already.", next_step="Name another file, or delete it.")
        temporary = place.with_name(f".{place.name}.unfinished")
        remove(temporary)
        remove(_reserved(temporary))
        place.parent.mkdir(parents=True, exist_ok=True)
        try:
            yield temporary
            for path in (temporary, *temporary.rglob("*")):
                sync(path)
            if temporary.is_file() and place.is_dir():
                place.rmdir()  # an empty folder
            temporary.rename(place)
        finally:
            remove(temporary)
        sync(place.parent)


@contextmanager
def writing(place: Path) -> Iterator[None]:
    """Turns an OSError of the body into a DataError that names `place`."""
    try:
        yield
    except OSError as error:
        raise DataError(f"Cannot write {place}: {error.strerror or error}.", valid="What was there before is still there.",
                        next_step="Free some space, mend the permissions, or name another place.") from error


def reserve(place: Path, size: int) -> None:
    """Finds out whether `size` more bytes fit beside `place`: HDF5 survives no full disk, it can end the process.

    Raises:
        OSError: they do not.
    """
    file = _reserved(place)
    try:
        with file.open("wb") as reserved:
            os.posix_fallocate(reserved.fileno(), 0, size)
    finally:
        file.unlink(missing_ok=True)


def remove(path: Path) -> None:
    """Deletes a file or a folder with all that is in it, if it is there."""
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)


def sync(path: Path) -> None:
    """Makes a file, or the names in a folder, survive a power cut."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _reserved(place: Path) -> Path:
    return place.with_name(f"{place.name}.reserved")
