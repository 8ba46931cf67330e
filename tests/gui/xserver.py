"""An X server of a test's own, which it may kill."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager

import pytest


class XServer:
    """A running one.

    Attributes:
        name: such as `:7`.
    """

    def __init__(self, name: str, process: subprocess.Popen[bytes]) -> None:
        self.name, self._process = name, process

    def kill(self) -> None:
        """The screen is lost."""
        self._process.kill()
        self._process.wait()


@contextmanager
def x_server() -> Iterator[XServer]:
    """Starts Xvfb; returns when it takes connections."""
    if (program := shutil.which("Xvfb")) is None:
        pytest.skip("Xvfb is not installed: apt-get install -y xvfb")
    reading, writing = os.pipe()
    process = subprocess.Popen(
        [program, "-displayfd", str(writing), "-screen", "0", "1280x720x24", "-nolisten", "tcp", "-noreset"], pass_fds=[writing],
        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    os.close(writing)
    with os.fdopen(reading) as told:
        server = XServer(f":{told.readline().strip()}", process)
    try:
        yield server
    finally:
        server.kill()
