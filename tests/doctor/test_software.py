"""Judgements of Python, packages and libraries."""

from __future__ import annotations

from rewardbot.doctor import software
from rewardbot.doctor.finding import DoctorOptions

TESTED = {"mujoco": "4.0.0", "torch": "2.13.0", "never-used": "1"}


def test_python():
    assert software.interpreter((3, 11, 2), True).level == "ok"
    assert software.interpreter((3, 10, 9), True).level == "problem"


def test_packages():
    needed = ["mujoco", "Torch>=2", 'ros-rclpy[fastrtps]; extra == "ros"']
    installed = {"mujoco": "4.0.0", "torch": "2.13.0+cpu"}
    assert software.compared(needed, TESTED, installed).level == "ok"
    assert software.compared(None, TESTED, installed).level == "note"
    lacking = software.compared([*needed, "safetensors"], TESTED, {"torch": "2.13.0"})
    assert lacking.level == "problem" and lacking.found == "missing: mujoco, safetensors"
    assert "pip install mujoco safetensors" in lacking.mend
    older = software.compared(needed, TESTED, {**installed, "mujoco": "3.2.0"})
    assert older.level == "warning" and "mujoco 3.2.0 (tested: 4.0.0)" in older.found


def test_constraints_are_read():
    assert software.constraints("# text\nabsl-py==2.5.1\nA_b.c==1.0  # why\n\n") == {"absl-py": "2.5.1", "a-b-c": "1.0"}


def test_here():
    assert software.python(DoctorOptions())[0].level == "ok"
    (found,) = software.packages(DoctorOptions())
    assert found.values["missing"] == []


def test_libraries():
    assert software.drawing({}).level == software.windows({}).level == "ok"
    assert software.drawing({"libEGL.so.1": "libegl1"}).mend == \
        "as root: apt-get install -y libegl1 libopengl0 libgl1-mesa-dri"
    found = software.windows({"libxcb-icccm.so.4": "libxcb-icccm4", "libxcb-xkb.so.1": "libxcb-xkb1"})
    assert found.level == "warning", "everything but windows works"
    assert found.mend.endswith("apt-get install -y libxcb-icccm4 libxcb-xkb1")
    assert len(software.libraries(DoctorOptions())) == 2
