"""What the dead leave in shared memory is found and removed, and nothing else."""

from __future__ import annotations

import fcntl
import os
from pathlib import Path

import pytest

from rewardbot.ros.segments import dead_segments, is_free, remove_dead_segments

NAMES = ("fastdds_aa", "fastrtps_bb", "fastdds_cc", "fastdds_port7411", "other")


@pytest.fixture
def shm(tmp_path: Path) -> Path:
    """Segments, a port and something else, each with a lock that nobody holds."""
    for name in NAMES:
        (tmp_path / name).touch()
        (tmp_path / f"{name}_el").touch()
    return tmp_path


def names(folder: Path) -> set[str]:
    return {path.name for path in folder.iterdir() if not path.name.endswith("_el")}


def test_whoever_holds_a_lock_keeps_its_segment(shm: Path) -> None:
    with (shm / "fastdds_cc_el").open() as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        assert not is_free(shm / "fastdds_cc_el")
        assert [path.name for path in dead_segments(shm)] == ["fastdds_aa", "fastdds_aa_el", "fastrtps_bb", "fastrtps_bb_el"]
        remove_dead_segments(shm)
        assert names(shm) == {"fastdds_cc", "fastdds_port7411", "other"} and (shm / "fastdds_cc_el").exists()
    remove_dead_segments(shm)
    assert names(shm) == {"fastdds_port7411", "other"} and not (shm / "fastdds_cc_el").exists()
    assert dead_segments(shm) == []


def test_a_lock_whose_segment_is_gone_goes_too(shm: Path) -> None:
    (shm / "fastdds_aa").unlink()
    assert (shm / "fastdds_aa_el") in dead_segments(shm)
    remove_dead_segments(shm)
    assert not (shm / "fastdds_aa_el").exists()


@pytest.mark.skipif(os.geteuid() != 0, reason="only root may give files away")
def test_others_clean_up_for_themselves(shm: Path) -> None:
    os.chown(shm / "fastdds_aa_el", 12345, -1)
    remove_dead_segments(shm)
    assert names(shm) == {"fastdds_aa", "fastdds_port7411", "other"}


def test_without_shared_memory_there_is_nothing_to_do(tmp_path: Path) -> None:
    remove_dead_segments(tmp_path / "missing")
    assert dead_segments(tmp_path / "missing") == [] and not is_free(tmp_path / "missing")
