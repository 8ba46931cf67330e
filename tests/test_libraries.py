"""System libraries: what the loader does not find is named with its package."""

from __future__ import annotations

from rewardbot import libraries


def test_only_what_the_loader_does_not_find_is_missing():
    assert libraries.missing({"libc.so.6": "libc6", "libno-such-thing.so.1": "libno1"}) == {"libno-such-thing.so.1": "libno1"}


def test_one_missing_library_of_drawing_names_all_its_packages(monkeypatch):
    """The renderer cannot be looked for, so it always goes with the rest."""
    monkeypatch.setitem(libraries.DRAWING, "libno-such-thing.so.1", "libno1")
    assert libraries._packages("drawing") == ["libegl1", "libopengl0", "libno1", "libgl1-mesa-dri"]


def test_packages_of_windows(monkeypatch):
    monkeypatch.setattr(libraries, "_loads", lambda name: name != "libxcb-icccm.so.4")
    assert libraries._packages("windows") == ["libxcb-icccm4"] and libraries._packages("drawing") == []
