"""Generations of a checkpoint: each a folder that is whole or not there at all. The newest two are kept.

    generation-00000012/    files, and generation.json with the digest of each
    newest                  link to the newest generation
    policy.safetensors ...  links to its files, for people

A generation is written under another name, handed to the disk, and renamed. What damages it afterwards shows by the digests.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import shutil
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path

from rewardbot.errors import DataError
from rewardbot.training.files import link_atomic, storing, sync_folder

KEPT = 2
MANIFEST, NEWEST = "generation.json", "newest"
_NAME = re.compile(r"generation-(\d{8,})")
_NEXT_STEP = "Use another run's checkpoint, or start without 'resume'."
Warn = Callable[[str], object]


def write(folder: Path, files: Mapping[str, bytes], *, starter: str = "", links: Sequence[str] = (), keep: int = KEPT) -> Path:
    """Writes a generation and removes those that are older than the newest `keep`.

    Args:
        folder: of all generations; made if need be.
        files: name -> content.
        starter: who started the process that writes, see `starter_of`.
        links: names of files to which `folder` gets links.

    Raises:
        StorageError: it cannot be written; all earlier ones are as they were.
    """
    with storing(folder):
        folder.mkdir(parents=True, exist_ok=True)
    for left in folder.glob(".generation-*"):  # by a writer that was killed
        shutil.rmtree(left, ignore_errors=True)
    earlier = numbered(folder)
    name = f"generation-{1 + max(earlier, default=0):08d}"
    part = folder / f".{name}"
    digests = {file: hashlib.sha256(content).hexdigest() for file, content in files.items()}
    manifest = json.dumps({"files": digests, "starter": starter}, indent=1).encode()
    with storing(folder / name):
        try:
            part.mkdir()
            for file, content in (*files.items(), (MANIFEST, manifest)):
                with (part / file).open("wb") as stream:
                    stream.write(content)
                    stream.flush()
                    os.fsync(stream.fileno())
            sync_folder(part)
            part.rename(folder / name)
        finally:
            shutil.rmtree(part, ignore_errors=True)  # gone already when all went well
        sync_folder(folder)
    link_atomic(folder / NEWEST, name)
    for file in links:
        if not (folder / file).is_symlink():
            (folder / file).unlink(missing_ok=True)  # as an earlier version left it
            link_atomic(folder / file, f"{NEWEST}/{file}")
    for number in sorted(earlier)[: len(earlier) + 1 - keep]:
        shutil.rmtree(earlier[number], ignore_errors=True)
    return folder / name


def numbered(folder: Path) -> dict[int, Path]:
    """The generations in a folder by number, whole or not."""
    found = {path: _NAME.fullmatch(path.name) for path in (folder.iterdir() if folder.is_dir() else ())}
    return {int(match[1]): path for path, match in found.items() if match}


def newest_whole(folder: Path, names: Iterable[str], warn: Warn) -> Iterator[tuple[Path, dict[str, bytes]]]:
    """The whole generations, newest first, each with the content of the files `names`. Says which are damaged, and how."""
    for _, path in sorted(numbered(folder).items(), reverse=True):
        try:
            yield path, read(path, names)
        except DataError as error:
            warn(f"{error.what} The one before it is used, if there is one.")


def read(path: Path, names: Iterable[str]) -> dict[str, bytes]:
    """The files `names` of a generation.

    Raises:
        DataError: one is missing or is not what was written.
    """
    digests = _manifest(path).get("files", {})
    found: dict[str, bytes] = {}
    for name in names:
        try:
            found[name] = (path / name).read_bytes()
        except OSError as error:
            raise DataError(f"The checkpoint {path} is damaged: {name}: {error.strerror}.", next_step=_NEXT_STEP) from None
        if hashlib.sha256(found[name]).hexdigest() != digests.get(name):
            raise DataError(f"The checkpoint {path} is damaged: {name} is not what was written ({len(found[name])} bytes).",
                            next_step=_NEXT_STEP)
    return found


def set_aside(path: Path) -> None:
    """Renames a damaged generation, so that it does not push out a whole one; it is kept for people."""
    with storing(path):
        path.rename(path.with_name(f"damaged-{path.name}"))


def starter_of(folder: Path) -> str:
    """The `starter` of the newest generation; empty when there is none, or when it cannot be read."""
    try:
        return str(_manifest(folder / NEWEST).get("starter", ""))
    except DataError:
        return ""


def _manifest(path: Path) -> dict[str, dict[str, str]]:
    try:
        found = json.loads((path / MANIFEST).read_text())
        if isinstance(found, dict) and isinstance(found.get("files"), dict):
            return found
    except (OSError, ValueError):
        pass
    raise DataError(f"The checkpoint {path} is damaged: {MANIFEST} cannot be read.",
                    valid="A checkpoint of an earlier version of rewardbot has none.", next_step=_NEXT_STEP)
