"""Both kinds of install put the programs and the shared files where ROS 2 and rewardbot look for them."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from xml.etree import ElementTree

import pytest

import rewardbot
from rewardbot.robots.rendering import APT_LINE

ROOT = Path(__file__).resolve().parents[1]
NODES = ("sim_node", "recorder_node", "classifier_node", "learner_node", "policy_node", "teleop_node", "teleop_window",
         "camera_node", "goal_window", "preference_window", "preference_node", "practice_node")
SHARED = ("package.xml", "config/robots/sim_arm.yaml", "sim/arm.xml")


@pytest.fixture
def sources(tmp_path: Path) -> Path:
    """A copy, because builds leave files beside the sources that a later build would pick up."""
    copy = tmp_path / "src" / "rewardbot"
    copy.mkdir(parents=True)
    for name in ("setup.py", "setup.cfg", "package.xml", "pyproject.toml", "MANIFEST.in"):
        shutil.copy(ROOT / name, copy)
    for name in ("rewardbot", "config", "launch", "sim", "resource"):
        if (ROOT / name).exists():
            shutil.copytree(ROOT / name, copy / name, ignore=shutil.ignore_patterns("__pycache__"))
    return copy


def run(*command: str, cwd: Path, **variables: str) -> str:
    environment = {k: v for k, v in os.environ.items() if k not in ("PYTHONPATH", "AMENT_PREFIX_PATH")} | variables
    result = subprocess.run(command, cwd=cwd, env=environment, capture_output=True, text=True, timeout=300, check=False)
    assert result.returncode == 0, result.stdout + result.stderr
    return result.stdout


@pytest.mark.slow
def test_colcon_puts_nodes_where_ros2_run_looks(sources: Path):
    workspace = sources.parents[1]
    run(sys.executable, "-m", "colcon", "--log-base", "log", "build", cwd=workspace)
    prefix = workspace / "install" / "rewardbot"
    for program in (*NODES, "rewardbot"):
        assert os.access(prefix / "lib" / "rewardbot" / program, os.X_OK), program
    assert (prefix / "share/ament_index/resource_index/packages/rewardbot").is_file()
    for file in SHARED:
        assert (prefix / "share" / "rewardbot" / file).is_file(), file
    question = "from rewardbot.config import share_path; print(share_path('sim/arm.xml'))"
    found = run("sh", "-c", f'. install/setup.sh && cd / && "{sys.executable}" -c "{question}"', cwd=workspace)
    assert found.strip() == str(prefix / "share/rewardbot/sim/arm.xml")


@pytest.mark.slow
def test_a_plain_pip_install_carries_the_shared_files(sources: Path, tmp_path: Path):
    prefix = tmp_path / "prefix"
    # Without --ignore-installed pip would first remove the rewardbot that these tests run from, whatever the prefix.
    run(sys.executable, "-m", "pip", "install", "-q", "--no-index", "--no-deps", "--no-build-isolation",
        "--ignore-installed", f"--prefix={prefix}", str(sources), cwd=tmp_path)
    assert os.access(prefix / "bin" / "rewardbot", os.X_OK)
    for file in SHARED:
        assert (prefix / "share" / "rewardbot" / file).is_file(), file
    for name in ("nets", "robots", "ros", "training"):
        assert list(prefix.glob(f"lib/python3*/site-packages/rewardbot/{name}/*.py")), name


def test_package_xml_agrees_with_the_package():
    package = ElementTree.parse(ROOT / "package.xml").getroot()
    assert package.get("format") == "3" and package.findtext("name") == "rewardbot"
    assert package.findtext("version") == rewardbot.__version__
    assert package.findtext("export/build_type") == "ament_python"


def test_every_constraint_is_exact_and_local_to_no_machine():
    lines = [line for line in (ROOT / "constraints.txt").read_text().splitlines() if not line.startswith("#")]
    assert len(lines) > 100
    for line in lines:
        assert re.fullmatch(r"[a-z0-9-]+==[0-9][0-9a-z.]*", line), line


def make_venv(tmp_path: Path, *cases: str) -> subprocess.CompletedProcess[str]:
    """Runs the script, never installing, with a Python that does other things in some cases of its arguments."""
    fake = tmp_path / "python3.11"
    fake.write_text(f'#!/bin/sh\ncase "$*" in\n{"".join(f"{case};;" for case in cases)}\nesac\nexec "{sys.executable}" "$@"\n')
    fake.chmod(0o755)
    result = subprocess.run(["sh", str(ROOT / "tools" / "make_venv.sh"), str(tmp_path / "venv")], text=True, check=False,
                            capture_output=True, env={**os.environ, "PYTHON": str(fake), "REWARDBOT_APT": "0"})
    assert not (tmp_path / "venv").exists()
    return result


def test_setup_names_the_apt_line_when_it_may_not_install(tmp_path: Path):
    """A Python without its venv module, as Debian ships it."""
    result = make_venv(tmp_path, "*ensurepip*) exit 1")
    version = f"{sys.version_info[0]}.{sys.version_info[1]}"
    assert result.returncode == 2
    assert f"sudo apt-get update && sudo apt-get install -y python{version}-venv" in result.stderr


def test_setup_ends_without_egl(tmp_path: Path):
    result = make_venv(tmp_path, "*'libraries drawing') echo libegl1 libopengl0 libgl1-mesa-dri; exit")
    assert result.returncode == 2
    assert f"sudo {APT_LINE}" in result.stderr and "windows" not in result.stderr


def test_setup_goes_on_without_libraries_for_windows(tmp_path: Path):
    result = make_venv(tmp_path, "*'libraries drawing') exit", "*'libraries windows') echo libxcb-icccm4 libxcb-xkb1; exit",
                       "'-m venv '*) echo next >&2; exit 9")
    assert "For windows run: sudo apt-get update && sudo apt-get install -y libxcb-icccm4 libxcb-xkb1" in result.stderr
    assert result.returncode == 9 and "next" in result.stderr, "it went on to the environment"


def test_setup_goes_on_without_the_x_server_of_tests(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    programs = tmp_path / "bin"
    programs.mkdir()
    for name in ("sh", "dirname", "id", "rm"):  # all that it needs, and no Xvfb
        (programs / name).symlink_to(str(shutil.which(name)))
    monkeypatch.setenv("PATH", str(programs))
    result = make_venv(tmp_path, "*'libraries drawing') exit", "*'libraries windows') exit", "'-m venv '*) echo next >&2; exit 9")
    assert "sudo apt-get install -y xvfb" in result.stderr and result.returncode == 9, result.stderr


def test_the_list_of_libraries_is_read_before_there_is_an_environment():
    """With nothing but the standard library, from the root of the source tree."""
    run = subprocess.run([sys.executable, "-S", "-m", "rewardbot.libraries", "drawing-all"], cwd=ROOT, text=True, check=True,
                         capture_output=True)
    assert f"apt-get install -y {run.stdout.strip()}" == APT_LINE
