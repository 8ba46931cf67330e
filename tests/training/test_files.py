"""A write that fails leaves the old file and no rubbish, and says what to do."""

from __future__ import annotations

import errno
import os
from collections.abc import Callable
from pathlib import Path

import pytest

from rewardbot.training.files import StorageError, atomic_path, link_atomic, storing, try_out, write_atomic


def test_write_and_overwrite(tmp_path: Path):
    write_atomic(tmp_path / "a.json", "one")
    write_atomic(tmp_path / "a.json", "zwei ä".encode())
    assert (tmp_path / "a.json").read_text() == "zwei ä"
    assert os.listdir(tmp_path) == ["a.json"]


def test_a_full_disk_keeps_the_old_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    write_atomic(tmp_path / "a.json", "old")

    def full(descriptor: int) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(StorageError, match=r"a\.json: No space left(.|\n)*still there(.|\n)*another place, on another disk"):
        write_atomic(tmp_path / "a.json", "new")
    assert (tmp_path / "a.json").read_text() == "old" and os.listdir(tmp_path) == ["a.json"]


def test_a_body_that_fails_leaves_nothing(tmp_path: Path):
    with pytest.raises(ValueError), atomic_path(tmp_path / "a.png") as temporary:
        assert temporary.suffix == ".png"
        temporary.write_text("half")
        raise ValueError
    assert os.listdir(tmp_path) == []


@pytest.mark.parametrize(("number", "said"), [
    (errno.EROFS, "read-only"), (errno.EACCES, "permissions"), (errno.EIO, "another place"),
    (errno.ENOENT, "Make that folder"),
])
def test_the_next_step_fits_the_error(number: int, said: str):
    with pytest.raises(StorageError) as caught, storing(Path("place")):
        raise OSError(number, os.strerror(number))
    assert "place" in str(caught.value) and said in caught.value.next_step and caught.value.exit_code == 2


@pytest.mark.parametrize("write", [try_out, lambda path: write_atomic(path, "")])
def test_an_error_names_the_file_that_somebody_named(write: Callable[[Path], None], tmp_path: Path):
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(StorageError, match=rf"Cannot write {tmp_path}/file/a\.json: Not a directory"):
        write(tmp_path / "file" / "a.json")
    for folder in (tmp_path, Path("/"), Path()):
        with pytest.raises(StorageError, match=rf"{folder} is a folder(.|\n)*Name a file"):
            write(folder)
    write(tmp_path / "a.json")
    assert set(os.listdir(tmp_path)) <= {"file", "a.json"}


def test_link(tmp_path: Path):
    for target in ("one", "two"):
        link_atomic(tmp_path / "latest", target)
        assert os.readlink(tmp_path / "latest") == target
    assert os.listdir(tmp_path) == ["latest"]
    (tmp_path / "folder").mkdir()
    with pytest.raises(StorageError, match="not a link"):
        link_atomic(tmp_path / "folder", "one")
