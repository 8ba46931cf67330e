"""teleop_node with devices of its own: a gamepad that is unplugged, a terminal, and what cannot be."""

from __future__ import annotations

import os
import pty
import subprocess
import sys
import termios
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from rewardbot.teleop.gamepad import AXIS, BUTTON, EVENT, FIRST
from tests.ros.teleop_arm import Arm

pytestmark = pytest.mark.ros


@pytest.fixture(scope="module")
def arm(client: Any) -> Arm:
    return Arm(client)


def test_a_gamepad_that_is_unplugged_while_driving_stops_the_arm_and_comes_back(
        start_node: Callable[..., Any], arm: Arm, tmp_path: Path) -> None:
    arm.forget()
    path = tmp_path / "js0"

    def plug() -> int:
        os.mkfifo(path)
        plugged = os.open(path, os.O_RDWR)
        press(plugged, (0, BUTTON | FIRST, 4), (0, AXIS | FIRST, 1))  # Linux tells the present state first
        return plugged

    def press(plugged: int, *events: tuple[int, int, int]) -> None:
        os.write(plugged, b"".join(EVENT.pack(0, *event) for event in events))

    process = start_node("teleop_node", "-p", "device:=gamepad", "-p", f"path:={path}", "-p", "speed:=1.0")
    arm.wait(lambda: "cannot be opened" in str(arm.metric("said")), "that it is not there")
    plugged = plug()
    arm.wait(lambda: arm.metric("connected") == 1.0, "the gamepad")
    press(plugged, (1, BUTTON, 4), (-32767, AXIS, 1))
    arm.wait_driven(1.0, 0.0, 0.0)
    path.unlink()
    os.close(plugged)
    arm.wait_driven(0.0, 0.0, 0.0)
    arm.wait(lambda: "was unplugged" in str(arm.metric("said")) and arm.metric("connected") == 0.0, "its word")
    arm.wait_silent()
    plugged = plug()
    arm.wait(lambda: arm.metric("connected") == 1.0, "the gamepad again")
    press(plugged, (1, BUTTON, 4), (32767, AXIS, 1))
    arm.wait_driven(-1.0, 0.0, 0.0)
    assert process.end() == 0
    os.close(plugged)


def test_the_keys_of_a_terminal_drive_and_the_terminal_is_left_as_it_was(domain: int, arm: Arm) -> None:
    arm.forget()
    person, program = pty.openpty()
    before = termios.tcgetattr(program)
    process = subprocess.Popen(
        [sys.executable, "-m", "rewardbot.ros.teleop_node", "--ros-args", "-p", "device:=keyboard", "-p", "speed:=1.0"],
        stdin=program, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    try:
        arm.wait(lambda: arm.metric("connected") == 1.0, "the terminal")

        def typed(*expected: float) -> Callable[[], bool]:
            os.write(person, b"d")  # it repeats
            return lambda: arm.driven() == list(expected)

        arm.wait(lambda: typed(0.0, -1.0, 0.0)(), "the motion")
        arm.wait_silent()
        os.write(person, b"\r")
        arm.wait(lambda: arm.called[-1:] == ["episode/start"], "the call")
        os.write(person, b"\x1b")
        arm.wait(lambda: arm.called[-1:] == ["stop"], "Esc")
    finally:
        process.terminate()
        said, _ = process.communicate(timeout=30)
    assert process.returncode == 0 and termios.tcgetattr(program) == before
    assert "Esc        Stop" in said and "counts as held" in said
    for descriptor in (person, program):
        os.close(descriptor)


@pytest.mark.parametrize(("arguments", "says"), [
    (["device:=gampad"], "Did you mean 'gamepad'"),
    (["device:=keyboard"], "There is no terminal to read keys from"),
    (["rate_hz:=5.0"], "at least 20"),
    (["device:=gamepad", "bind:='success=button 0'"], "The key 'button 0' is bound to 'close' and 'success'"),
])
def test_what_cannot_be_is_refused_at_once(start_node: Callable[..., Any], arguments: list[str], says: str) -> None:
    with open(os.devnull) as nothing:
        run = subprocess.run(
            [sys.executable, "-m", "rewardbot.ros.teleop_node", "--ros-args", *(word for a in arguments for word in ("-p", a))],
            stdin=nothing, capture_output=True, text=True, timeout=60, check=False)
    assert run.returncode == 2 and says in run.stderr and "Traceback" not in run.stderr
