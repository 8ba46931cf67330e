"""Disk, shared memory and load; problems are made to happen where that is possible."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from rewardbot.doctor import machine
from rewardbot.doctor.finding import DoctorOptions


def test_a_busy_machine_is_named():
    assert machine.busy(2, 8.0, 1.5).level == "ok"
    assert machine.busy(2, 8.0, 2.5).level == "warning" and machine.busy(1, 8.0, 0.0).level == "warning"
    assert machine.machine(DoctorOptions())[0].values["cores"] >= 1


def test_a_disk_with_room(tmp_path: Path):
    found = machine.disk_of(tmp_path / "not" / "yet", 0.0)
    assert found.level == "ok" and str(tmp_path) in found.found and found.values["free_gb"] > 0
    assert not list(tmp_path.iterdir()), "nothing is left"


def test_a_tiny_disk(tmp_path: Path):
    assert machine.disk_of(tmp_path, 1e9).level == "problem"


def test_a_folder_that_cannot_be_written():
    found = machine.disk_of(Path("/proc/runs"), 0.0)  # root may write nearly everywhere, but not there
    assert found.level == "problem" and found.found.startswith("cannot write in /proc: ") and "--run-dir" in found.mend


def test_a_file_where_the_folder_should_be(tmp_path: Path):
    (tmp_path / "runs").write_text("")
    found = machine.disk_of(tmp_path / "runs" / "a", 0.0)
    assert found.level == "problem" and "is a file" in found.found


def test_shared_memory_that_is_not_there_or_small(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    assert machine.space_of(tmp_path / "nowhere").level == "problem"
    assert machine.space_of(tmp_path).level == "ok"
    monkeypatch.setattr(machine, "PARTICIPANTS", 10**9)
    found = machine.space_of(tmp_path)
    assert found.level == "problem" and "--shm-size" in found.mend


def test_segments_whose_lock_nobody_holds_are_leftovers(tmp_path: Path):
    for name in ("fastdds_aa", "fastdds_aa_el", "fastrtps_bb", "fastrtps_bb_el"):
        (tmp_path / name).write_bytes(bytes(500_000))
    found = machine.leftovers_of(tmp_path)
    assert found.level == "warning" and found.found.startswith("4 files (2 MB)")
    assert "rm -f fastdds_* fastrtps_* sem.fastdds_* sem.fastrtps_*" in found.mend
    for path in tmp_path.iterdir():
        os.unlink(path)
    assert machine.leftovers_of(tmp_path).level == "ok"
