"""teleop_node as a real process: what it publishes of what a joy node says."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from sensor_msgs.msg import Joy

from rewardbot.data import decode
from rewardbot.ros import qos
from rewardbot.teleop.stream import SILENT_S
from tests.ros.teleop_arm import CONTRACT, Arm

pytestmark = pytest.mark.ros


@pytest.fixture(scope="module")
def arm(client: Any) -> Arm:
    return Arm(client)


class Pad:
    """A joy node that says the same again and again."""

    def __init__(self, client: Any) -> None:
        self._publisher = client.node.create_publisher(Joy, "pad", qos.IMAGES_OUT)  # best effort, as some are
        self.message: Joy | None = Joy(axes=[0.0] * 8, buttons=[0] * 10)
        client.node.create_timer(0.02, self._say)

    def set(self, axes: dict[int, float] | None = None, buttons: tuple[int, ...] = (), *, count: int = 8) -> None:
        values = [(axes or {}).get(number, 0.0) for number in range(count)]
        self.message = Joy(axes=values, buttons=[int(number in buttons) for number in range(10)])

    def _say(self) -> None:
        if self.message is not None:
            self._publisher.publish(self.message)


@pytest.fixture(scope="module")
def pad(start_node: Callable[..., Any], arm: Arm) -> Iterator[Pad]:
    arm.forget()
    pad = Pad(arm.client)
    process = start_node("teleop_node", "-p", "joy_topic:=pad", "-p", "speed:=1.0", "-p", "rate_hz:=50.0")
    arm.wait(lambda: arm.metric("connected") == 1.0, "the joy node")
    yield pad
    pad.set({1: 1.0}, (4,))
    arm.wait_driven(1.0, 0.0, 0.0)
    assert process.end() == 0
    arm.wait_silent()
    pad.message = None


def test_it_speaks_only_while_the_switch_is_held(arm: Arm, pad: Pad) -> None:
    pad.set({1: 1.0, 0: -1.0})
    arm.client.quiet(0.3)
    assert arm.twists == []
    pad.set({1: 1.0, 0: -1.0, 4: 0.55}, (4,))
    arm.wait_driven(1.0, -1.0, 0.5)
    assert arm.twists[-1].header.frame_id == CONTRACT.base_frame
    assert abs(decode.stamp_ns(arm.twists[-1]) - time.time_ns()) < 10 * decode.NS_PER_S
    pad.set({1: 1.0, 0: -1.0, 4: 0.55}, (4, 0))
    arm.wait(lambda: arm.grippers[-1:] == [-1.0], "the gripper")
    pad.set()
    arm.wait_silent()


def test_speed_and_axes_change_while_it_drives(arm: Arm, pad: Pad) -> None:
    pad.set({4: 1.0}, (4,))
    arm.wait_driven(0.0, 0.0, 1.0)
    pad.set({4: 1.0, 7: -1.0}, (4,))
    arm.wait_driven(0.0, 0.0, 0.75)
    pad.set({4: 1.0}, (4, 5))
    arm.wait(lambda: arm.metric("frame") == "tool", "the tool's axes")
    arm.wait_driven(0.0, 0.0, 0.0)  # nobody knows them
    for _ in range(3):
        arm.show_tool([0.0, 1.0, 0.0, 0.0])
        arm.client.quiet(0.05)
    arm.wait_driven(0.0, 0.0, -0.75)  # it points down
    pad.set({4: 1.0, 7: 1.0}, (4,))
    arm.wait(lambda: arm.metric("speed") == 1.0, "the speed")
    pad.set({4: 1.0}, (4, 5))
    arm.wait_driven(0.0, 0.0, 1.0)
    pad.set()
    arm.wait_silent()


def test_buttons_call_services_and_what_they_answer_is_told(arm: Arm, pad: Pad) -> None:
    pad.set(buttons=(7,))
    arm.wait(lambda: arm.called == ["episode/start"], "the call")
    arm.wait(lambda: arm.metric("said") == "episode/start was refused: because", "the answer")
    pad.set(buttons=(8,))
    arm.wait(lambda: arm.called == ["episode/start", "stop"], "the call")
    arm.wait(lambda: arm.metric("said") == "stop: because", "the answer")
    pad.set(buttons=(3,))
    arm.wait(lambda: arm.metric("said") == "nobody offers 'episode/success' now", "that it is not there")
    pad.set()


@pytest.mark.parametrize(("wrong", "says"), [
    (Joy(axes=[0.0, 1.0], buttons=[1] * 10), "no axis 4"),
    (Joy(axes=[float("nan")] * 8, buttons=[1] * 10), "says nan"),
    (None, f"has said nothing for {SILENT_S} s"),
])
def test_a_joy_node_that_goes_wrong_stops_the_arm_until_it_is_right_again(
        arm: Arm, pad: Pad, wrong: Joy | None, says: str) -> None:
    pad.set({1: 1.0}, (4,))
    arm.wait_driven(1.0, 0.0, 0.0)
    pad.message = wrong
    arm.wait_driven(0.0, 0.0, 0.0)
    arm.wait(lambda: says in str(arm.metric("said")) and arm.metric("connected") == 0.0, says)
    arm.wait_silent()
    pad.set()
    arm.wait(lambda: arm.metric("connected") == 1.0, "the joy node")
