"""sim_node in lockstep, as a real process over real DDS."""

from __future__ import annotations

import json
import signal
from typing import Any

import numpy as np
import pytest
from geometry_msgs.msg import TwistStamped
from rcl_interfaces.srv import SetParametersAtomically
from rclpy.parameter import Parameter
from sensor_msgs.msg import Image, JointState
from std_msgs.msg import Bool, Float64MultiArray
from std_srvs.srv import SetBool, Trigger

from rewardbot.data import decode
from rewardbot.robots.robot import load_contract
from rewardbot.robots.start_states import start_seed
from rewardbot.ros import convert, qos

pytestmark = pytest.mark.ros
CONTRACT = load_contract()
PERIOD_NS = round(1e9 / CONTRACT.control_hz)


class Cell:
    """The simulated cell and what it said."""

    def __init__(self, client: Any) -> None:
        self.client = client
        self.joints = client.collect(JointState, "joint_states", qos.STATE)
        self.front = client.collect(Image, decode.camera_topic("front"), qos.IMAGES_ALL)
        self.wrist = client.collect(Image, decode.camera_topic("wrist"), qos.IMAGES_ALL)
        self.applied = client.collect(JointState, "applied_action", qos.STATE)
        self.teleop = client.collect(TwistStamped, "teleop/delta_twist_cmds", qos.COMMANDS)
        self.teleop_gripper = client.collect(Float64MultiArray, "teleop/gripper", qos.COMMANDS)
        self.verdicts = client.collect(Bool, "operator/success", qos.EVENTS)
        self.truths = client.collect(Bool, "evaluation/success", qos.EVENTS)
        self.gripper = client.publisher(Float64MultiArray, "gripper_controller/commands", qos.COMMANDS)
        self.twist = client.publisher(TwistStamped, "servo_node/delta_twist_cmds", qos.COMMANDS)

    def reset(self) -> dict[str, int]:
        answer = self.client.call(Trigger, "reset", Trigger.Request())
        assert answer.success
        found = json.loads(answer.message)
        self.wait_for(found["stamp_ns"])
        return found

    def wait_for(self, stamp: int) -> None:
        """Waits for the whole observation of `stamp`."""
        topics = (self.joints, self.front, self.wrist)
        self.client.wait(lambda: all(any(decode.stamp_ns(m) == stamp for m in messages) for messages in topics), f"{stamp}")

    def applied_at(self, stamp: int) -> Any:
        """The applied action that answered the observation of `stamp`, float32 (A,)."""
        found: list[Any] = []
        self.client.wait(lambda: bool(found.extend(m for m in self.applied if decode.stamp_ns(m) == stamp) or found), "an action")
        return decode.action(found[0], CONTRACT)

    def send(self, action: Any, stamp: int) -> None:
        entries = np.asarray(action, np.float32)
        self.gripper.publish(convert.gripper_command(CONTRACT, entries))
        self.twist.publish(convert.twist(CONTRACT, entries, stamp))

    def set(self, **values: int) -> Any:
        parameters = [Parameter(name, value=value).to_parameter_msg() for name, value in values.items()]
        request = SetParametersAtomically.Request(parameters=parameters)
        return self.client.call(SetParametersAtomically, "sim_node/set_parameters_atomically", request).result


@pytest.fixture(scope="module")
def process(start_node: Any) -> Any:
    return start_node("sim_node", "-p", "task:=reach", "-p", "timeout_s:=0.5")


@pytest.fixture(scope="module")
def cell(process: Any, client: Any) -> Cell:
    return Cell(client)


def test_one_command_advances_one_period(cell: Cell) -> None:
    stamp = cell.reset()["stamp_ns"]
    for _ in range(5):
        cell.send([0.5, -0.25, 0.1, -1.0], stamp)
        cell.wait_for(stamp + PERIOD_NS)
        assert cell.applied_at(stamp) == pytest.approx([0.5, -0.25, 0.1, -1.0], abs=1e-6)
        stamp += PERIOD_NS
    front = decode.image(cell.front[-1], CONTRACT.cameras["front"])
    assert front.shape == (64, 64, 3) and front.std() > 1.0


def test_it_can_go_back_to_the_same_start_state(cell: Cell) -> None:
    first = cell.reset()
    start = cell.front[-1].data
    cell.send([1.0, 0.0, 0.0, 1.0], first["stamp_ns"])
    cell.wait_for(first["stamp_ns"] + PERIOD_NS)
    answer = cell.client.call(Trigger, "reset_again", Trigger.Request())
    again = json.loads(answer.message)
    cell.wait_for(again["stamp_ns"])
    assert again["seed"] == first["seed"] and cell.front[-1].data == start
    assert cell.reset()["seed"] == first["seed"] + 1, "and then on with the next"


def test_a_stale_command_moves_nothing(cell: Cell) -> None:
    stamp = cell.reset()["stamp_ns"]
    cell.send([1.0, 0.0, 0.0, 1.0], stamp)
    cell.wait_for(stamp + PERIOD_NS)
    cell.applied_at(stamp)
    before = len(cell.applied)
    cell.send([1.0, 0.0, 0.0, 1.0], stamp)  # answered already
    cell.send([1.0, 0.0, 0.0, 1.0], stamp + 5 * PERIOD_NS)  # not observed yet
    cell.client.quiet(0.3)
    assert len(cell.applied) == before
    cell.send([0.0, 0.0, 0.0, -0.5], stamp + PERIOD_NS)
    cell.wait_for(stamp + 2 * PERIOD_NS)
    # The stale commands' gripper entries are gone as well.
    assert cell.applied_at(stamp + PERIOD_NS)[3] == pytest.approx(-0.5)


def test_the_observation_is_repeated_when_no_command_comes(cell: Cell) -> None:
    stamp = cell.reset()["stamp_ns"]
    cell.client.quiet(0.1)
    truths = len(cell.truths)
    repeated = [m for m in cell.front if decode.stamp_ns(m) == stamp]
    cell.client.wait(lambda: sum(decode.stamp_ns(m) == stamp for m in cell.front) > len(repeated), "a repetition")
    assert all(decode.stamp_ns(m) <= stamp for m in cell.joints), "time went on without a command"
    assert len(cell.truths) == truths, "the truth is told once per observation"


def test_nan_is_held_and_recorded_as_numbers(cell: Cell) -> None:
    stamp = cell.reset()["stamp_ns"]
    cell.send([np.nan, 0.0, 0.0, 1.0], stamp)
    cell.wait_for(stamp + PERIOD_NS)
    assert cell.applied_at(stamp)[:3] == pytest.approx([0.0, 0.0, 0.0])


def test_start_states_follow_the_seed(cell: Cell) -> None:
    assert cell.set(seed=7).successful
    first, second = cell.reset(), cell.reset()
    assert [first["seed"], second["seed"]] == [start_seed(7, 0), start_seed(7, 1)]
    image = next(m for m in cell.front if decode.stamp_ns(m) == first["stamp_ns"])
    assert cell.set(seed=7).successful
    again = cell.reset()
    assert again["seed"] == first["seed"] and again["stamp_ns"] > second["stamp_ns"]
    assert next(m for m in cell.front if decode.stamp_ns(m) == again["stamp_ns"]).data == image.data
    refused = cell.set(seed=-1)
    assert not refused.successful and "out of range" in refused.reason


def test_the_sequence_of_start_states_begins_where_it_is_told(cell: Cell) -> None:
    assert cell.set(seed=7, first_episode=3).successful
    assert [cell.reset()["seed"] for _ in range(2)] == [start_seed(7, 3), start_seed(7, 4)]
    assert not cell.set(seed=8, first_episode=-1).successful
    assert cell.reset()["seed"] == start_seed(7, 5), "all or nothing"
    assert cell.set(first_episode=1).successful
    assert cell.reset()["seed"] == start_seed(7, 1)
    assert cell.set(seed=9, first_episode=0).successful
    assert cell.reset()["seed"] == start_seed(9, 0)


def test_an_operator_who_comes_late_commands_at_once(cell: Cell) -> None:
    stamp = cell.reset()["stamp_ns"]
    cell.client.quiet(0.1)
    assert not any(decode.stamp_ns(message) == stamp for message in cell.teleop)
    assert cell.client.call(SetBool, "simulated_operator", SetBool.Request(data=True)).success
    cell.client.wait(lambda: any(decode.stamp_ns(m) == stamp for m in cell.teleop), "a command", timeout_s=5.0)
    assert cell.client.call(SetBool, "simulated_operator", SetBool.Request(data=True)).success
    said = len(cell.teleop)
    cell.client.wait(lambda: len(cell.teleop) > said, "its commands are repeated with the observation")
    assert cell.client.call(SetBool, "simulated_operator", SetBool.Request(data=False)).success
    cell.client.quiet(0.1)
    said, repeated = len(cell.teleop), len(cell.joints)
    cell.client.wait(lambda: len(cell.joints) > repeated, "a repetition")
    cell.client.quiet(0.1)
    assert len(cell.teleop) == said, "who went away commands no more"


def test_the_simulated_operator_reaches_the_goal(cell: Cell) -> None:
    assert cell.client.call(SetBool, "simulated_operator", SetBool.Request(data=True)).success
    known = len(cell.verdicts) + 1  # the reset is observed as well
    stamp = cell.reset()["stamp_ns"]
    for _ in range(15):
        cell.client.wait(lambda now=stamp: any(decode.stamp_ns(m) == now for m in cell.teleop), "the operator")
        wish = convert.action_of_command(CONTRACT, cell.teleop[-1], cell.teleop_gripper[-1])
        cell.send(wish, stamp)
        stamp += PERIOD_NS
        cell.wait_for(stamp)
    cell.client.wait(lambda: len(cell.verdicts) == known + 15, "a verdict on each observation")
    assert cell.verdicts[-1].data
    assert cell.client.call(SetBool, "simulated_operator", SetBool.Request(data=False)).success
    said = len(cell.verdicts)
    cell.reset()
    cell.client.quiet(0.1)
    assert len(cell.verdicts) == said


def test_stop_is_latched_until_cleared(cell: Cell) -> None:
    stamp = cell.reset()["stamp_ns"]
    assert cell.client.call(Trigger, "stop", Trigger.Request()).success
    cell.send([1.0, 0.0, 0.0, 1.0], stamp)
    cell.wait_for(stamp + PERIOD_NS)
    assert cell.applied_at(stamp)[:3] == pytest.approx([0.0, 0.0, 0.0])
    refused = cell.client.call(Trigger, "reset", Trigger.Request())
    assert not refused.success and "clear_stop" in refused.message
    assert cell.client.call(Trigger, "clear_stop", Trigger.Request()).success
    cell.reset()


def test_sigterm_ends_it_with_exit_code_0(cell: Cell, process: Any) -> None:
    assert process.end(signal.SIGTERM) == 0, process.output
    assert not any("Traceback" in line for line in process.output)
