"""Who is absent is named after 5 s, and who is only slow is not; nodes that wait for others say so."""

from __future__ import annotations

from typing import Any

import pytest
from diagnostic_msgs.msg import DiagnosticArray
from sensor_msgs.msg import Image

from rewardbot.data import decode
from rewardbot.robots.robot import load_contract
from rewardbot.ros import convert, qos, waiting
from rewardbot.ros.waiting import NAMED_AFTER_S, Waiting

pytestmark = pytest.mark.ros


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """The time, to be set [s]."""
    now = [100.0]
    monkeypatch.setattr(waiting.time, "monotonic", lambda: now[0])
    return now


def test_each_is_named_after_so_long_and_no_longer_than_it_is_absent(clock: list[float]) -> None:
    watch = Waiting("a_node")
    named: dict[str, list[float]] = {"a": [], "b": []}
    for step in range(200):
        clock[0] = 100.0 + 0.1 * step
        absent = [name for name, gone in (("a", step < 120), ("b", step % 40 != 0)) if gone]  # the other speaks every 4 s
        for name in watch.look(absent).split(", "):
            if name:
                named[name].append(0.1 * step)
    assert named["b"] == []
    assert named["a"][0] == pytest.approx(NAMED_AFTER_S, abs=0.15) and named["a"][-1] == pytest.approx(11.9)


def test_a_process_that_was_held_up_does_not_take_that_for_silence(clock: list[float]) -> None:
    watch = Waiting("a_node")
    for _ in range(4):
        clock[0] += 60.0
        assert watch.look(["a"]) == ""
    clock[0] += 60.0
    assert watch.look(["a"]) == "a"


def test_a_classifier_says_what_it_lacks(start_node: Any, client: Any) -> None:
    node = start_node("classifier_node")
    metrics = client.collect(DiagnosticArray, "metrics", qos.EVENTS)
    cameras = [decode.camera_topic(name) for name in load_contract().cameras]

    def lacks(*names: str) -> bool:
        return bool(metrics) and convert.metrics_of(metrics[-1])["classifier_node"].get("waiting_for") == ", ".join(names)

    client.wait(lambda: lacks("weights/classifier", *cameras), "their names", NAMED_AFTER_S + 5.0)
    assert any(f"waiting for weights/classifier, {cameras[0]}" in line for line in node.output)
    camera = client.publisher(Image, cameras[0], qos.IMAGES_OUT)

    def sent() -> bool:
        camera.publish(Image())
        return lacks("weights/classifier", *cameras[1:])

    client.wait(sent, "one of them to be there", 5.0)
    assert node.end() == 0
