"""The simulated cell in real time: stamps are the wall's, and what is recorded is whole."""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
from diagnostic_msgs.msg import DiagnosticArray
from geometry_msgs.msg import TwistStamped
from rosgraph_msgs.msg import Clock
from sensor_msgs.msg import JointState
from std_msgs.msg import Float64MultiArray
from std_srvs.srv import Trigger

from rewardbot.data import decode
from rewardbot.data.episodes import list_episodes, read_episode
from rewardbot.robots.robot import load_contract
from rewardbot.robots.safety import STOP_AFTER_STALE
from rewardbot.ros import convert, qos
from rewardbot.ros.graph import load_graph, resolve
from rewardbot.ros.job_node import JobNode
from rewardbot.ros.supervisor import Supervisor
from rewardbot.types import EpisodeInfo

pytestmark = pytest.mark.ros


def test_a_demonstration_in_real_time_is_recorded_whole(domain: int, tmp_path: Any) -> None:
    nodes = resolve(load_graph("sim"), {"task": "reach", "lockstep": False, "learn": False, "run_folder": str(tmp_path)})
    with Supervisor(nodes, log=lambda *line: None) as supervisor, JobNode("rewardbot", supervisor.poll) as job:
        supervisor.start()
        job.wait(lambda: supervisor.all_ready, 60.0, "the nodes")
        job.wait_connected(nodes)
        job.switch("simulated_operator", True)
        begun = time.monotonic()
        run = job.request("demonstrate", episodes=3)
        job.wait(lambda: job.scores.count(run) == 3, 60.0, "three episodes")
        assert time.monotonic() - begun > 3 * 15 / load_contract().control_hz, "three episodes of 15 steps take their time"
        job.wait(lambda: job.value("recorder_node", "episodes_saved") == 3, 30.0, "the recorder")
        assert job.value("recorder_node", "episodes_rejected") == 0, job.text("recorder_node", "last_rejection")
        truths = [score.success for score in job.scores.scores]
        assert [score.event.info.success for score in job.scores.scores] == truths, "the verdict is on the last observation"
    for path in list_episodes(tmp_path / "demonstrations"):
        episode = read_episode(path)
        # An image that the policy missed is answered by the next one; the robot's ticks count nevertheless.
        assert 15 <= len(episode) <= 17 and abs(episode.stamps[-1] - time.time()) < 60.0
        assert np.median(np.diff(episode.stamps)) == pytest.approx(0.1, abs=0.03)


class Arm:
    """The simulated cell in real time as a commander of the test's own sees it."""

    def __init__(self, start_node: Any, client: Any, *more: str) -> None:
        self.process, self.client = start_node("sim_node", "-p", "task:=reach", "-p", "lockstep:=false", *more), client
        self.contract = load_contract()
        self.joints = client.collect(JointState, "joint_states", qos.STATE)
        self.applied = client.collect(JointState, "applied_action", qos.STATE)
        self.requested = client.collect(JointState, "requested_action", qos.STATE)
        self._gripper = client.publisher(Float64MultiArray, "gripper_controller/commands", qos.COMMANDS)
        self._twist = client.publisher(TwistStamped, "servo_node/delta_twist_cmds", qos.COMMANDS)
        self._events = client.publisher(DiagnosticArray, decode.EPISODE, qos.EVENTS)
        # It must have found our publishers, too, those of the tests before included.
        ours = sum(1 for item in client.node.publishers if item.topic_name in (
            self._gripper.topic_name, self._twist.topic_name, self._events.topic_name))
        metrics = client.collect(DiagnosticArray, "metrics", qos.EVENTS)
        client.wait(lambda: any(convert.metrics_of(message)["sim_node"]["links_in"] == ours for message in metrics), "links")

    def announce(self, *, steps: int | None = None) -> None:
        """The start of an episode, or its end."""
        info = EpisodeInfo("e1", "reach", "sim_arm", "demonstration", seed=1)
        self._events.publish(convert.episode_event(info, 1, steps=steps))

    def observed(self) -> int:
        """The stamp of the next observation [ns]."""
        known = len(self.joints)
        self.client.wait(lambda: len(self.joints) > known, "an observation")
        return decode.stamp_ns(self.joints[-1])

    def command(self, action: list[float], stamp: int, frame: str = "") -> None:
        entries = np.array(action, np.float32)
        self._gripper.publish(convert.gripper_command(self.contract, entries))
        twist = convert.twist(self.contract, entries, stamp)
        twist.header.frame_id = frame
        self._twist.publish(twist)

    def actions(self, since: int, messages: list[Any] | None = None) -> dict[int, list[float]]:
        """Stamp of the observation -> applied action, or another of `messages`, from the observation of `since` on."""
        return {stamp: decode.action(message, self.contract).tolist() for message in messages or self.applied
                if (stamp := decode.stamp_ns(message)) >= since}

    def moved(self, action: list[float]) -> dict[int, list[float]]:
        """Commands once and returns what the next ticks did, once the command is among it."""
        since = self.observed()
        self.command(action, since)
        self.client.wait(lambda: action[0] in [round(done[0], 6) for done in self.actions(since).values()], "the motion")
        return self.actions(since)

    def reset(self) -> Any:
        return self.client.call(Trigger, "reset", Trigger.Request())


@pytest.fixture
def arm(start_node: Any, client: Any) -> Iterator[Arm]:
    found = Arm(start_node, client)
    yield found
    assert found.process.end() == 0


def test_each_tick_is_one_action_whether_commands_are_late_doubled_or_missing(arm: Arm) -> None:
    arm.announce()
    first = arm.observed()
    arm.command([0.25, 0.0, 0.0, 1.0], first)
    arm.command([0.5, 0.0, 0.0, 1.0], first)  # most likely for the same tick: the newer one counts
    arm.client.wait(lambda: len(arm.actions(first)) >= 3, "three ticks")
    arm.command([0.75, 0.0, 0.0, -1.0], first)  # answers an observation of some ticks ago
    arm.client.wait(lambda: len(arm.actions(first)) >= 7, "four more ticks")
    done = arm.actions(first)
    ticks = [decode.stamp_ns(message) for message in arm.joints if decode.stamp_ns(message) >= first]
    assert list(done) == ticks[: len(done)], "one action for each observation, under its stamp"
    moves = [action[0] for action in done.values() if action[0] != 0.0]
    assert moves[-2:] == pytest.approx([0.5, 0.75]) and len(moves) <= 3, "each command moves for one tick"
    assert list(done.values())[-1] == [0.0, 0.0, 0.0, -1.0], "it holds, and the gripper stays as it was told"
    arm.client.wait(lambda: done.keys() <= arm.actions(first, arm.requested).keys(), "what was asked for")
    requested = arm.actions(first, arm.requested)
    assert [requested[stamp] for stamp in done] == [pytest.approx(action, abs=1e-6) for action in done.values()]


def test_a_refused_command_is_no_sign_of_life(arm: Arm) -> None:
    arm.announce()
    arm.moved([0.25, 0.0, 0.0, 1.0])
    until = time.monotonic() + (STOP_AFTER_STALE + 1.0) * arm.contract.limits.stale_s
    while time.monotonic() < until:
        arm.command([0.25, 0.0, 0.0, 1.0], arm.observed(), frame="another")
    refused = arm.reset()
    assert not refused.success and "no fresh command" in refused.message


@pytest.mark.parametrize("jump_s", [3600, -1800])
def test_a_clock_that_is_set_neither_stops_nor_freezes_the_arm(start_node: Any, client: Any, jump_s: int) -> None:
    arm = Arm(start_node, client, "-p", "use_sim_time:=true")  # whose clock is what the test says
    clock = client.publisher(Clock, "/clock", qos.STATE)
    at = 1_800_000_000 * decode.NS_PER_S
    for step in range(30):
        at += (jump_s * decode.NS_PER_S if step == 15 else 0) + round(decode.NS_PER_S / arm.contract.control_hz)
        clock.publish(Clock(clock=convert.time_message(at)))
        stamp = arm.observed()
        if step == 5:
            arm.announce()
        arm.command([0.125 if step < 15 else 0.25, 0.0, 0.0, 1.0], stamp)
    client.wait(lambda: sum(action[0] > 0.2 for action in arm.actions(0).values()) >= 10, "motion after the jump")
    assert arm.reset().success, "it was not stopped"
    assert arm.process.end() == 0


def test_after_an_unannounced_silence_the_arm_stays_stopped_until_it_is_cleared(arm: Arm) -> None:
    silence = (STOP_AFTER_STALE + 2.0) * arm.contract.limits.stale_s
    arm.announce()
    arm.moved([0.25, 0.0, 0.0, 1.0])
    arm.client.quiet(silence)
    refused = arm.reset()
    assert not refused.success and "clear_stop" in refused.message and "no fresh command" in refused.message
    assert arm.client.call(Trigger, "clear_stop", Trigger.Request()).success and arm.reset().success
    arm.moved([0.25, 0.0, 0.0, 1.0])
    arm.announce(steps=1)
    arm.client.quiet(silence)
    assert arm.reset().success, "a silence that an episode's end announced is no fault"
