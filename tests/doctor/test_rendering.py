"""Drawing is measured where it works, and explained where it does not; each in the check's own process."""

from __future__ import annotations

import pytest

from rewardbot.doctor.finding import DoctorOptions
from rewardbot.doctor.rendering import speed
from rewardbot.doctor.run import examine
from rewardbot.robots.rendering import APT_LINE

ONLY = DoctorOptions(only=("rendering",))


def test_here():
    (found,) = examine(ONLY)
    assert found.level in ("ok", "warning"), found
    assert found.values["observations_per_s"] > 1 and found.values["renderer"] and found.values["back_end"] == "egl"


@pytest.mark.parametrize("broken", [
    {"MUJOCO_GL": "nonsense"}, {"__EGL_VENDOR_LIBRARY_DIRS": "/nonexistent", "__EGL_VENDOR_LIBRARY_FILENAMES": ""}])
def test_what_cannot_be_drawn(broken: dict[str, str], monkeypatch: pytest.MonkeyPatch):
    for name, value in broken.items():
        monkeypatch.setenv(name, value)
    (found,) = examine(ONLY)
    assert found.level == "problem" and found.check == "rendering" and APT_LINE in found.mend


def test_slow_drawing_is_a_warning():
    assert speed("egl", "llvmpipe", 99.0, ["front 64x64"]).level == "warning"
    assert speed("egl", "llvmpipe", 101.0, ["front 64x64"]).level == "ok"
