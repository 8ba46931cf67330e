"""`rewardbot up preferences` and its window: a crash brings it back, closing it or losing its screen does not end the graph."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from std_msgs.msg import String

from rewardbot.feedback.messages import QUESTIONS, RECEIPTS, Receipt
from rewardbot.ros import qos
from tests.gui.keyboard import Keyboard
from tests.gui.operators import TITLE, Operator
from tests.gui.xserver import XServer, x_server
from tests.ros.conftest import Client
from tests.ros.recorded import record

pytestmark = [pytest.mark.ros, pytest.mark.gui]

PATIENCE_S = 90.0
UP = """
import sys
from dataclasses import replace
from rewardbot.ros import graph, supervisor

whole = graph.GRAPHS["preferences"]
graph.GRAPHS["small"] = replace(
    whole, name="small", nodes=tuple(node for node in whole.nodes if node.name in ("preference_node", "preference_window")))
supervisor.up("small", {"teacher": "human", "run_folder": sys.argv[1], "budget": "20"})
"""
"""Those two of its nodes that matter here, in the same order and by the same code; no robot, no learner."""


class Up:
    """What was started."""

    def __init__(self, folder: Path, screen: str) -> None:
        self.process = subprocess.Popen(
            [sys.executable, "-c", UP, str(folder)], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
            env={**os.environ, "DISPLAY": screen, "QT_QPA_PLATFORM": "xcb", "OMP_NUM_THREADS": "1"})
        self.said: list[str] = []
        threading.Thread(target=self._read, daemon=True).start()

    def count(self, text: str) -> int:
        return sum(text in line for line in self.said)

    def wait(self, done: Callable[[], bool], what: str) -> None:
        until = time.monotonic() + PATIENCE_S
        while not done():
            assert time.monotonic() < until and self.process.poll() is None, (what, self.said)
            time.sleep(0.05)

    def wait_for(self, text: str, times: int = 1) -> None:
        self.wait(lambda: self.count(text) >= times, text)

    def window(self) -> int:
        """The process of its window."""
        children = Path(f"/proc/{self.process.pid}/task/{self.process.pid}/children").read_text().split()
        return next(int(pid) for pid in children if b"gui.preference_window" in Path(f"/proc/{pid}/cmdline").read_bytes())

    def end(self) -> int:
        self.process.send_signal(signal.SIGINT)
        return self.process.wait(timeout=PATIENCE_S)

    def _read(self) -> None:
        assert self.process.stdout is not None
        self.said += (line.rstrip() for line in self.process.stdout)


@pytest.fixture
def server() -> Iterator[XServer]:
    with x_server() as found:
        yield found


@pytest.fixture
def up(domain: int, server: XServer, tmp_path: Path) -> Iterator[Up]:
    record(tmp_path, 3)
    found = Up(tmp_path, server.name)
    yield found
    if found.process.poll() is None:
        found.process.kill()  # its nodes end by themselves
        found.process.wait()


def test_a_window_that_crashed_comes_back_and_one_that_was_closed_does_not_and_others_may_join(
    up: Up, server: XServer, domain: int
) -> None:
    up.wait_for("ready: preference_window")
    os.kill(up.window(), signal.SIGKILL)
    up.wait_for("was killed by signal 9; starting it again")
    up.wait_for("ready: preference_window", 2)
    Keyboard(server.name).close_window(TITLE, until=lambda: bool(up.count("was closed")))
    assert up.count("the others go on without it. To open it again: preference_window --ros-args -r __node:=preference_window") == 1

    client = Client(domain)  # not before: it would be one node too many where a graph is to be started
    receipts: list[Receipt] = []
    client.node.create_subscription(String, RECEIPTS, lambda message: receipts.append(Receipt.from_text(message.data)), qos.EVENTS)
    bob = Operator(server.name, "bob")  # in the graph's namespace, as the operator's page has it

    def answered() -> bool:
        if bob.there():
            bob.tap("1")
        client.quiet(0.3)
        return sum(receipt.done and receipt.annotator == "bob" for receipt in receipts) >= 2

    client.wait(answered, "answers of who joined", timeout_s=PATIENCE_S)
    assert up.process.poll() is None and client.node.count_publishers(f"/rewardbot/{QUESTIONS}") == 1, up.said
    client.close()
    assert bob.close() == 0
    assert up.end() == 0, up.said


def test_a_window_that_loses_its_screen_leaves_the_others_alone(up: Up, server: XServer) -> None:
    up.wait_for("ready: preference_window")
    server.kill()
    up.wait_for("The screen is gone")
    up.wait_for("the others go on without it")
    assert up.count("There is no screen") == 1, "it was started again, in vain"
    assert up.end() == 0, up.said
