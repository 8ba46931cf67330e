"""Weights on a topic and the module that they need, in whatever order they come."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from std_msgs.msg import UInt8MultiArray

from rewardbot.ros import weights
from rewardbot.ros.weights import NewestWeights


class Node:
    """Hears what it is told to, from as many senders as it is told."""

    def __init__(self) -> None:
        self.senders = 0
        self.hear: Callable[[UInt8MultiArray], None]

    def create_subscription(self, kind: type, topic: str, hear: Callable[[UInt8MultiArray], None], quality: Any) -> Node:
        self.hear = hear
        return self

    def get_publisher_count(self) -> int:
        return self.senders


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """How often somebody asked for the module, which is there when it is asked for a second time."""
    found: list[str] = []

    class Loading:
        def __init__(self, name: str) -> None:
            self.name = name

        def done(self) -> bool:
            found.append(self.name)
            return len(found) > 1

    monkeypatch.setattr(weights, "Loading", Loading)
    return found


def heard(node: Any) -> NewestWeights:
    return NewestWeights(node, "weights/policy", "torch")


def test_nothing_is_imported_before_somebody_may_send_some(asked: list[str]) -> None:
    node = Node()
    newest = heard(node)
    assert not newest.take() and not asked
    node.senders = 1
    assert not newest.take() and asked == ["torch"]


def test_the_newest_are_taken_once_and_not_before_they_can_be_used(asked: list[str]) -> None:
    node = Node()
    newest = heard(node)
    for data in (b"old", b"new"):
        node.hear(UInt8MultiArray(data=data))
    assert not newest.take(), "the module is not there yet"
    assert newest.take() == b"new" and not newest.take()
    node.hear(UInt8MultiArray(data=b"newer"))
    assert newest.take() == b"newer"
