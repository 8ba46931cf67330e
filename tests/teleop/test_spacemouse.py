"""A SpaceMouse by the reports that it sends; what is replaced is the C library that reads them."""

from __future__ import annotations

from typing import Any

import pytest

pytest.importorskip("pyspacemouse")
from easyhid import easyhid

from rewardbot.errors import ConfigError
from rewardbot.teleop.device import DeviceLost
from rewardbot.teleop.spacemouse import SpaceMouse


class Hidapi:
    """libhidapi with one SpaceMouse Compact, or none."""

    def __init__(self) -> None:
        self.plugged = True
        self.reports: list[bytes] = []
        self._kept: list[Any] = [easyhid.ffi.new("char[]", b"/dev/hidraw0"), easyhid.ffi.new("wchar_t[]", "it")]

    def hid_enumerate(self, vendor: int, product: int) -> Any:
        if not self.plugged:
            return easyhid.ffi.NULL
        info = easyhid.ffi.new("struct hid_device_info *")
        info.path, info.product_string, info.serial_number = self._kept[0], self._kept[1], self._kept[1]
        info.manufacturer_string, info.vendor_id, info.product_id = self._kept[1], 0x256F, 0xC635
        self._kept.append(info)
        return info

    def hid_free_enumeration(self, start: Any) -> None:
        pass

    def hid_open_path(self, path: bytes) -> Any:
        return easyhid.ffi.cast("hid_device *", 1)

    def hid_set_nonblocking(self, device: Any, on: bool) -> int:
        return 0

    def hid_close(self, device: Any) -> None:
        pass

    def hid_read(self, device: Any, buffer: Any, size: int) -> int:
        if not self.plugged:
            return -1
        report = self.reports.pop(0) if self.reports else b""
        easyhid.ffi.buffer(buffer)[: len(report)] = report
        return len(report)


@pytest.fixture
def hidapi(monkeypatch: pytest.MonkeyPatch) -> Hidapi:
    found = Hidapi()
    monkeypatch.setattr(easyhid, "hidapi", found)
    return found


def push(*values: int) -> bytes:
    """Report 1: right, towards the user and down are positive, 350 is full."""
    return b"\x01" + b"".join(value.to_bytes(2, "little", signed=True) for value in values)


def test_pushed_away_is_forward_and_lifted_is_up(hidapi: Hidapi) -> None:
    mouse = SpaceMouse()
    hidapi.reports = [push(0, -350, 0), push(-175, 0, -350), b"\x03\x02"]
    away, lifted, clicked = mouse.poll(0.0)
    assert (away["x"], away["y"], away["z"]) == (1.0, 0.0, 0.0)
    assert (lifted["x"], lifted["y"], lifted["z"]) == (0.0, 0.5, 1.0)
    assert (clicked["button 0"], clicked["button 1"]) == (0.0, 1.0)
    assert mouse.poll(0.1) == [] and "SpaceMouseCompact" in mouse.name
    mouse.close()


def test_unplugged_it_is_lost(hidapi: Hidapi, capsys: pytest.CaptureFixture[str]) -> None:
    mouse = SpaceMouse()
    hidapi.plugged = False
    with pytest.raises(DeviceLost, match="was unplugged"):
        mouse.poll(0.0)
    mouse.close()
    mouse.close()
    with pytest.raises(DeviceLost, match="No SpaceMouse"):
        SpaceMouse()
    assert capsys.readouterr().out == ""


def test_without_its_library_it_names_the_package(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(easyhid, "hidapi", object())
    with pytest.raises(ConfigError, match="libhidapi"):
        SpaceMouse()
