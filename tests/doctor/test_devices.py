"""GPU, cameras, joysticks: absent is a note, present but not usable a warning."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from rewardbot.doctor import devices


@pytest.fixture
def forbidden(monkeypatch: pytest.MonkeyPatch) -> set[str]:
    """Names of files that may not be opened; root may open all, so that permissions alone would show nothing."""
    names: set[str] = set()
    monkeypatch.setattr(os, "access", lambda path, mode: Path(path).name not in names)
    return names


def test_gpus():
    assert devices.gpus([], "2.13.0", "", False).level == "note"
    wrong = devices.gpus([], "2.13.0+cpu", "", True)
    assert wrong.level == "warning" and "CPU build" in wrong.found and "pip install" in wrong.mend
    assert "nvidia-smi" in devices.gpus([], "2.13.0", "12.8", True).mend
    found = devices.gpus([("H200", 139.7)], "2.13.0", "12.8", True)
    assert found.level == "ok" and "H200, 140 GB" in found.found


def test_cameras(tmp_path: Path, forbidden: set[str]):
    dev, names = tmp_path / "dev", tmp_path / "sys"
    dev.mkdir()
    assert devices.video(dev, names).level == "note"
    (dev / "video0").touch()
    (dev / "video1").touch()
    (names / "video0").mkdir(parents=True)
    (names / "video0" / "name").write_text("Webcam [x]\n")
    found = devices.video(dev, names)
    assert found.level == "ok" and found.found == "video0: Webcam [x], video1: unnamed"
    forbidden.add("video1")
    found = devices.video(dev, names)
    assert found.level == "warning" and "video1" in found.found.partition(";")[2] and "usermod -aG video" in found.mend


def test_joysticks(tmp_path: Path, forbidden: set[str]):
    assert devices.pads(tmp_path / "nowhere").level == "note"
    for name in ("js0", "event3", "event4"):
        (tmp_path / name).touch()
    forbidden.add("event3")
    assert devices.pads(tmp_path).level == "ok", "another event device may be read"
    forbidden.add("event4")
    found = devices.pads(tmp_path)
    assert found.level == "warning" and "event3" in found.found and "usermod -aG input" in found.mend


def test_spacemouse(tmp_path: Path, forbidden: set[str]):
    for name, text in {"hidraw0": "HID_ID=0003:0000046D:0000C077\nHID_NAME=Logitech USB Mouse\n",
                       "hidraw1": "DRIVER=hid\nHID_ID=0003:0000256F:0000C635\nHID_NAME=3Dconnexion SpaceMouse Compact\n",
                       "hidraw2": ""}.items():
        (tmp_path / name / "device").mkdir(parents=True)
        (tmp_path / name / "device" / "uevent").write_text(text)
    found = devices.spacemouse(Path("/dev"), tmp_path)
    assert found.level == "ok" and found.values == {"devices": ["hidraw1"]}
    forbidden.add("hidraw1")
    assert devices.spacemouse(Path("/dev"), tmp_path).level == "warning"
    assert devices.spacemouse(Path("/dev"), tmp_path / "nowhere").level == "note"
