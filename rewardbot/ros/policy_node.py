"""Conducts episodes: resets, answers each observation with an action, and announces start and end.

The job sets the parameters `mode`, `episodes`, `actor` and `run` together; each such change is a new request. A request takes
effect between episodes. In mode `demonstrate` the action is what the operator's teleop device says, by equal stamp; in mode
`play` it is random, and nothing else is needed.

An episode is over at the first observation that is `horizon` control ticks of the robot after its first one. In lockstep the
robot ticks once per command; in real time it ticks on, whether or not a command came in time.

When the robot goes away the episode is abandoned at once; when it is back, demonstrating and exploring begin anew. An
evaluation stops instead and goes idle: the next reset would leave out the start state of the abandoned episode, so who asked
for it asks again, with sim_node's `first_episode`.
"""

from __future__ import annotations

import json
import time
from collections import deque
from dataclasses import dataclass, replace
from functools import partial
from typing import Any, Literal

import torch
from diagnostic_msgs.msg import DiagnosticArray
from geometry_msgs.msg import PoseStamped, TwistStamped
from rclpy.parameter import Parameter
from rclpy.subscription import MessageInfo
from rclpy.task import Future
from sensor_msgs.msg import Image, JointState
from std_msgs.msg import Bool, Float64MultiArray, UInt8MultiArray
from std_srvs.srv import Trigger

from rewardbot.config import setting
from rewardbot.data import decode
from rewardbot.errors import DataError
from rewardbot.policies.base import DeployedPolicy
from rewardbot.robots.play import RandomPlay
from rewardbot.robots.robot import load_contract
from rewardbot.robots.tasks import load_task
from rewardbot.ros import convert, params, qos
from rewardbot.ros.joiner import StampJoiner
from rewardbot.ros.node import LONGEST_WAIT_S, RewardbotNode, start, take_all, take_all_with_info
from rewardbot.ros.scores import OBSERVED
from rewardbot.ros.ticks import RobotTicks
from rewardbot.types import EpisodeInfo, Source

Mode = Literal["idle", "demonstrate", "play", "explore", "evaluate"]
SOURCES: dict[str, Source] = {"demonstrate": "demonstration", "play": "play", "explore": "policy", "evaluate": "evaluation"}
ACTORS = {"demonstrate": "operator", "play": "play", "explore": "explore"}
"""Who acts in a mode; in evaluate, who is asked for."""

TELEOP = "teleop"

GONE_S = 3.0
"""Time without a joint state, or an answer to `reset`, after which the robot is gone; it repeats itself more often than that."""

NAMED_AFTER_S = 5.0
"""Time after which what is waited for is named."""


@dataclass(frozen=True)
class PolicySettings:
    """Read-only parameters."""

    task: str = setting("lift", "task name, written into episodes")
    robot: str = setting("sim_arm", "robot contract in config/robots")
    horizon: int = setting(0, "actions per episode; 0 takes the simulated task's", min=0, max=100_000)
    give_up_s: float = setting(10.0, "time without a whole observation after which an episode is abandoned [s]", min=1.0, max=3600.0)


@dataclass(frozen=True)
class Request:
    """What to do now; set the parameters together (set_parameters_atomically)."""

    mode: Mode = setting("idle", "idle, demonstrate, play, explore or evaluate")
    episodes: int = setting(0, "number of episodes, then idle; 0: until changed", min=0, max=1_000_000)
    actor: Literal["bc", "bc_tuned", "rl"] = setting("rl", "who acts in evaluate: bc, bc_tuned or rl")
    run: int = setting(0, "counter; a higher one makes the same request anew", min=0)
    least_version: int = setting(0, "wait for policy weights of at least this version", min=0)


@dataclass
class _Running:
    """The episode in progress; its first observation is at or after `earliest`, and it has `started` and `answered` [ns]."""

    request: Request
    info: EpisodeInfo
    earliest: int
    started: int = -1
    answered: int = -1
    steps: int = 0


class PolicyNode(RewardbotNode):
    """See the module."""

    def __init__(self) -> None:
        super().__init__("policy_node")
        torch.set_num_threads(1)
        self.settings = params.declare(self, PolicySettings, self.given)
        self._request = params.declare_live(self, Request, self.given)
        self.contract = load_contract(self.settings.robot)
        self.horizon = self.settings.horizon or load_task(self.settings.task).horizon
        self._player = RandomPlay(self.contract.action_dim)
        self._policy: DeployedPolicy | None = None
        self._newest: DeployedPolicy | None = None
        self._episode: _Running | None = None
        self._resetting: tuple[Future[Any], Request] | None = None
        self._done = self._begun = 0  # of the request; of this process, so that no two episodes have one id
        self._finishing = False
        self._verdicts: deque[tuple[int, bool]] = deque(maxlen=100)  # time of sending [ns], the operator's word
        self._robot = RobotTicks()
        self._command: tuple[Float64MultiArray, TwistStamped] | None = None
        # Times in which this process ran, so that one that was held up does not take that for silence [s].
        self._worked_at, self._stuck_s, self._waited_s, self._operator_silent_s = time.monotonic(), 0.0, 0.0, float("inf")
        self._process = f"{time.time_ns() // 1_000_000:x}"  # makes the ids of episodes unique over restarts
        self._early: tuple[int, dict[str, Any]] | None = None
        self._make_topics()
        self._joiner = StampJoiner(self._parts)
        self.add_post_set_parameters_callback(self._take_change)

    def _make_topics(self) -> None:
        self._twists = self.create_publisher(TwistStamped, "servo_node/delta_twist_cmds", qos.COMMANDS)
        self._grippers = self.create_publisher(Float64MultiArray, "gripper_controller/commands", qos.COMMANDS)
        self._events = self.create_publisher(DiagnosticArray, decode.EPISODE, qos.EVENTS)
        self._teleop_gripper = self.create_subscription(
            Float64MultiArray, "teleop/gripper", self._on_teleop_gripper, qos.COMMANDS)
        self._judge = self.create_subscription(Bool, "operator/success", self._on_verdict, qos.EVENTS)
        self.create_subscription(UInt8MultiArray, "weights/policy", self._on_weights, qos.LATCHED)
        topics: list[tuple[str, Any, Any]] = [
            (decode.TOOL_POSE, PoseStamped, qos.STATE),
            *((decode.camera_topic(name), Image, qos.IMAGES_ALL) for name in self.contract.cameras)]
        for topic, kind, quality in topics:
            self.create_subscription(kind, topic, partial(self._on_part, topic), quality)
        self.create_subscription(JointState, decode.JOINT_STATES, self._on_joint_states, qos.STATE)
        self.create_subscription(TwistStamped, "teleop/delta_twist_cmds", partial(self._on_part, TELEOP), qos.COMMANDS)
        self._reset_client = self.create_client(Trigger, "reset")
        self._parts = [decode.JOINT_STATES, *(topic for topic, _, _ in topics)]
        self._gripper_wish = Float64MultiArray(data=[0.0])

    # Requests ------------------------------------------------------------------------------------------------------------

    def _take_change(self, changes: list[Parameter[Any]]) -> None:
        self._request = params.rebuild(self._request, {change.name: change.value for change in changes})
        if not self._finishing:
            self._done, self._stuck_s = 0, 0.0

    def work(self) -> float:
        """Begins the next episode when there is one to do; abandons one that no longer gets observations."""
        now = time.monotonic()
        passed, self._worked_at = min(now - self._worked_at, 2.0 * LONGEST_WAIT_S), now
        self._robot.waited(passed)
        self._operator_silent_s += passed
        self._stuck_s += passed
        self._tell()
        if self._episode is None and self._resetting is None:
            absent = "" if self._request.mode == "idle" else self._absent()
            self._name(absent, passed)
            if self._request.mode != "idle" and not absent:
                self._begin()
        elif self._robot.silent_s > GONE_S:
            self._abandon(f"nothing from the robot for {GONE_S:.0f} s")
        elif self._resetting is not None and self._stuck_s > GONE_S:
            self._abandon(f"'reset' was not answered for {GONE_S:.0f} s")
        elif self._stuck_s > self.settings.give_up_s:
            self._abandon(f"no whole observation for {self.settings.give_up_s:.0f} s; missing: {self._joiner.missing()}")
        return LONGEST_WAIT_S

    def _absent(self) -> str:
        """Who must be there before an episode can begin, and is not; empty when nobody is missing."""
        if self._robot.silent_s > GONE_S:
            return "sim_node"
        if not self._reset_client.service_is_ready():
            return "the service 'reset' of sim_node"
        if self._request.mode == "demonstrate":
            return "" if self._operator_silent_s <= GONE_S else "the operator (teleop/delta_twist_cmds)"
        if self._request.mode == "play":
            return ""
        if self._newest is None:
            return "weights/policy"
        if self._newest.version < self._request.least_version:
            return f"weights/policy of version {self._request.least_version}"
        return ""

    def _name(self, absent: str, passed: float) -> None:
        self._waited_s = self._waited_s + passed if absent else 0.0
        self.metrics["waiting_for"] = absent if self._waited_s >= NAMED_AFTER_S else ""
        if self.metrics["waiting_for"]:
            self.get_logger().info(f"waiting for {absent}", throttle_duration_sec=NAMED_AFTER_S)

    def _begin(self) -> None:
        request, self._stuck_s = self._request, 0.0
        parts = [*self._parts, TELEOP] if request.mode == "demonstrate" else self._parts
        self._joiner, self._early = StampJoiner(parts), None
        self._robot.forget()
        answer = self._reset_client.call_async(Trigger.Request())
        self._resetting = answer, request
        answer.add_done_callback(lambda future: self._on_reset(future, request))

    def _on_reset(self, future: Future[Any], request: Request) -> None:
        if self._resetting is None or future is not self._resetting[0]:
            return  # an answer that came after we gave up
        self._resetting = None
        response: Any = future.result()
        if not response.success:
            self.get_logger().warning(f"the robot refuses to reset: {response.message}", throttle_duration_sec=5.0)
            return
        if request != self._request:
            return  # a new request came meanwhile and begins with a reset of its own
        answer = _json_object(response.message)
        seed, version = answer.get("seed"), 0
        start = seed if isinstance(seed, int) else self._done
        if request.mode == "play":
            self._player.begin_episode(start)
        elif request.mode != "demonstrate":
            self._policy = self._newest
            assert self._policy is not None
            self._policy.begin_episode(start)
            version = self._policy.version
        info = EpisodeInfo(
            id=f"{SOURCES[request.mode]}-{request.run:03d}-{self._begun:05d}-{self._process}",
            task=self.settings.task, robot=self.contract.name, source=SOURCES[request.mode],
            seed=seed if isinstance(seed, int) else None,
            policy_version=version,
            extra={"run": request.run, "index": self._done, "actor": ACTORS.get(request.mode, request.actor)})
        self._begun += 1
        self._verdicts.clear()
        self._stuck_s = 0.0
        self._episode = _Running(request, info, int(answer.get("stamp_ns", 0)))
        # The first observation may have overtaken the answer of the service. A robot that does not tell its stamp: the next.
        if self._early is not None and "stamp_ns" in answer:
            self._on_observation(*self._early)

    # Observations --------------------------------------------------------------------------------------------------------

    def _on_joint_states(self, message: JointState, info: MessageInfo) -> None:
        if self._robot.add(decode.stamp_ns(message), info["source_timestamp"], info["publication_sequence_number"]):
            self._operator_silent_s = float("inf")  # the simulated one went with it
            self._abandon("the robot was started again")
        self._on_part(decode.JOINT_STATES, message)

    def _on_part(self, topic: str, message: Any) -> None:
        if topic == TELEOP:
            self._operator_silent_s = 0.0
        if topic in self._joiner.topics and (complete := self._joiner.add(topic, message)) is not None:
            if self._episode is None:
                self._early = complete
            else:
                self._stuck_s = 0.0
                self._on_observation(*complete)

    def _on_observation(self, stamp: int, parts: dict[str, Any]) -> None:
        episode = self._episode
        if episode is None or stamp < max(episode.earliest, episode.answered):
            return
        if stamp == episode.answered:  # repeated: our command did not arrive
            self._send_command()
            return
        if episode.started < 0:
            episode.started = stamp
            self.publish(self._events, convert.episode_event(episode.info, stamp))
        # Joint states come in order, so those of all ticks before this observation have been counted.
        episode.steps = self._robot.count(episode.started, stamp)
        if episode.steps >= self.horizon:
            self._end(episode, stamp)
            return
        if TELEOP in parts:
            # Its gripper command has no stamp and comes before the twist; see take_all.
            if waiting := take_all(self._teleop_gripper):
                self._gripper_wish = waiting[-1]
            twist: TwistStamped = parts[TELEOP]
            self._command = self._gripper_wish, twist
        elif episode.request.mode == "play":
            action = self._player.act()
            self._command = convert.gripper_command(self.contract, action), convert.twist(self.contract, action, stamp)
        else:
            assert self._policy is not None
            images = {name: parts[decode.camera_topic(name)] for name in self.contract.cameras}
            observation = decode.observation(self.contract, parts[decode.JOINT_STATES], parts[decode.TOOL_POSE], images)
            action = self._policy.act(observation, actor=episode.request.actor,
                                      explore=episode.request.mode == "explore")
            self._command = convert.gripper_command(self.contract, action), convert.twist(self.contract, action, stamp)
        episode.answered = stamp
        self._send_command()
        self.tick()

    def _send_command(self) -> None:
        if self._command is not None:
            gripper, twist = self._command
            self.publish(self._grippers, gripper)  # before the twist, which is what sets a lockstep robot going
            self.publish(self._twists, twist)

    def _end(self, episode: _Running, stamp: int) -> None:
        observed = self._robot.sent(stamp)
        info = replace(episode.info, extra={**episode.info.extra, OBSERVED: observed})
        if info.source == "demonstration":
            # The verdict on this observation was sent before it, so it has arrived: but perhaps not been read. In real time
            # that on the next one may be here as well.
            for message, sent in take_all_with_info(self._judge):
                self._on_verdict(message, sent)
            info = replace(info, success=self._verdict_before(observed))
        self.publish(self._events, convert.episode_event(info, stamp, steps=episode.steps))
        self._episode = None
        if episode.request == self._request:
            self._done += 1
            if self._done == self._request.episodes:
                self._go_idle()

    def _go_idle(self) -> None:
        self._finishing = True
        self.set_parameters([Parameter("mode", value="idle")])
        self._finishing = False
        self._tell()
        self.publish_metrics()

    def _abandon(self, reason: str) -> None:
        """Gives up the episode or the reset that is under way, if there is one, and an evaluation in any case."""
        request = self._request
        if self._episode is not None or self._resetting is not None:
            name, request = "that was to begin", self._resetting[1] if self._resetting is not None else request
            if self._episode is not None:
                name, request = self._episode.info.id, self._episode.request
            self.get_logger().warning(f"episode {name} abandoned: {reason}")
            self.metrics["episodes_abandoned"] = int(self.metrics.get("episodes_abandoned", 0)) + 1
        self._episode, self._resetting, self._stuck_s = None, None, 0.0
        if request == self._request and request.mode == "evaluate":
            self.get_logger().warning(f"the evaluation stops after {self._done} episodes; whoever asked for it may ask again")
            self._go_idle()

    # Other topics --------------------------------------------------------------------------------------------------------

    def _on_teleop_gripper(self, message: Float64MultiArray) -> None:
        self._gripper_wish = message

    def _on_verdict(self, message: Bool, info: MessageInfo) -> None:
        self._verdicts.append((info["source_timestamp"], message.data))

    def _verdict_before(self, observed: int) -> bool | None:
        """The newest verdict that was sent before the observation sent at `observed` [ns], hence not one on a later one."""
        return next((verdict for sent, verdict in reversed(self._verdicts) if sent < observed), None)

    def _on_weights(self, message: UInt8MultiArray) -> None:
        policy = DeployedPolicy(bytes(message.data))
        if policy.task != self.settings.task:
            raise DataError(f"The weights on weights/policy are for task '{policy.task}'.",
                            valid=f"This graph runs '{self.settings.task}'.", next_step="Is another graph in this namespace?")
        self._newest = policy
        self.metrics["newest_version"] = self._newest.version

    def _tell(self) -> None:
        episode, request = self._episode, self._request
        self.metrics |= {"mode": request.mode, "run": request.run, "episodes_done": self._done,
                         "steps": episode.steps if episode is not None else 0,
                         "policy_version": self._policy.version if self._policy is not None else 0}


def _json_object(text: str) -> dict[str, Any]:
    """The JSON object in `text`, empty for other text: a real robot's `reset` may answer what it likes."""
    try:
        value = json.loads(text)
    except ValueError:
        return {}
    return value if isinstance(value, dict) else {}


def main() -> None:
    """The program `policy_node`."""
    start(PolicyNode)


if __name__ == "__main__":
    main()
