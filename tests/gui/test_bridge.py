"""The bridge between rclpy and Qt, over real DDS."""

from __future__ import annotations

import threading
from dataclasses import dataclass
from typing import Any

import pytest
from PyQt5.QtCore import QThread
from PyQt5.QtWidgets import QApplication
from std_msgs.msg import Bool, Float32
from std_srvs.srv import Trigger

from rewardbot.config import setting
from rewardbot.gui.bridge import Bridge, Topic, Wiring
from rewardbot.ros import qos

pytestmark = [pytest.mark.ros, pytest.mark.gui]


@dataclass(frozen=True)
class Settings:
    number: float = setting(1.0, "a number", max=3.0)


def wire(settings: Settings) -> Wiring:
    return Wiring(
        listens=[Topic("all", Float32, qos.EVENTS), Topic("newest", Float32, qos.IMAGES_NEWEST)],
        speaks=[Topic("said", Bool, qos.EVENTS)], calls=["answering", "silent", "nobody"])


@pytest.fixture
def bridge(domain: int, qapp: Any) -> Any:
    found = Bridge("window", Settings, wire, arguments=["--ros-args", "-p", "number:=2.5"])
    assert found.start()
    yield found
    found.close()
    found.close()
    assert found.exit_code == 0 and not [thread for thread in threading.enumerate() if thread.name == "window"]


def test_messages_come_in_the_windows_thread_in_order_and_as_many_as_the_qos_keeps(bridge: Any, client: Any, qtbot: Any) -> None:
    heard: list[tuple[str, float]] = []
    threads = set()

    def hear(topic: str, message: Float32) -> None:
        heard.append((topic, message.data))
        threads.add(QThread.currentThread())

    bridge.heard.connect(hear)
    both = {topic: client.publisher(Float32, topic, quality)
            for topic, quality in (("all", qos.EVENTS), ("newest", qos.IMAGES_OUT))}
    listening = [item for item in bridge._node.subscriptions if item.topic_name.endswith(tuple(both))]
    client.wait(lambda: all(item.get_publisher_count() for item in listening), "both sides")
    # This thread is the window's: what is sent now waits until it looks.
    for number in range(9):
        for publisher in both.values():
            publisher.publish(Float32(data=float(number)))
    waiting = bridge._waiting
    client.wait(lambda: len(waiting["all"]) == 9 and list(waiting["newest"])[-1:] == [Float32(data=8.0)], "the messages")
    qtbot.waitUntil(lambda: len(heard) == 9 + 2)
    assert [number for topic, number in heard if topic == "all"] == list(range(9))
    assert [number for topic, number in heard if topic == "newest"] == [7.0, 8.0]
    assert threads == {bridge.thread()}


def test_what_the_window_says_goes_out(bridge: Any, client: Any) -> None:
    assert bridge.settings == Settings(2.5)
    said = client.collect(Bool, "said", qos.EVENTS)
    client.wait(lambda: bridge._node.speaking["said"].get_subscription_count() > 0, "the test")
    bridge.publish("said", Bool(data=True))
    client.wait(lambda: said == [Bool(data=True)], "its word")


def test_every_call_is_answered_and_none_waits(bridge: Any, client: Any, qtbot: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("rewardbot.gui.bridge.PATIENCE_S", 0.3)
    answers: list[tuple[str, bool, str]] = []
    bridge.answered.connect(lambda *answer: answers.append(answer))

    def answering(request: Trigger.Request, response: Trigger.Response) -> Trigger.Response:
        response.success, response.message = True, "done"
        return response

    client.node.create_service(Trigger, "answering", answering)
    client.node.create_service(Trigger, "silent", answering)  # nobody spins it meanwhile
    client.wait(lambda: all(bridge._node.clients_of[name].service_is_ready() for name in ("answering", "silent")), "services")
    bridge.call("nobody")
    assert not answers, "it did not wait"
    qtbot.waitUntil(lambda: len(answers) == 1)
    assert answers == [("nobody", False, "Nobody offers 'nobody' now.")]
    bridge.call("silent")
    qtbot.waitUntil(lambda: len(answers) == 2)
    assert answers[1][:2] == ("silent", False) and "has not answered" in answers[1][2]
    monkeypatch.setattr("rewardbot.gui.bridge.PATIENCE_S", 20.0)
    bridge.call("answering")
    assert len(answers) == 2, "it did not wait"

    def answered() -> bool:
        QApplication.processEvents()
        return len(answers) == 3

    client.wait(answered, "the answer")
    assert answers[2] == ("answering", True, "done")


def test_what_was_said_before_it_closes_goes_out_and_by_the_nodes_thread(domain: int, client: Any, qapp: Any) -> None:
    bridge = Bridge("closing", Settings, wire, arguments=[])
    assert bridge.start()
    said = client.collect(Bool, "said", qos.EVENTS)
    client.wait(lambda: bridge._node.speaking["said"].get_subscription_count() > 0, "the test")
    publish, threads = bridge._node.publish, []

    def watched(publisher: Any, message: Any) -> None:
        threads.append(threading.current_thread().name)
        publish(publisher, message)

    bridge._node.publish = watched
    for _ in range(5):
        bridge.publish("said", Bool(data=True))
    bridge.close()
    bridge.publish("said", Bool(data=False))
    client.wait(lambda: len(said) == 5, "its last words")
    assert set(threads) == {"closing"} and said == [Bool(data=True)] * 5


def test_a_wrong_parameter_is_told_and_the_window_does_not_open(
        domain: int, qapp: Any, capsys: pytest.CaptureFixture[str]) -> None:
    wrong = Bridge("window", Settings, wire, arguments=["--ros-args", "-p", "number:=7.0"])
    assert not wrong.start() and wrong.exit_code == 2
    assert "number is 7.0" in capsys.readouterr().err
    wrong.close()
