"""The lean executor handles everything that rclpy's own does, and sleeps when there is nothing to do."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest
import rclpy
from rclpy.context import Context
from rclpy.event_handler import SubscriptionEventCallbacks
from rclpy.node import Node
from rclpy.qos import QoSProfile, ReliabilityPolicy
from std_msgs.msg import Int64
from std_srvs.srv import Trigger

from rewardbot.ros import qos
from rewardbot.ros.executor import LeanExecutor
from rewardbot.ros.node import Polled, take_all

pytestmark = pytest.mark.ros


class Bench:
    """A node with a lean executor."""

    def __init__(self, domain: int) -> None:
        self.context = Context()
        rclpy.init(args=[], context=self.context, domain_id=domain)
        self.node = Node("lean", namespace="test_executor", context=self.context)
        self.executor = LeanExecutor(context=self.context)
        self.executor.add_node(self.node)

    def wait(self, done: Callable[[], bool]) -> None:
        deadline = time.monotonic() + 20.0
        while not done():
            assert time.monotonic() < deadline
            self.executor.spin_once(timeout_sec=0.1)

    def connected(self, topic: str, quality: Any = qos.EVENTS) -> Any:
        """A publisher whose subscriptions are found."""
        publisher = self.node.create_publisher(Int64, topic, quality)
        self.wait(lambda: publisher.get_subscription_count() > 0)
        return publisher


@pytest.fixture
def bench(domain: int) -> Iterator[Bench]:
    made = Bench(domain)
    yield made
    made.executor.shutdown()
    made.node.destroy_node()
    rclpy.try_shutdown(context=made.context)


def test_messages_of_every_kind_of_subscription_in_order(bench: Bench) -> None:
    plain: list[int] = []
    informed: list[tuple[int, int]] = []
    raw: list[Any] = []
    bench.node.create_subscription(Int64, "a", lambda message: plain.append(message.data), qos.EVENTS)

    def with_info(message: Int64, info: Any) -> None:
        informed.append((message.data, info["source_timestamp"]))

    bench.node.create_subscription(Int64, "a", with_info, qos.EVENTS)
    bench.node.create_subscription(Int64, "a", raw.append, qos.EVENTS, raw=True)
    publisher = bench.node.create_publisher(Int64, "a", qos.EVENTS)
    bench.wait(lambda: publisher.get_subscription_count() == 3)
    for number in range(50):
        publisher.publish(Int64(data=number))
    bench.wait(lambda: min(len(plain), len(informed), len(raw)) == 50)
    assert plain == [data for data, _ in informed] == list(range(50))
    assert all(isinstance(item, bytes) for item in raw) and all(stamp > 0 for _, stamp in informed)


def test_timers_services_clients_and_what_follows_an_answer(bench: Bench) -> None:
    ticks: list[int] = []
    answers: list[str] = []
    bench.node.create_timer(0.02, lambda: ticks.append(1))

    def answer(request: Trigger.Request, response: Trigger.Response) -> Trigger.Response:
        response.message = "done"
        return response

    bench.node.create_service(Trigger, "serve", answer)
    client = bench.node.create_client(Trigger, "serve")
    bench.wait(client.service_is_ready)
    future = client.call_async(Trigger.Request())

    def told(done: Any) -> None:
        answers.append(done.result().message)

    future.add_done_callback(told)
    bench.wait(lambda: answers == ["done"] and len(ticks) >= 5)


def test_polled_subscriptions_are_left_alone(bench: Bench) -> None:
    called: list[Any] = []
    heard: list[Any] = []
    polled = bench.node.create_subscription(Int64, "a", called.append, qos.EVENTS, callback_group=Polled())
    bench.node.create_subscription(Int64, "a", heard.append, qos.EVENTS)
    publisher = bench.node.create_publisher(Int64, "a", qos.EVENTS)
    bench.wait(lambda: publisher.get_subscription_count() == 2)
    publisher.publish(Int64(data=7))
    taken: list[Any] = []

    def both() -> bool:
        taken.extend(take_all(polled))
        return bool(heard) and bool(taken)

    bench.wait(both)
    assert [message.data for message in taken] == [7] and not called


def test_what_is_created_and_destroyed_while_it_runs(bench: Bench) -> None:
    first: list[Any] = []
    second: list[Any] = []
    old = bench.node.create_subscription(Int64, "a", first.append, qos.EVENTS)
    publisher = bench.connected("a")
    publisher.publish(Int64(data=1))
    bench.wait(lambda: len(first) == 1)
    bench.node.destroy_subscription(old)
    bench.node.create_subscription(Int64, "b", second.append, qos.EVENTS)
    bench.connected("b").publish(Int64(data=2))
    bench.wait(lambda: len(second) == 1)
    assert len(first) == 1


def test_errors_of_callbacks_reach_the_caller(bench: Bench) -> None:
    def fail(message: Int64) -> None:
        raise ValueError("no such luck")

    bench.node.create_subscription(Int64, "a", fail, qos.EVENTS)
    bench.connected("a").publish(Int64(data=1))
    with pytest.raises(ValueError, match="no such luck"):
        bench.wait(lambda: False)


def test_events_are_told_whenever_a_timer_is_due(bench: Bench) -> None:
    """That of a QoS that does not fit, which would otherwise be silence."""
    events: list[Any] = []
    best_effort = QoSProfile(depth=1, reliability=ReliabilityPolicy.BEST_EFFORT)
    bench.node.create_timer(0.05, lambda: None)
    bench.node.create_subscription(Int64, "a", lambda message: None, qos.EVENTS,
                                   event_callbacks=SubscriptionEventCallbacks(incompatible_qos=events.append))
    bench.node.create_publisher(Int64, "a", best_effort)
    bench.wait(lambda: bool(events))


def test_it_sleeps_when_nothing_happens(bench: Bench) -> None:
    heard: list[Any] = []
    bench.node.create_subscription(Int64, "a", heard.append, qos.EVENTS)
    for _ in range(3):
        bench.executor.spin_once(timeout_sec=0.0)
    rounds, begin, used = 0, time.monotonic(), time.process_time()
    while time.monotonic() - begin < 1.0:
        bench.executor.spin_once(timeout_sec=0.1)
        rounds += 1
    assert rounds < 40 and time.process_time() - used < 0.3
