"""Starts a graph as processes where the `launch` package is missing: `python -m rewardbot.ros.<node> --ros-args ...`.

Each node is the leader of its own process group, so that Ctrl-C reaches only the starter, which then stops the nodes in order
(the commander first, the robot last). A node whose starter is killed ends by itself.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field

from rewardbot.errors import RewardbotError
from rewardbot.ros.environment import PARENT_VARIABLE, STARTER_VARIABLE, require_ros, set_defaults
from rewardbot.ros.graph import NodeStart, Value, argument_values, load_graph, resolve
from rewardbot.ros.segments import remove_dead_segments
from rewardbot.teleop.terminal import kept

READY = "ready:"
USER_MISTAKE = 2
STOP_PATIENCE_S = 10.0
MOST_RESTARTS, RESTARTS_WITHIN_S = 5, 60.0
"""A node that would be started again more often than that within that time cannot be helped by it."""

Log = Callable[[str, str], None]
"""Takes a node's name and one line of its output."""


class NodeDied(RewardbotError):
    """A node of the graph ended that should not have; carries its name, exit code and last lines.

    Attributes:
        node: its name.
        code: its exit code; negative: the signal that killed it.
    """

    def __init__(self, node: str, code: int, lines: Sequence[str]) -> None:
        self.node, self.code = node, code
        how = f"was killed by signal {-code}" if code < 0 else f"ended with exit code {code}"
        said = "\n  ".join(lines)
        if code == USER_MISTAKE:  # the node has said what is wrong and what to do; nothing needs to be added
            super().__init__(f"{node}: {said.removeprefix(f'{node}: ').removeprefix('error: ')}")
        else:
            super().__init__(f"{node} {how}. Its last words:" if said else f"{node} {how}.", valid=said)


@dataclass
class _Process:
    """One node while it runs."""

    start: NodeStart
    popen: subprocess.Popen[str]
    reader: threading.Thread
    lines: deque[str] = field(default_factory=lambda: deque(maxlen=200))
    ready: threading.Event = field(default_factory=threading.Event)


class Supervisor:
    """Runs the nodes of a graph. Use it as a context manager: leaving it stops them all.

    Args:
        nodes: what to start, in order.
        log: gets each line that a node prints.
    """

    def __init__(self, nodes: Sequence[NodeStart], *, log: Log | None = None) -> None:
        self._nodes, self._log = list(nodes), log or print_line
        self._processes: dict[str, _Process] = {}
        self._restarted: dict[str, list[float]] = {node.name: [] for node in nodes}
        self._pids: set[int] = set()
        self._environment = {**os.environ, PARENT_VARIABLE: str(os.getpid()), "PYTHONUNBUFFERED": "1"}
        self._environment[STARTER_VARIABLE] = f"{os.getpid()}-{time.time_ns():x}"
        # Nodes share the machine: one thread each, unless somebody who knows it says otherwise.
        for name in ("OMP_NUM_THREADS", "LP_NUM_THREADS"):
            self._environment.setdefault(name, "1")
        set_defaults(self._environment)

    @property
    def names(self) -> list[str]:
        """Names of the nodes, in the order of their start."""
        return [node.name for node in self._nodes]

    def pid(self, name: str) -> int:
        """Process id of a node."""
        return self._processes[name].popen.pid

    def is_ready(self, name: str) -> bool:
        """Whether a node's present process runs and has said that it is ready."""
        process = self._processes[name]
        return process.ready.is_set() and process.popen.poll() is None

    def is_ours(self, pid: int) -> bool:
        """Whether a process id is or was that of a node of ours."""
        return pid in self._pids

    @property
    def restarts(self) -> dict[str, int]:
        """Node -> how often it was started again, without those that never were."""
        return {name: len(times) for name, times in self._restarted.items() if times}

    @property
    def all_ready(self) -> bool:
        """Whether every node has said that it is ready."""
        return all(process.ready.is_set() for process in self._processes.values())

    def start(self) -> None:
        """Starts every node; see `wait_ready`."""
        for node in self._nodes:
            self._processes[node.name] = self._spawn(node)

    def wait_ready(self, timeout_s: float = 60.0) -> None:
        """Returns when every node has said that it is ready.

        Raises:
            NodeDied: one ended instead.
            RewardbotError: one was silent for `timeout_s`.
        """
        deadline = time.monotonic() + timeout_s
        while late := [name for name, process in self._processes.items() if not process.ready.is_set()]:
            self.poll()
            if time.monotonic() > deadline:
                raise RewardbotError(f"Not ready after {timeout_s:.0f} s: {', '.join(late)}.",
                                     next_step="See the nodes' output above; is the machine overloaded?")
            self._processes[late[0]].ready.wait(0.1)

    def poll(self) -> None:
        """Looks after the nodes; restarts those whose restart policy says so. To be called a few times a second.

        A node that `leaves` is let go when it does not come back: a window that was closed, or has lost its screen.

        Raises:
            NodeDied: a node ended and is not to be restarted.
        """
        for name, process in list(self._processes.items()):
            code = process.popen.poll()
            if code is None:
                continue
            process.reader.join(timeout=2.0)  # its last lines
            node = process.start
            times, now = self._restarted[name], time.monotonic()
            lately = sum(now - at < RESTARTS_WITHIN_S for at in times)
            how = "was closed" if code == 0 else f"was killed by signal {-code}" if code < 0 else f"ended with exit code {code}"
            if node.restart == "on-failure" and code not in (0, USER_MISTAKE) and lately < MOST_RESTARTS:
                self._log(name, f"{how}; starting it again")
                times.append(now)
                self._processes[name] = self._spawn(node)
                continue
            if node.leaves and (process.ready.is_set() or times):
                del self._processes[name]
                self._log(name, f"{how}; the others go on without it. To open it again: {node.command}")
                continue
            raise NodeDied(name, code, _last_words(process.lines, code))

    def renew(self, name: str, why: str) -> None:
        """Kills a node that lives, but is of no use any more; `poll` then starts it again, if its restart policy says so."""
        self._log(name, f"[WARN] {why}; it is killed")
        _signal_group(self._processes[name].popen, signal.SIGKILL)

    def stop(self) -> None:
        """Stops every node. May be called twice.

        The last started, which commands the robot, goes first and alone; then the others together. SIGTERM, and SIGKILL for
        a process group that does not end.
        """
        processes = list(reversed(self._processes.values()))
        for stage in (processes[:1], processes[1:]):
            for process in stage:
                _signal_group(process.popen, signal.SIGTERM)
            deadline = time.monotonic() + STOP_PATIENCE_S
            for process in stage:
                try:
                    process.popen.wait(max(0.0, deadline - time.monotonic()))
                except subprocess.TimeoutExpired:
                    self._log(process.start.name, f"did not end within {STOP_PATIENCE_S:.0f} s; killed")
                _signal_group(process.popen, signal.SIGKILL)  # and whatever children it left
                process.popen.wait()
                process.reader.join(timeout=2.0)
        self._processes.clear()
        remove_dead_segments()

    def __enter__(self) -> Supervisor:
        return self

    def __exit__(self, *exception: object) -> None:
        self.stop()

    def _spawn(self, node: NodeStart) -> _Process:
        popen = subprocess.Popen(
            [sys.executable, "-m", node.module, *node.ros_arguments()], stdout=subprocess.PIPE,
            stdin=None if node.terminal else subprocess.DEVNULL,
            stderr=subprocess.STDOUT, text=True, errors="replace", env=self._environment, start_new_session=True)
        reader = threading.Thread(target=lambda: self._read(process), name=f"log of {node.name}", daemon=True)
        process = _Process(node, popen, reader)
        self._pids.add(popen.pid)
        reader.start()
        return process

    def _read(self, process: _Process) -> None:
        assert process.popen.stdout is not None
        for line in process.popen.stdout:
            text = line.rstrip()
            self._log(process.start.name, text)
            if text.startswith(READY):
                process.ready.set()
            elif text:
                process.lines.append(text)


def up(graph: str, arguments: Mapping[str, Value]) -> None:
    """Starts a graph and keeps it until SIGINT or SIGTERM; what the nodes say is printed with their names.

    Args:
        graph: name of the graph, such as "sim".
        arguments: see `graph.resolve`.

    Raises:
        ConfigError: unknown graph or argument, or the nodes of another run are active under the same names.
        NodeDied: a node ended.
    """
    require_ros()
    from rewardbot.ros.job_node import JobNode  # rclpy, which the supervisor itself does not need

    loaded = load_graph(graph)
    nodes = resolve(loaded, arguments)
    try:
        with (
            asked_to_stop() as asked,
            kept(),
            Supervisor(nodes) as supervisor,
            JobNode(str(argument_values(loaded, arguments)["namespace"]), lambda: None, names=supervisor.names,
                    is_ours=supervisor.is_ours) as node,
        ):
            node.refuse_company()
            supervisor.start()
            while not asked.wait(0.2):
                supervisor.poll()
                node.refuse_strangers()
    except NodeDied as error:
        if error.code != 0 or error.node not in [node.name for node in nodes if node.room == "gui"]:
            raise  # otherwise a person has closed the window


@contextmanager
def asked_to_stop() -> Iterator[threading.Event]:
    """SIGINT and SIGTERM set the event instead of interrupting; only in the main thread, where handlers may be set."""
    asked = threading.Event()
    if threading.current_thread() is not threading.main_thread():
        yield asked
        return
    before = {number: signal.signal(number, lambda *_: asked.set()) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield asked
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def print_line(node: str, line: str) -> None:
    """Prints a line with the node's name in front."""
    print(f"[{node}] {line}\n", end="", flush=True)  # in one piece: every node has a thread that prints


def _signal_group(popen: subprocess.Popen[str], number: int) -> None:
    try:
        os.killpg(popen.pid, number)
    except ProcessLookupError:
        pass  # the group is gone


def _last_words(lines: Sequence[str], code: int) -> list[str]:
    """What to quote of a dead node: all of a message of ours, or the end of a traceback."""
    if code == USER_MISTAKE:
        starts = [i for i, line in enumerate(lines) if line.startswith("error: ") or "_node: " in line.split(" ", 1)[0] + " "]
        return list(lines)[starts[-1]:] if starts else list(lines)[-4:]
    return list(lines)[-6:]
