"""The checks of ROS 2 with real DDS: what is well is found well, and each thing that can be broken here is found broken."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from rewardbot.config import share_path
from rewardbot.doctor import graph
from rewardbot.doctor.finding import DoctorOptions, Finding
from rewardbot.doctor.run import examine
from rewardbot.ros.probe import Link
from rewardbot.ros.segments import SHARED_MEMORY, dead_segments, held_segments, remove_dead_segments

pytestmark = pytest.mark.ros


def rows(*names: str) -> dict[str, Finding]:
    return {row.check: row for row in examine(DoctorOptions(only=names))}


@pytest.fixture
def own_profile(domain: int, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("FASTDDS_DEFAULT_PROFILES_FILE", "FASTRTPS_DEFAULT_PROFILES_FILE"):
        monkeypatch.delenv(name, raising=False)


def test_rclpy_is_here(domain: int) -> None:
    assert rows("rclpy")["rclpy"].values["binding"] == "rmw_fastrtps_cpp"


def test_rclpy_that_cannot_be_imported(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "rclpy").mkdir()
    (tmp_path / "rclpy" / "__init__.py").write_text("import no_such_extension")
    monkeypatch.setenv("PYTHONPATH", f"{tmp_path}{os.pathsep}{os.environ.get('PYTHONPATH', '')}")
    for name, row in rows("rclpy", "dds").items():
        assert row.level == "problem" and "no_such_extension" in row.found and "make venv" in row.mend, name


def test_a_binding_that_is_not_installed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RMW_IMPLEMENTATION", "rmw_nonsense")
    row = rows("rclpy")["rclpy"]
    assert row.level == "problem" and "rmw_nonsense" in row.found and "nset RMW_IMPLEMENTATION" in row.mend


def test_where_rclpy_comes_from() -> None:
    assert graph.origin("9.1.2", "", "rmw_fastrtps_cpp").level == "ok"
    assert graph.origin("", "jazzy", "rmw_fastrtps_cpp").level == "ok"
    assert graph.origin("9.1.2", "jazzy", "rmw_fastrtps_cpp").level == "warning"
    assert graph.origin("", "jazzy", "rmw_cyclonedds_cpp").level == "warning"


def test_images_between_two_processes(own_profile: None) -> None:
    found = rows("dds")
    assert list(found) == ["Fast DDS profile", "shared memory in DDS", "DDS discovery", "DDS 64x64", "DDS 640x480"]
    assert found["Fast DDS profile"].values == {"path": str(share_path("config/fastdds.xml")), "transports": ["SHM", "UDPv4"]}
    assert found["shared memory in DDS"].level == "ok"
    for name in ("DDS 64x64", "DDS 640x480"):
        values = found[name].values
        # A busy machine loses some; without our profile nearly no large image makes the round trip.
        assert values["sent"] >= 60 and values["lost"] < 0.5 and values["round_trips_hz"] > 5.0
        assert 0.0 < values["p50_ms"] <= values["p99_ms"]


def test_a_profile_that_is_not_there(domain: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FASTDDS_DEFAULT_PROFILES_FILE", "/nowhere/fastdds.xml")
    found = rows("dds")
    assert found["Fast DDS profile"].level == "problem" and "unset" in found["Fast DDS profile"].mend
    assert found["shared memory in DDS"].level == "problem", "Fast DDS's own segment is too small"


def test_a_profile_for_several_machines_has_no_shared_memory(domain: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FASTDDS_DEFAULT_PROFILES_FILE", str(share_path("config/fastdds_udp.xml")))
    monkeypatch.setenv("ROS_AUTOMATIC_DISCOVERY_RANGE", "SUBNET")  # rclpy adds shared memory of its own to LOCALHOST
    found = rows("dds")
    assert found["Fast DDS profile"].level == "ok" and found["shared memory in DDS"].level == "warning"


def test_a_profile_that_is_no_xml(tmp_path: Path) -> None:
    (tmp_path / "a.xml").write_text("<dds")
    assert graph.profile({"FASTDDS_DEFAULT_PROFILES_FILE": str(tmp_path / "a.xml")}).level == "problem"
    assert graph.profile({}).level == "warning"


@pytest.mark.parametrize("number", ["abc", "-1", "233", "1.0"])
def test_a_domain_that_does_not_exist(number: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ROS_DOMAIN_ID", number)
    found = rows("domain")
    assert list(found) == ["ROS domain"] and found["ROS domain"].level == "problem"


def test_a_domain_whose_ports_are_not_its_own() -> None:
    assert graph.port("102").level == "warning"


def test_a_port_that_another_program_holds(domain: int) -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as other:
        other.bind(("", 7400 + 250 * domain))
        found = graph.port(str(domain))
    assert found.level == "problem" and f"UDP port {7400 + 250 * domain} is in use" in found.found
    assert graph.port(str(domain)).level == "ok"


def test_another_graph_is_named(client: Any) -> None:
    found = rows("domain")
    assert found["ROS domain"].level == "ok", "nodes share the port"
    assert found["other graphs"].level == "warning" and found["other graphs"].values == {"nodes": ["tester"]}
    (_, alone) = examine(DoctorOptions(only=("domain",), namespace="somebody_else"))
    assert alone.level == "ok"


def test_what_a_killed_process_leaves_is_removed(own_profile: None) -> None:
    """A living participant's segment is none of it."""
    program = ("import sys, rclpy; from rewardbot.ros.environment import set_defaults; set_defaults(); rclpy.init();"
               "node = rclpy.create_node('short_lived'); print('ready', flush=True); sys.stdin.read()")
    process = subprocess.Popen([sys.executable, "-c", program], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
                               env={**os.environ, "ROS_AUTOMATIC_DISCOVERY_RANGE": "OFF"})
    assert process.stdout is not None
    try:
        assert process.stdout.readline() == "ready\n"
        segments = held_segments(process.pid)
        own = {path.name for path in segments}
        assert segments and max(path.stat().st_size for path in segments) > 16e6
        assert not own & {path.name for path in dead_segments(SHARED_MEMORY)}
        remove_dead_segments()
        assert all((SHARED_MEMORY / f"{name}{end}").exists() for name in own for end in ("", "_el"))
        process.send_signal(signal.SIGKILL)
        process.wait()
        left, until = own, time.monotonic() + 10.0
        while left and time.monotonic() < until:  # whoever else looks at a lock at this very moment holds it
            remove_dead_segments()
            left = {name for name in own for end in ("", "_el") if (SHARED_MEMORY / f"{name}{end}").exists()}
        assert not left
    finally:
        process.kill()
        process.communicate()


def test_throughput_is_judged() -> None:
    def level(lost: float, p99: float = 5.0, trips: float = 100.0) -> str:
        return graph.throughput(Link(640, 480, 30.0, 60, lost, 3.0, p99, trips)).level

    assert level(0.0) == "ok" and level(0.02) == level(0.0, p99=150.0) == "warning"
    assert level(0.2) == level(0.0, trips=0.0) == "problem"
    assert graph.throughput(Link(640, 480, 30.0, 60, 1.0, float("inf"), float("inf"), 0.0)).values["p99_ms"] is None
