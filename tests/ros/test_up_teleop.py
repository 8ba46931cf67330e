"""`rewardbot up teleop` typed in a terminal: its node gets the keys although it is a child in a session of its own."""

from __future__ import annotations

import fcntl
import os
import pty
import subprocess
import sys
import termios
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.ros.conftest import PATIENCE_S, Client
from tests.ros.teleop_arm import Arm

pytestmark = [pytest.mark.ros, pytest.mark.slow]


class Shell:
    """A terminal with a program in it that reads its keys and Ctrl-C."""

    def __init__(self, *command: str) -> None:
        self.person, self.terminal = pty.openpty()
        self.before = termios.tcgetattr(self.terminal)
        self.said, self._more = b"", threading.Condition()
        self.process = subprocess.Popen(
            command, stdin=self.terminal, stdout=self.terminal, stderr=self.terminal, start_new_session=True,
            preexec_fn=lambda: fcntl.ioctl(0, termios.TIOCSCTTY, 0))
        threading.Thread(target=self._read, daemon=True).start()

    def type(self, text: str) -> None:
        os.write(self.person, text.encode())

    def wait_for(self, text: bytes) -> None:
        with self._more:
            assert self._more.wait_for(lambda: text in self.said, PATIENCE_S), self.said.decode()

    def _read(self) -> None:
        try:
            while data := os.read(self.person, 4096):
                with self._more:
                    self.said += data
                    self._more.notify_all()
        except OSError:
            pass  # closed


@pytest.fixture
def shell(domain: int, tmp_path: Path) -> Iterator[Shell]:
    arguments = ("device:=keyboard", "window:=false", "sim:=false", "speed:=1.0", f"run_folder:={tmp_path}")
    found = Shell(sys.executable, "-m", "rewardbot", "up", "teleop", *arguments)
    yield found
    found.process.kill()
    found.process.wait()
    for descriptor in (found.person, found.terminal):
        os.close(descriptor)


@pytest.fixture
def arm(domain: int, shell: Shell) -> Iterator[Arm]:
    shell.wait_for(b"ready: teleop_node")  # before that our node would be one too many in its namespace
    client = Client(domain)
    yield Arm(client)
    client.close()


def test_keys_typed_where_it_was_started_drive_the_arm_and_ctrl_c_ends_it(arm: Arm, shell: Shell) -> None:
    arm.wait(lambda: arm.metric("connected") == 1.0, "teleop_node")

    def typed() -> bool:
        shell.type("w")
        return arm.driven() == [1.0, 0.0, 0.0]

    arm.wait(typed, "the motion")
    arm.wait_silent()
    shell.wait_for(b"ready: policy_node")
    shell.type("\x03")
    assert shell.process.wait(timeout=PATIENCE_S) == 0, shell.said.decode()
    assert termios.tcgetattr(shell.terminal) == shell.before
    assert b"counts as held" in shell.said and b"Traceback" not in shell.said
