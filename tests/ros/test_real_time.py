"""The simulated cell in real time: stamps are the wall's, and what is recorded is whole."""

from __future__ import annotations

import time
from typing import Any

import numpy as np
import pytest
from diagnostic_msgs.msg import DiagnosticArray
from geometry_msgs.msg import TwistStamped
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
        job.wait_connected([node for node in nodes if node.name != "policy_node"])  # nobody sends it weights here
        job.switch("simulated_operator", True)
        begun = time.monotonic()
        # On a busy machine a real-time step can miss its tick. The recorder then refuses the episode, and an operator does
        # it again; what is kept must be whole.
        for attempt in range(1, 6):
            run = job.request("demonstrate", episodes=1)
            job.wait(lambda run=run: job.scores.count(run) == 1, 30.0, "an episode")
            job.wait(lambda attempt=attempt: _dealt_with(job) == attempt, 15.0, "the recorder")
            if job.value("recorder_node", "episodes_saved"):
                break
        assert time.monotonic() - begun > 15 / load_contract().control_hz, "an episode of 15 steps takes its time"
    (path,) = list_episodes(tmp_path / "demonstrations")
    episode = read_episode(path)
    assert len(episode) == 15 and abs(episode.stamps[-1] - time.time()) < 60.0
    assert np.median(np.diff(episode.stamps)) == pytest.approx(0.1, abs=0.03)


def _dealt_with(job: JobNode) -> int:
    return sum(int(job.value("recorder_node", key) or 0) for key in ("episodes_saved", "episodes_rejected"))


def test_after_an_unannounced_silence_the_arm_stays_stopped_until_it_is_cleared(start_node: Any, client: Any) -> None:
    process, contract = start_node("sim_node", "-p", "task:=reach", "-p", "lockstep:=false"), load_contract()
    joints = client.collect(JointState, "joint_states", qos.STATE)
    applied = client.collect(JointState, "applied_action", qos.STATE)
    gripper = client.publisher(Float64MultiArray, "gripper_controller/commands", qos.COMMANDS)
    twist = client.publisher(TwistStamped, "servo_node/delta_twist_cmds", qos.COMMANDS)
    events = client.publisher(DiagnosticArray, decode.EPISODE, qos.EVENTS)
    info = EpisodeInfo("e1", "reach", "sim_arm", "demonstration", seed=1)
    silence = (STOP_AFTER_STALE + 2.0) * contract.limits.stale_s

    def command() -> None:
        answered, known = len(applied), len(joints)
        client.wait(lambda: len(joints) > known, "an observation")
        action = np.array([0.1, 0.0, 0.0, 1.0], np.float32)
        gripper.publish(convert.gripper_command(contract, action))
        twist.publish(convert.twist(contract, action, decode.stamp_ns(joints[-1])))
        client.wait(lambda: len(applied) > answered, "an applied action")

    def reset() -> Any:
        return client.call(Trigger, "reset", Trigger.Request())

    events.publish(convert.episode_event(info, 1))
    command()
    client.quiet(silence)
    refused = reset()
    assert not refused.success and "clear_stop" in refused.message and "no fresh command" in refused.message
    assert client.call(Trigger, "clear_stop", Trigger.Request()).success and reset().success
    command()
    events.publish(convert.episode_event(info, 2, steps=1))
    client.quiet(silence)
    assert reset().success, "a silence that an episode's end announced is no fault"
    assert process.end() == 0
