"""Real nodes for tests: each test module in a DDS domain of its own, nothing left behind."""

from __future__ import annotations

import os
import queue
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Generator, Iterator
from typing import Any, ClassVar

import pytest
import rclpy
from rclpy.context import Context
from rclpy.executors import SingleThreadedExecutor
from rclpy.node import Node

from rewardbot.ros.environment import PARENT_VARIABLE, set_defaults

PATIENCE_S = 90.0
"""Of a busy machine: a node that learns needs two seconds of a core to start."""

RESEND_S = 6.0


@pytest.fixture(scope="module")
def domain() -> Iterator[int]:
    """A ROS_DOMAIN_ID that no other test run on this machine uses at the same time; the port is the lock."""
    before = os.environ.get("ROS_DOMAIN_ID")
    for number in range(10, 100):
        lock = socket.socket()
        try:
            lock.bind(("127.0.0.1", 21_000 + number))
        except OSError:
            lock.close()
            continue
        break
    else:
        raise RuntimeError("no free ROS_DOMAIN_ID")
    os.environ["ROS_DOMAIN_ID"] = str(number)
    set_defaults()
    yield number
    lock.close()
    os.environ.pop("ROS_DOMAIN_ID") if before is None else os.environ.update(ROS_DOMAIN_ID=before)


class Client:
    """A small node of the test's own, in its own context."""

    def __init__(self, domain: int) -> None:
        self.context = Context()
        rclpy.init(args=[], context=self.context, domain_id=domain)
        self.node = Node("tester", namespace="rewardbot", context=self.context, start_parameter_services=False)
        self.executor = SingleThreadedExecutor(context=self.context)
        self.executor.add_node(self.node)

    def wait(self, done: Callable[[], bool], what: str = "it", timeout_s: float = PATIENCE_S) -> None:
        """Handles messages until `done()`."""
        deadline = time.monotonic() + timeout_s
        while not done():
            assert time.monotonic() < deadline, f"waited {timeout_s} s for {what}"
            self.executor.spin_once(timeout_sec=0.02)

    def quiet(self, seconds: float) -> None:
        """Handles messages for a while, to see that something does not happen."""
        until = time.monotonic() + seconds
        while time.monotonic() < until:
            self.executor.spin_once(timeout_sec=0.02)

    def collect(self, kind: Any, topic: str, qos: Any) -> list[Any]:
        """A list that grows by the topic's messages, once a publisher is there."""
        messages: list[Any] = []
        subscription = self.node.create_subscription(kind, topic, messages.append, qos)
        self.wait(lambda: subscription.get_publisher_count() > 0, f"a publisher of {topic}")
        return messages

    def publisher(self, kind: Any, topic: str, qos: Any) -> Any:
        """A publisher that has a subscriber."""
        publisher = self.node.create_publisher(kind, topic, qos)
        self.wait(lambda: publisher.get_subscription_count() > 0, f"a subscriber of {topic}")
        return publisher

    def call(self, kind: Any, service: str, request: Any) -> Any:
        """Calls a service and returns its answer.

        That it is ready means that we have found it, and not that it has found us: a request that comes before that is lost. So it
        is sent again, as the job does.
        """
        for _ in range(int(PATIENCE_S / RESEND_S)):
            future, begun = self.send(kind, service, request), time.monotonic()
            self.wait(lambda: future.done() or time.monotonic() - begun > RESEND_S, f"an answer of {service}")  # noqa: B023
            if future.done():
                return future.result()
        raise AssertionError(f"{service} has not answered for {PATIENCE_S} s")

    def send(self, kind: Any, service: str, request: Any) -> Any:
        """Calls a service without waiting: the future answer."""
        client = self.node.create_client(kind, service)
        self.wait(client.service_is_ready, f"service {service}")
        future = client.call_async(request)
        future.add_done_callback(lambda _: self.node.destroy_client(client))
        return future

    def close(self) -> None:
        """Takes it down."""
        self.executor.shutdown()
        self.node.destroy_node()
        rclpy.try_shutdown(context=self.context)


@pytest.fixture(scope="module")
def client(domain: int) -> Iterator[Client]:
    """A node of the test's own."""
    found = Client(domain)
    yield found
    found.close()


class NodeProcess:
    """A node of ours as a process."""

    started: ClassVar[list[NodeProcess]] = []
    """Of the present test module."""

    def __init__(self, name: str, arguments: list[str]) -> None:
        self.name = name
        self.popen = subprocess.Popen(
            [sys.executable, "-m", f"rewardbot.ros.{name}", *arguments], stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
            text=True, start_new_session=True, env={
                **os.environ, "PYTHONUNBUFFERED": "1", "OMP_NUM_THREADS": "1", PARENT_VARIABLE: str(os.getpid())})
        self.output: list[str] = []
        self._lines: queue.Queue[str | None] = queue.Queue()
        threading.Thread(target=self._read, daemon=True).start()

    def _read(self) -> None:
        assert self.popen.stdout is not None
        for line in self.popen.stdout:
            self.output.append(line.rstrip())
            self._lines.put(line)
        self._lines.put(None)

    def wait_for_line(self, text: str) -> None:
        """Waits until it prints a line with `text`."""
        while (line := self._lines.get(timeout=PATIENCE_S)) is not None:
            if text in line:
                return
        raise AssertionError(f"it ended without printing '{text}': {self.output}")

    def end(self, number: int = signal.SIGTERM) -> int:
        """Sends a signal and returns the exit code."""
        if self.popen.poll() is None:
            os.killpg(self.popen.pid, number)
        return self.popen.wait(timeout=PATIENCE_S)


@pytest.fixture(scope="module")
def start_node(domain: int) -> Iterator[Callable[..., NodeProcess]]:
    """Starts nodes: `start_node("sim_node", "-p", "task:=reach")`; they are ended with the module."""
    started = NodeProcess.started = []

    def start(name: str, *arguments: str, ready: bool = True) -> NodeProcess:
        process = NodeProcess(name, ["--ros-args", *arguments] if arguments else [])
        started.append(process)
        if ready:
            process.wait_for_line(f"ready: {name}")
        return process

    yield start
    for process in started:
        if process.popen.poll() is None:
            os.killpg(process.popen.pid, signal.SIGKILL)
        process.popen.wait()


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport() -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """With a failure comes what the nodes said last."""
    report = yield
    if report.failed:
        for process in NodeProcess.started:
            report.sections.append((f"{process.name}, exit code {process.popen.poll()}", "\n".join(process.output[-15:])))
    return report


def group_is_gone(pid: int) -> bool:
    """Whether no process of the group led by `pid` is left."""
    try:
        os.killpg(pid, 0)
    except ProcessLookupError:
        return True
    return False
