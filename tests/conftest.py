"""For all tests: one thread of torch, so that they are quick beside each other and equal everywhere."""

from __future__ import annotations

import gc
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator

import pytest

# For the processes that tests start.
os.environ.setdefault("OMP_NUM_THREADS", "1")

# What is imported and collected stays: looking through it again and again for garbage is a third of the time that collecting takes.
gc.disable()


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_auto_num_workers() -> int:
    """One process more than there are cores: nodes wait for each other a quarter of the time."""
    return min(4, (os.cpu_count() or 1) + 1)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Files with slow computations first, so that no process is left alone with one of them in the end, and so that graphs of nodes
    do not have to share the processor with them.
    """
    slow = {item.path for item in items if item.get_closest_marker("slow") and not item.get_closest_marker("ros")}
    items.sort(key=lambda item: item.path not in slow)


def pytest_collection_finish() -> None:
    """From here on garbage is looked for again, but not among what has been there before."""
    gc.freeze()
    gc.enable()


@pytest.fixture(autouse=True)
def one_thread():
    """Only where torch is there already: most tests need none of it, and its import takes seconds."""
    if "torch" in sys.modules:
        sys.modules["torch"].set_num_threads(1)


@pytest.fixture(scope="session")
def screen() -> Iterator[str]:
    """An X server for windows that nobody sees; its name (`:7`) is in DISPLAY for the rest of the test run."""
    if (program := shutil.which("Xvfb")) is None:
        pytest.skip("Xvfb is not installed: apt-get install -y xvfb")
    reading, writing = os.pipe()
    server = subprocess.Popen(
        [program, "-displayfd", str(writing), "-screen", "0", "1280x720x24", "-nolisten", "tcp", "-noreset"],
        pass_fds=[writing], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    os.close(writing)
    with os.fdopen(reading) as told:
        number = told.readline().strip()  # it writes the line when it takes connections
    assert number, "Xvfb did not start"
    before = {name: os.environ.get(name) for name in ("DISPLAY", "QT_QPA_PLATFORM", "WAYLAND_DISPLAY")}
    os.environ |= {"DISPLAY": f":{number}", "QT_QPA_PLATFORM": "xcb"}
    os.environ.pop("WAYLAND_DISPLAY", None)
    yield f":{number}"
    for name, value in before.items():
        os.environ.pop(name, None) if value is None else os.environ.update({name: value})
    server.terminate()
    server.wait(timeout=10)
