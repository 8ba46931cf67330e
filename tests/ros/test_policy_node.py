"""policy_node against a robot of the test's own, which does exactly what it is told to do."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest
from diagnostic_msgs.msg import DiagnosticArray
from geometry_msgs.msg import PoseStamped, TwistStamped
from rcl_interfaces.srv import SetParametersAtomically
from rclpy.parameter import Parameter
from sensor_msgs.msg import Image, JointState
from std_msgs.msg import Bool, Float64MultiArray, UInt8MultiArray
from std_srvs.srv import Trigger

from rewardbot.data import decode
from rewardbot.data.decode import EpisodeEvent
from rewardbot.data.takeovers import TAKEOVERS
from rewardbot.robots.robot import load_contract
from rewardbot.ros import convert, qos
from rewardbot.ros.policy_node import GONE_S
from rewardbot.types import Observation
from tests.ros.untrained import untrained

pytestmark = pytest.mark.ros
CONTRACT = load_contract()
HORIZON = 3
PERIOD_NS = 100_000_000


class Robot:
    """A robot that runs freely: it ticks when the test says so, whether or not it is commanded."""

    def __init__(self, client: Any) -> None:
        self.client, self.stamp, self.resets, self._read = client, 0, 0, 0
        node = client.node
        self._joints = client.publisher(JointState, "joint_states", qos.STATE)
        self._pose = client.publisher(PoseStamped, "tool_pose", qos.STATE)
        self._images = {name: client.publisher(Image, decode.camera_topic(name), qos.IMAGES_OUT) for name in CONTRACT.cameras}
        self._teleop = client.publisher(TwistStamped, "teleop/delta_twist_cmds", qos.COMMANDS)
        self._teleop_gripper = client.publisher(Float64MultiArray, "teleop/gripper", qos.COMMANDS)
        self._verdict = client.publisher(Bool, "operator/success", qos.EVENTS)
        self._weights = node.create_publisher(UInt8MultiArray, "weights/policy", qos.LATCHED)
        self.events: list[Any] = client.collect(DiagnosticArray, decode.EPISODE, qos.EVENTS)
        self.commands: list[Any] = client.collect(TwistStamped, "servo_node/delta_twist_cmds", qos.COMMANDS)
        self._metrics: list[Any] = client.collect(DiagnosticArray, "metrics", qos.EVENTS)
        node.create_service(Trigger, "reset", self._reset)

    def _reset(self, request: Trigger.Request, response: Trigger.Response) -> Trigger.Response:
        self.resets += 1
        self.tick()
        response.success, response.message = True, json.dumps({"seed": self.resets, "stamp_ns": self.stamp})
        return response

    def tick(self, verdict: bool = False, *, without: tuple[str, ...] = (), operator: bool = True) -> int:
        """The next observation, with the operator's command (unless he is silent) and verdict; returns its stamp."""
        self.stamp += PERIOD_NS
        images = {name: np.zeros((camera.height, camera.width, 3), np.uint8) for name, camera in CONTRACT.cameras.items()}
        pose = np.array([0.5, 0.0, 0.2, 0.0, 1.0, 0.0, 0.0])
        seen = Observation(decode.seconds(self.stamp), images, np.zeros(7), np.zeros(7), pose, 1.0)
        self._verdict.publish(Bool(data=verdict))
        entries = np.array([0.5, 0.0, 0.0, 1.0], np.float32)
        if operator:
            self._teleop_gripper.publish(convert.gripper_command(CONTRACT, entries))
            self._teleop.publish(convert.twist(CONTRACT, entries, self.stamp))
        self._joints.publish(convert.joint_states(CONTRACT, seen, self.stamp))
        self._pose.publish(convert.tool_pose(CONTRACT, seen, self.stamp))
        for name, publisher in self._images.items():
            if name not in without:
                publisher.publish(convert.image(images[name], name, self.stamp))
        return self.stamp

    def metric(self, key: str) -> str:
        found = [item.value for message in self._metrics for status in message.status if status.name == "policy_node"
                 for item in status.values if item.key == key]
        return found[-1] if found else ""

    def teach(self) -> None:
        """Publishes the weights of a policy that has learned nothing, and waits until they are taken: torch comes with the first."""
        self._weights.publish(untrained(CONTRACT, "reach"))
        self.client.wait(lambda: self.metric("newest_version") != "", "the weights to be taken")

    def request(self, **values: Any) -> None:
        parameters = [Parameter(name, value=value).to_parameter_msg() for name, value in values.items()]
        request = SetParametersAtomically.Request(parameters=parameters)
        answer = self.client.call(SetParametersAtomically, "policy_node/set_parameters_atomically", request)
        assert answer.result.successful, answer.result.reason

    def begin(self, mode: str = "demonstrate", **values: Any) -> int:
        """Has one episode conducted; returns the stamp of its first observation, which has been answered."""
        resets, known = self.resets, len(self.commands)
        self.tick()
        self.request(mode=mode, episodes=1, **values)
        return self.begun(resets, known)

    def begun(self, resets: int, known: int) -> int:
        """Waits for the next reset and an answer to what is observed then; returns its stamp."""
        self.client.wait(lambda: self.resets > resets, "a reset")
        first = self.stamp
        self.client.wait(lambda: any(decode.stamp_ns(message) == first for message in self.commands[known:]), "an answer")
        return first

    def ended(self) -> EpisodeEvent:
        """Waits for the next end of an episode."""
        def ends() -> list[EpisodeEvent]:
            events = [decode.episode_event(message) for message in self.events[self._read :]]
            return [event for event in events if event.kind == "end"]

        self.client.wait(lambda: len(ends()) == 1, "the end")
        (end,), self._read = ends(), len(self.events)
        return end


@pytest.fixture(scope="module")
def process(start_node: Callable[..., Any], tmp_path_factory: pytest.TempPathFactory) -> Any:
    folder = tmp_path_factory.mktemp("run")
    return start_node("policy_node", "-p", "task:=reach", "-p", f"horizon:={HORIZON}", "-p", f"run_folder:={folder}")


@pytest.fixture(scope="module")
def robot(process: Any, client: Any) -> Iterator[Robot]:
    yield Robot(client)
    assert process.end() == 0, process.output


def test_an_episode_ends_after_so_many_ticks_of_the_robot_not_after_so_many_commands(robot: Robot) -> None:
    first = robot.begin()
    robot.tick(without=("front",))  # a lost image: nobody can answer this one
    robot.tick()
    last = robot.tick()
    end = robot.ended()
    assert (end.stamp_ns, end.steps) == (last, HORIZON) == (first + HORIZON * PERIOD_NS, HORIZON)


def test_the_last_image_may_be_lost_too(robot: Robot) -> None:
    first = robot.begin()
    for _ in range(HORIZON - 1):
        robot.tick()
    robot.tick(without=tuple(CONTRACT.cameras))
    last = robot.tick()
    end = robot.ended()
    assert (end.stamp_ns, end.steps) == (last, HORIZON + 1) == (first + (HORIZON + 1) * PERIOD_NS, HORIZON + 1)


@pytest.mark.parametrize("verdict", [True, False])
def test_the_verdict_is_the_one_on_the_last_observation(robot: Robot, verdict: bool) -> None:
    robot.begin()
    for _ in range(HORIZON - 1):
        robot.tick(not verdict)
    last = robot.tick(verdict)
    for _ in range(3):  # it runs on before anybody can have answered
        robot.tick(not verdict)
    end = robot.ended()
    assert end.stamp_ns == last and end.info.success is verdict


def test_no_two_episodes_have_one_id_even_if_the_request_is_the_same(robot: Robot) -> None:
    ids = set()
    for _ in range(2):
        robot.begin(run=0)
        for _ in range(HORIZON):
            robot.tick()
        ids.add(robot.ended().info.id)
    assert len(ids) == 2


def test_a_robot_that_falls_silent_is_given_up_and_an_evaluation_waits_to_be_asked_again(robot: Robot) -> None:
    robot.teach()
    robot.begin("evaluate", run=7, actor="rl")
    abandoned = int(robot.metric("episodes_abandoned") or 0)
    events, resets = len(robot.events), robot.resets
    robot.client.wait(lambda: int(robot.metric("episodes_abandoned") or 0) == abandoned + 1, "its word", GONE_S + 3.0)
    for _ in range(5):
        robot.tick()
        robot.client.quiet(0.1)
    robot.client.wait(lambda: robot.metric("mode") == "idle", "idleness")
    assert robot.metric("episodes_done") == "0" and len(robot.events) == events and robot.resets == resets
    robot.begin("evaluate", run=8)
    for _ in range(HORIZON):
        robot.tick()
    end = robot.ended()
    assert end.info.extra["run"] == 8 and end.info.source == "evaluation" and end.info.success is None


def test_an_operator_takes_over_for_the_observations_that_he_answers(robot: Robot) -> None:
    robot.teach()
    first = robot.begin("explore", run=20)  # the robot's first observation comes with his command
    driven = {first: True}
    for operator in (False, True):
        stamp = robot.tick(operator=operator)
        driven[stamp] = operator
        robot.client.wait(lambda stamp=stamp: any(decode.stamp_ns(message) == stamp for message in robot.commands), "an answer")
    robot.tick(operator=False)
    end = robot.ended()
    assert end.info.source == "policy" and end.info.extra[TAKEOVERS] == [[0, 1], [2, 3]]
    answers = {decode.stamp_ns(message): message.twist.linear.x for message in robot.commands}
    speed = CONTRACT.action_scale * CONTRACT.control_hz
    assert [answers[stamp] == 0.5 * speed for stamp in driven] == list(driven.values())
    answer = robot.client.call(Trigger, "episode/failure", Trigger.Request())  # the operator has thought about it
    assert answer.success and "is a failure now" in answer.message
    robot.client.wait(lambda: decode.episode_event(robot.events[-1]).kind == "verdict", "his word")
    late = decode.episode_event(robot.events[-1])
    assert (late.info.id, late.info.success, late.stamp_ns) == (end.info.id, False, end.stamp_ns)


def test_a_robot_whose_clock_begins_anew_is_another_one(robot: Robot) -> None:
    robot.begin("evaluate", run=9)
    abandoned, events = int(robot.metric("episodes_abandoned") or 0), len(robot.events)
    robot.stamp = 0
    robot.tick()
    robot.client.wait(lambda: int(robot.metric("episodes_abandoned")) == abandoned + 1, "its word")
    robot.client.wait(lambda: robot.metric("mode") == "idle", "idleness")
    robot.begin("evaluate", run=10)
    for _ in range(HORIZON):
        robot.tick()
    assert robot.ended().info.extra["run"] == 10 and len(robot.events) == events + 2, "the first one has no end"


def test_without_an_operator_no_demonstration_begins(robot: Robot) -> None:
    robot.client.quiet(2.0 * GONE_S)  # what it was held up itself does not count as silence
    resets, known = robot.resets, len(robot.commands)
    robot.request(mode="demonstrate", episodes=1)
    robot.client.wait(lambda: robot.metric("waiting_for") == "sim_node", "who is missing")
    assert robot.resets == resets
    robot.tick()
    robot.begun(resets, known)
    for _ in range(HORIZON):
        robot.tick()
    robot.ended()
