"""What is staged is whole or not there, and what was there before is untouched."""

from __future__ import annotations

from pathlib import Path

import pytest

from rewardbot.data.staging import reserve, staged
from rewardbot.errors import DataError
from tests.full_disk import full_disk


def test_a_folder_and_a_file(tmp_path: Path) -> None:
    with staged(tmp_path / "new" / "folder") as place:
        place.mkdir()
        (place / "inside").write_text("1")
        assert not (tmp_path / "new" / "folder").exists()
    with staged(tmp_path / "new" / "file.hdf5") as place:
        place.write_text("2")
    assert sorted(path.name for path in (tmp_path / "new").iterdir()) == ["file.hdf5", "folder"]
    assert (tmp_path / "new/folder/inside").read_text() == "1" and (tmp_path / "new/file.hdf5").read_text() == "2"


def test_an_empty_folder_is_taken(tmp_path: Path) -> None:
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
    with staged(tmp_path / "a") as place:
        place.mkdir()
        (place / "inside").touch()
    with staged(tmp_path / "b") as place:
        place.touch()
    assert (tmp_path / "a/inside").exists() and (tmp_path / "b").is_file()


def test_an_error_leaves_nothing(tmp_path: Path) -> None:
    with pytest.raises(KeyboardInterrupt), staged(tmp_path / "out") as place:
        place.mkdir()
        (place / "half").touch()
        raise KeyboardInterrupt
    with pytest.raises(DataError, match=r"Cannot write \S*out: No such file"), staged(tmp_path / "out"):
        pass  # nothing was made
    assert list(tmp_path.iterdir()) == []


def test_what_a_kill_left_is_removed(tmp_path: Path) -> None:
    (tmp_path / ".out.unfinished").mkdir()
    (tmp_path / ".out.unfinished" / "old").touch()
    (tmp_path / ".out.unfinished.reserved").touch()
    with staged(tmp_path / "out") as place:
        place.mkdir()
    assert [path.name for path in tmp_path.rglob("*")] == ["out"]


def test_what_is_there_stays(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("mine")
    for place, says in ((tmp_path, "is not empty"), (tmp_path / "file", "exists already"), (Path("/"), "is not empty"),
                        (tmp_path / "file" / "out", "Cannot write"), (Path("/sys/rewardbot"), "Cannot write")):
        with pytest.raises(DataError, match=says), staged(place) as temporary:
            temporary.mkdir()
    assert [path.name for path in tmp_path.iterdir()] == ["file"] and (tmp_path / "file").read_text() == "mine"


def test_reserve(tmp_path: Path) -> None:
    reserve(tmp_path / "out", 1 << 20)
    with full_disk(100_000), pytest.raises(OSError, match="too large"):
        reserve(tmp_path / "out", 1 << 20)
    assert list(tmp_path.iterdir()) == []
