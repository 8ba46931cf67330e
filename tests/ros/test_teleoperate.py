"""policy_node while a person conducts and drives, against a robot of the test's own that ticks when the test says so."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from diagnostic_msgs.msg import DiagnosticArray
from geometry_msgs.msg import PoseStamped, TwistStamped
from rcl_interfaces.srv import SetParametersAtomically
from rclpy.parameter import Parameter
from sensor_msgs.msg import Image, JointState
from std_msgs.msg import Float64MultiArray, UInt8MultiArray
from std_srvs.srv import Trigger

from rewardbot.data import decode
from rewardbot.data.decode import EpisodeEvent
from rewardbot.data.takeovers import TAKEOVERS
from rewardbot.data.verdicts import read_verdicts
from rewardbot.robots.robot import load_contract
from rewardbot.ros import convert, qos
from rewardbot.ros.arbiter import RELEASE_S
from rewardbot.types import Observation
from tests.ros.untrained import untrained

pytestmark = pytest.mark.ros
CONTRACT = load_contract()
PERIOD_NS = 100_000_000
HORIZON = 6
YESTERDAY, TOMORROW = 1_700_000_000 * decode.NS_PER_S, 2_100_000_000 * decode.NS_PER_S


class Robot:
    """Ticks, and remembers what it was told."""

    def __init__(self, client: Any) -> None:
        self.client, self.stamp, self.resets = client, TOMORROW - YESTERDAY, []
        node = client.node
        self.commands: list[tuple[int, list[float]]] = []
        self._gripper = [0.0]
        node.create_subscription(Float64MultiArray, "gripper_controller/commands", self._on_gripper, qos.COMMANDS)
        node.create_subscription(TwistStamped, "servo_node/delta_twist_cmds", self._on_twist, qos.COMMANDS)
        self._joints = client.publisher(JointState, decode.JOINT_STATES, qos.STATE)
        self._pose = client.publisher(PoseStamped, decode.TOOL_POSE, qos.STATE)
        self._images = {name: client.publisher(Image, decode.camera_topic(name), qos.IMAGES_OUT) for name in CONTRACT.cameras}
        self.hands = [(client.publisher(Float64MultiArray, "teleop/gripper", qos.COMMANDS),
                       client.publisher(TwistStamped, "teleop/delta_twist_cmds", qos.COMMANDS))]
        self.events: list[EpisodeEvent] = []
        node.create_subscription(
            DiagnosticArray, decode.EPISODE, lambda message: self.events.append(decode.episode_event(message)), qos.EVENTS)
        self._metrics: dict[str, Any] = {}
        node.create_subscription(
            DiagnosticArray, "metrics", lambda message: self._metrics.update(convert.metrics_of(message)), qos.EVENTS)
        for service in ("reset", "reset_again"):
            node.create_service(Trigger, service, lambda request, response, name=service: self._reset(name, response))
        client.wait(lambda: self.metric("links_in") == len(CONTRACT.cameras) + 4, "links")

    def metric(self, key: str) -> Any:
        return self._metrics.get("policy_node", {}).get(key)

    def tick(self) -> int:
        """The next observation; returns its stamp."""
        self.stamp += PERIOD_NS
        images = {name: np.zeros((camera.height, camera.width, 3), np.uint8) for name, camera in CONTRACT.cameras.items()}
        pose = np.array([0.5, 0.0, 0.2, 0.0, 1.0, 0.0, 0.0])
        seen = Observation(decode.seconds(self.stamp), images, np.zeros(7), np.zeros(7), pose, 1.0)
        self._joints.publish(convert.joint_states(CONTRACT, seen, self.stamp))
        self._pose.publish(convert.tool_pose(CONTRACT, seen, self.stamp))
        for name, publisher in self._images.items():
            publisher.publish(convert.image(images[name], name, self.stamp))
        return self.stamp

    def answer(self, stamp: int) -> list[float]:
        """The newest command under a stamp, once there is one."""
        self.client.wait(lambda: any(at == stamp for at, _ in self.commands), f"an answer to {stamp}")
        return [action for at, action in self.commands if at == stamp][-1]

    def drive(self, x: float, grip: float = 0.0, *, stamp: int = 0, hand: int = 0) -> None:
        """What a person's device says."""
        gripper, twist = self.hands[hand]
        gripper.publish(Float64MultiArray(data=[grip]))
        twist.publish(convert.twist(CONTRACT, np.array([x, 0.0, 0.0, 0.0]), stamp))

    def driven(self, x: float, grip: float = 0.0, **options: Any) -> list[float]:
        """Drives, and returns the command that comes of it; its stamp is that of the newest observation."""
        known = len(self.commands)
        self.drive(x, grip, **options)
        self.client.wait(lambda: any(action[0] == x for _, action in self.commands[known:]), "the command")
        stamp, found = next(command for command in self.commands[known:] if command[1][0] == x)
        assert stamp == self.stamp
        return found

    def ask(self, service: str) -> tuple[bool, str]:
        answer = self.client.call(Trigger, f"episode/{service}", Trigger.Request())
        return answer.success, answer.message

    def set(self, **values: Any) -> None:
        parameters = [Parameter(name, value=value).to_parameter_msg() for name, value in values.items()]
        request = SetParametersAtomically.Request(parameters=parameters)
        assert self.client.call(SetParametersAtomically, "policy_node/set_parameters_atomically", request).result.successful

    def begin(self, service: str = "start") -> EpisodeEvent:
        """Has an episode begin that has not ended; returns its start."""
        events = len(self.events)
        done, text = self.ask(service)
        assert done, text
        self.client.wait(lambda: self.events[events:] != [] and self.events[-1].kind == "start", "the start")
        return self.events[-1]

    def heard(self, kind: str) -> EpisodeEvent:
        """The newest event, once it is of this kind."""
        self.client.wait(lambda: self.events[-1:] != [] and self.events[-1].kind == kind, kind)
        return self.events[-1]

    def _reset(self, service: str, response: Trigger.Response) -> Trigger.Response:
        self.resets.append(service)
        self.tick()
        response.success, response.message = True, json.dumps({"seed": self.resets.count("reset"), "stamp_ns": self.stamp})
        return response

    def _on_gripper(self, message: Float64MultiArray) -> None:
        self._gripper = list(message.data)

    def _on_twist(self, message: TwistStamped) -> None:
        action = convert.action_of_command(CONTRACT, message, Float64MultiArray(data=self._gripper))
        self.commands.append((decode.stamp_ns(message), action.round(6).tolist()))


@pytest.fixture(scope="module")
def run_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("run")


@pytest.fixture(scope="module")
def robot(start_node: Callable[..., Any], client: Any, run_folder: Path) -> Iterator[Robot]:
    process = start_node("policy_node", "-p", "task:=reach", "-p", f"horizon:={HORIZON}", "-p", "lockstep:=false",
                         "-p", "mode:=teleoperate", "-p", f"run_folder:={run_folder}")
    yield Robot(client)
    code = process.end()
    assert code == 0, process.output


@pytest.fixture
def silent(robot: Robot) -> Robot:
    """Nobody has the arm, and no episode runs."""
    robot.ask("discard")
    robot.set(mode="teleoperate")
    robot.client.quiet(1.2 * RELEASE_S)
    robot.answer(robot.tick())
    return robot


def test_a_person_says_when_an_episode_begins_and_ends(silent: Robot, run_folder: Path) -> None:
    robot = silent
    start = robot.begin()
    assert start.info.source == "demonstration" and start.info.extra["actor"] == "operator" and start.stamp_ns == robot.stamp
    assert robot.ask("start") == (False, f"episode {start.info.id} runs; end or discard it first")
    for _ in range(2 * HORIZON):  # no horizon ends it
        last = robot.tick()
        robot.answer(last)
    done, text = robot.ask("success")
    end = robot.heard("end")
    assert done and f"{start.info.id} ended after {2 * HORIZON} steps, a success" in text
    assert (end.steps, end.stamp_ns, end.info.success) == (2 * HORIZON, last, True)
    assert robot.ask("failure")[0] and read_verdicts(run_folder) == {start.info.id: False}
    assert robot.heard("verdict").info.id == start.info.id and robot.events[-1].info.success is False
    assert robot.ask("discard")[0] and read_verdicts(run_folder) == {start.info.id: None}
    assert robot.heard("discard").info.id == start.info.id
    assert robot.ask("stop") == (False, "no episode runs")


def test_silence_is_answered_by_holding_and_whatever_a_person_says_is_done_at_once(silent: Robot) -> None:
    robot = silent
    robot.begin()
    assert robot.answer(robot.stamp) == [0.0, 0.0, 0.0, 1.0], "the gripper is open, and told so"
    assert robot.driven(0.25, -1.0) == [0.25, 0.0, 0.0, -1.0], "without waiting for an observation"
    assert robot.driven(0.5) == [0.5, 0.0, 0.0, -1.0]
    assert robot.answer(robot.tick()) == [0.5, 0.0, 0.0, -1.0]
    robot.client.quiet(1.2 * RELEASE_S)
    assert robot.answer(robot.tick()) == [0.0, 0.0, 0.0, -1.0]
    robot.ask("stop")
    assert robot.heard("end").info.success is None and TAKEOVERS not in robot.events[-1].info.extra


def test_between_episodes_the_arm_can_be_driven_too(silent: Robot) -> None:
    robot = silent
    robot.driven(0.25)
    assert robot.answer(robot.tick())[0] == 0.25
    robot.client.quiet(1.2 * RELEASE_S)
    assert robot.answer(robot.tick())[:3] == [0.0, 0.0, 0.0]


def test_again_discards_and_goes_back_to_the_same_start_state(silent: Robot) -> None:
    robot = silent
    first = robot.begin()
    robot.answer(robot.tick())
    second = robot.begin("again")
    assert [event.kind for event in robot.events[-2:]] == ["discard", "start"] and robot.events[-2].info.id == first.info.id
    assert second.info.id != first.info.id and second.info.seed == first.info.seed and robot.resets[-1] == "reset_again"
    robot.answer(robot.tick())
    robot.ask("success")
    third = robot.begin("again")
    assert robot.events[-2].info.id == second.info.id and third.info.seed == first.info.seed


@pytest.mark.parametrize("stamp", [YESTERDAY, TOMORROW])
def test_the_clock_of_the_device_may_be_wrong(silent: Robot, stamp: int) -> None:
    silent.driven(0.25, stamp=stamp)
    silent.client.quiet(1.2 * RELEASE_S)
    assert silent.answer(silent.tick())[0] == 0.0, "nor does it run on"


def test_a_command_that_is_no_number_stops_the_arm_and_is_told(silent: Robot) -> None:
    silent.driven(0.25)
    silent.drive(float("nan"))
    silent.client.wait(lambda: "a number that is none" in str(silent.metric("said")), "its word")
    assert silent.answer(silent.tick())[0] == 0.0


def test_of_two_devices_the_first_drives_until_it_is_silent(silent: Robot, domain: int) -> None:
    from tests.ros.conftest import Client

    other = Client(domain)  # another process, as far as DDS can tell
    try:
        silent.hands = [*silent.hands[:1], (other.publisher(Float64MultiArray, "teleop/gripper", qos.COMMANDS),
                                            other.publisher(TwistStamped, "teleop/delta_twist_cmds", qos.COMMANDS))]
        silent.client.wait(lambda: silent.metric("links_in") == len(CONTRACT.cameras) + 6, "both sides")
        assert silent.driven(0.25, 1.0) == [0.25, 0.0, 0.0, 1.0]
        for _ in range(5):  # without a pause, in which a busy machine would let the first one seem silent
            silent.drive(0.25, 1.0)
            silent.drive(-0.5, -1.0, hand=1)
        silent.client.wait(lambda: "is ignored" in str(silent.metric("said")), "its word")
        assert all(action[0] in (0.0, 0.25) and action[3] == 1.0 for _, action in silent.commands[-5:])
        silent.client.quiet(1.2 * RELEASE_S)
        assert silent.driven(-0.5, -1.0, hand=1) == [-0.5, 0.0, 0.0, -1.0]
    finally:
        other.close()
        silent.hands = silent.hands[:1]


def test_a_touch_takes_over_from_the_policy_and_silence_gives_back(silent: Robot) -> None:
    robot = silent
    weights = robot.client.publisher(UInt8MultiArray, "weights/policy", qos.LATCHED)
    weights.publish(untrained(CONTRACT, "reach"))
    robot.client.wait(lambda: robot.metric("newest_version") == 1, "the policy")
    robot.tick()  # a robot that was silent while torch was loaded is waited for
    robot.set(mode="explore", episodes=1, run=5)
    robot.client.wait(lambda: [event.info.extra["run"] for event in robot.events[-1:]] == [5], "the start")
    for touch in (False, True, False, False, True, False):
        own = robot.answer(robot.stamp)
        assert own[0] != 0.5, "the policy's own"
        if touch:
            robot.driven(0.5)
            robot.client.quiet(1.2 * RELEASE_S)
        robot.tick()
    end = robot.heard("end")
    assert end.info.source == "policy" and end.info.extra[TAKEOVERS] == [[1, 2], [4, 5]]


def test_other_modes_refuse_a_persons_start(silent: Robot) -> None:
    silent.set(mode="idle")
    done, reason = silent.ask("start")
    assert not done and reason == "policy_node is in mode idle; a person's episodes begin in mode teleoperate"
