"""A write that fails leaves the old file and no rubbish, and says what to do."""

from __future__ import annotations

import errno
import os
from pathlib import Path

import pytest

from rewardbot.training.files import StorageError, atomic_path, link_atomic, storing, write_atomic


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
    with pytest.raises(StorageError, match=r"a\.json: No space left(.|\n)*still there(.|\n)*--run-dir"):
        write_atomic(tmp_path / "a.json", "new")
    assert (tmp_path / "a.json").read_text() == "old" and os.listdir(tmp_path) == ["a.json"]


def test_a_body_that_fails_leaves_nothing(tmp_path: Path):
    with pytest.raises(ValueError), atomic_path(tmp_path / "a.png") as temporary:
        assert temporary.suffix == ".png"
        temporary.write_text("half")
        raise ValueError
    assert os.listdir(tmp_path) == []


@pytest.mark.parametrize(("number", "said"), [
    (errno.EROFS, "read-only"), (errno.EACCES, "permissions"), (errno.EIO, "--run-dir"),
])
def test_the_next_step_fits_the_error(number: int, said: str):
    with pytest.raises(StorageError) as caught, storing(Path("place")):
        raise OSError(number, os.strerror(number))
    assert "place" in str(caught.value) and said in caught.value.next_step and caught.value.exit_code == 2


def test_link(tmp_path: Path):
    for target in ("one", "two"):
        link_atomic(tmp_path / "latest", target)
        assert os.readlink(tmp_path / "latest") == target
    assert os.listdir(tmp_path) == ["latest"]
    (tmp_path / "folder").mkdir()
    with pytest.raises(StorageError, match="not a link"):
        link_atomic(tmp_path / "folder", "one")
