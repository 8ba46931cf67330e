"""A ROS node in a thread of its own, behind Qt's signals. The only file that imports both rclpy and Qt.

The node's callbacks only emit signals, which Qt delivers in the thread of the window. What a window says is put into a queue from
which the node's thread takes it: no call of ROS is made in the thread of the window.
"""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, Generic, Protocol, TypeVar

from PyQt5.QtCore import QObject, pyqtSignal
from rclpy.qos import QoSProfile
from rclpy.task import Future
from std_srvs.srv import Trigger

from rewardbot.ros import params
from rewardbot.ros.node import LONGEST_WAIT_S, RewardbotNode, serve

PATIENCE_S = 5.0
"""Time after which a service that has not answered is said not to have [s]."""

C = TypeVar("C")
D = TypeVar("D", contravariant=True)


@dataclass(frozen=True)
class Topic:
    """A topic by its relative name."""

    name: str
    kind: Any
    quality: QoSProfile


@dataclass(frozen=True)
class Wiring:
    """What a window has to do with the graph.

    Attributes:
        listens: topics that it hears.
        speaks: topics that it publishes.
        calls: services of type std_srvs/Trigger.
    """

    listens: Sequence[Topic] = ()
    speaks: Sequence[Topic] = ()
    calls: Sequence[str] = ()


class Wire(Protocol[D]):
    """Makes the wiring when the parameters are known."""

    def __call__(self, settings: D, /) -> Wiring: ...


class Bridge(QObject, Generic[C]):
    """One node; see the module. Signals:

    `heard(topic, message)`: a message came. While the window is busy, as many of a topic wait as its QoS is deep; older
    ones are dropped. `answered(service, success, text)`: how a `call` went. `ended()`: the node is down; see `exit_code`.

    Args:
        name: of the node.
        settings: a dataclass of `config.setting` fields: its parameters.
        wire: makes the wiring of them.
        arguments: command line of ROS, `sys.argv[1:]` if not given.

    Attributes:
        settings: the parameters' values, after `start`.
        exit_code: of the process, after `ended`.
    """

    heard = pyqtSignal(str, object)
    answered = pyqtSignal(str, bool, str)
    ended = pyqtSignal()
    _arrived = pyqtSignal(str)

    def __init__(self, name: str, settings: type[C], wire: Wire[C], *, arguments: Sequence[str] | None = None) -> None:
        super().__init__()
        self.exit_code = 1
        self.settings: C
        self._kind, self._wire, self._arguments = settings, wire, arguments
        self._node: _Node
        self._waiting: dict[str, deque[Any]] = {}
        self._jobs: deque[Callable[[], None]] = deque()
        self._ready, self._asked = threading.Event(), threading.Event()
        self._thread = threading.Thread(target=self._run, args=(name,), name=name, daemon=True)
        self._arrived.connect(self._deliver)

    def start(self) -> bool:
        """Returns when the node is there, False when it could not be made: why is on stderr then, see `exit_code`."""
        self._thread.start()
        while not self._ready.wait(0.02):
            if not self._thread.is_alive():
                return self._ready.is_set()
        return True

    def close(self) -> None:
        """Publishes what waits, and takes the node down; returns when it is. May be called twice; what is said later is dropped."""
        self._asked.set()
        self._thread.join()

    def publish(self, topic: str, message: Any) -> None:
        """Publishes on one of the topics that the wiring speaks; returns at once."""
        self._do(partial(self._node.publish, self._node.speaking[topic], message))

    def call(self, service: str) -> None:
        """Calls one of the wiring's services; `answered` comes in any case, at the latest after `PATIENCE_S`."""
        self._do(partial(self._node.call, service))

    def _do(self, job: Callable[[], None]) -> None:
        if self._thread.is_alive() and not self._asked.is_set():
            self._jobs.append(job)
            self._node.wake.trigger()

    # In the node's thread ------------------------------------------------------------------------------------------------

    def _run(self, name: str) -> None:
        try:
            self.exit_code = serve(partial(self._make, name), self._asked.is_set, self._arguments)
        finally:
            self.ended.emit()

    def _make(self, name: str) -> _Node:
        self._node = node = _Node(name, self)
        self.settings = params.declare(node, self._kind, node.given)
        wiring = self._wire(self.settings)
        for topic in wiring.listens:
            self._waiting[topic.name] = deque(maxlen=topic.quality.depth)
            node.create_subscription(topic.kind, topic.name, partial(self._on_message, topic.name), topic.quality)
        node.speaking = {topic.name: node.create_publisher(topic.kind, topic.name, topic.quality) for topic in wiring.speaks}
        node.clients_of = {service: node.create_client(Trigger, service) for service in wiring.calls}
        return node

    def _on_message(self, topic: str, message: Any) -> None:
        self._waiting[topic].append(message)
        self._arrived.emit(topic)

    # In the window's thread ----------------------------------------------------------------------------------------------

    def _deliver(self, topic: str) -> None:
        try:
            message = self._waiting[topic].popleft()
        except IndexError:
            return  # it was dropped for a newer one
        self.heard.emit(topic, message)


class _Node(RewardbotNode):
    """The node; says itself when a service has not answered in time.

    Attributes:
        wake: ends its waiting, for what is in the queue; may be triggered in any thread.
        asked: future answer -> service and when to give it up.
    """

    def __init__(self, name: str, bridge: Bridge[Any]) -> None:
        super().__init__(name)
        self._bridge = bridge
        self.speaking: dict[str, Any] = {}
        self.clients_of: dict[str, Any] = {}
        self.asked: dict[Future[Any], tuple[str, float]] = {}
        self.wake = self.create_guard_condition(lambda: None)

    def work(self) -> float:
        self._bridge._ready.set()  # from here on it spins
        self._work_off()
        for future, (service, until) in list(self.asked.items()):
            if time.monotonic() > until and self.asked.pop(future, None) is not None:
                # Another one: what DDS knows of a server that was killed ends with the client.
                self.destroy_client(self.clients_of[service])
                self.clients_of[service] = self.create_client(Trigger, service)
                self._bridge.answered.emit(service, False, f"'{service}' has not answered for {PATIENCE_S:.0f} s.")
        return LONGEST_WAIT_S

    def close(self) -> None:
        self._work_off()

    def call(self, service: str) -> None:
        """See `Bridge.call`."""
        client = self.clients_of[service]
        if not client.service_is_ready():
            self._bridge.answered.emit(service, False, f"Nobody offers '{service}' now.")
            return
        future = client.call_async(Trigger.Request())
        self.asked[future] = service, time.monotonic() + PATIENCE_S
        future.add_done_callback(self._on_answer)

    def _on_answer(self, future: Future[Any]) -> None:
        if (asked := self.asked.pop(future, None)) is not None:
            answer: Any = future.result()
            self._bridge.answered.emit(asked[0], answer.success, answer.message)

    def _work_off(self) -> None:
        jobs = self._bridge._jobs
        while jobs:
            jobs.popleft()()
