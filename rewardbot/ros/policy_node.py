"""Conducts episodes: resets, answers each observation with an action, and announces start and end.

The job sets the parameters `mode`, `episodes`, `actor` and `run` together; each such change is a new request. A request takes
effect between episodes. In mode `demonstrate` the action is what the operator's teleop device says, by equal stamp; in mode
`play` it is random, and nothing else is needed. In mode `teleoperate` a person says by services when an episode begins and ends,
and drives the arm between episodes, too; when the person is silent, the arm holds. In mode `explore` whoever drives acts instead
of the policy, and may end the episode with a verdict.

Every other episode is over at the first observation that is `horizon` control ticks of the robot after its first one. In lockstep
the robot ticks once per command; in real time it ticks on, whether or not a command came in time.

When the robot goes away the episode is abandoned at once; when it is back, demonstrating and exploring begin anew. An
evaluation stops instead and goes idle: the next reset would leave out the start state of the abandoned episode, so who asked
for it asks again, with sim_node's `first_episode`.
"""

from __future__ import annotations

import json
import time
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from diagnostic_msgs.msg import DiagnosticArray
from geometry_msgs.msg import PoseStamped, TwistStamped
from numpy.typing import NDArray
from rclpy.parameter import Parameter
from rclpy.subscription import MessageInfo
from rclpy.task import Future
from sensor_msgs.msg import Image, JointState
from std_msgs.msg import Float64MultiArray
from std_srvs.srv import Trigger

from rewardbot.config import setting
from rewardbot.data import decode
from rewardbot.data.verdicts import FILE, write_verdict
from rewardbot.errors import DataError
from rewardbot.robots.robot import load_contract
from rewardbot.robots.tasks import load_task
from rewardbot.ros import convert, params, qos
from rewardbot.ros.actors import OF_THE_POLICY, Actors
from rewardbot.ros.arbiter import Gripper
from rewardbot.ros.episode_services import EpisodeServices
from rewardbot.ros.joiner import StampJoiner
from rewardbot.ros.node import LONGEST_WAIT_S, RewardbotNode, start
from rewardbot.ros.operators import Operators, Verdicts
from rewardbot.ros.requests import ACTORS, SOURCES, Request
from rewardbot.ros.telling import Answer, Running, Teller
from rewardbot.ros.ticks import RobotTicks
from rewardbot.ros.waiting import Waiting
from rewardbot.ros.weights import NewestWeights
from rewardbot.types import EpisodeInfo

TELEOP = "teleop"

GONE_S = 3.0
"""Time without a joint state, or an answer to `reset`, after which the robot is gone; it repeats itself more often than that."""


@dataclass(frozen=True)
class PolicySettings:
    """Read-only parameters."""

    task: str = setting("lift", "task name, written into episodes")
    robot: str = setting("sim_arm", "robot contract in config/robots")
    run_folder: str = setting("runs/up", f"folder for '{FILE}': what a person says of episodes that have ended")
    horizon: int = setting(0, "actions per episode; 0 takes the simulated task's", min=0, max=100_000)
    lockstep: bool = setting(True, "the robot waits for each command: an operator's is for the observation of its stamp only")
    give_up_s: float = setting(10.0, "time without a whole observation after which an episode is abandoned [s]", min=1.0, max=3600.0)


class PolicyNode(RewardbotNode):
    """See the module."""

    def __init__(self) -> None:
        super().__init__("policy_node")
        self.settings = params.declare(self, PolicySettings, self.given)
        self._request = params.declare_live(self, Request, self.given)
        self.contract = load_contract(self.settings.robot)
        self.horizon = self.settings.horizon or load_task(self.settings.task).horizon
        self._actors = Actors(self.contract, self.settings.task)
        self._weights = NewestWeights(self, "weights/policy", "rewardbot.policies.base")
        self._resetting: tuple[Future[Any], Request] | None = None
        self._done = self._begun = 0  # of the request; of this process, so that no two episodes have one id
        self._finishing = False
        self._robot = RobotTicks()
        self._teller = Teller(lambda event: self.publish(self._events, event), self._robot.sent, self._on_end, self._keep)
        self._operators = Operators(self, self.contract, lockstep=self.settings.lockstep, heard=self._on_operator, tell=self._say)
        self._verdicts = Verdicts(self)
        self._gripper = Gripper(self.contract)
        self._command: tuple[Float64MultiArray, TwistStamped] | None = None
        # Times in which this process ran, so that one that was held up does not take that for silence [s].
        self._worked_at, self._stuck_s = time.monotonic(), 0.0
        self._waiting = Waiting(self.get_logger().name)
        self._process = f"{time.time_ns() // 1_000_000:x}"  # makes the ids of episodes unique over restarts
        self._early: tuple[int, dict[str, Any]] | None = None
        self._make_topics()
        self._joiner = StampJoiner(self._parts)
        self.add_post_set_parameters_callback(self._take_change)

    def _make_topics(self) -> None:
        self._twists = self.create_publisher(TwistStamped, "servo_node/delta_twist_cmds", qos.COMMANDS)
        self._grippers = self.create_publisher(Float64MultiArray, "gripper_controller/commands", qos.COMMANDS)
        self._events = self.create_publisher(DiagnosticArray, decode.EPISODE, qos.EVENTS)
        topics: list[tuple[str, Any, Any]] = [
            (decode.TOOL_POSE, PoseStamped, qos.STATE),
            *((decode.camera_topic(name), Image, qos.IMAGES_ALL) for name in self.contract.cameras)]
        for topic, kind, quality in topics:
            self.create_subscription(kind, topic, partial(self._on_part, topic), quality)
        self.create_subscription(JointState, decode.JOINT_STATES, self._on_joint_states, qos.STATE)
        self._reset_client, self._again_client = (self.create_client(Trigger, name) for name in ("reset", "reset_again"))
        self._parts = [decode.JOINT_STATES, *(topic for topic, _, _ in topics)]
        EpisodeServices(self, self._teller, self._start, self._on_word)

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
        self._operators.waited(passed)
        self._stuck_s += passed
        if newest := self._weights.take():
            self.metrics["newest_version"] = self._actors.take(newest)
        self._tell()
        if self._teller.running is None and self._resetting is None:
            absent = "" if self._request.mode == "idle" else self._absent()
            self.metrics["waiting_for"] = self._waiting.look([absent] if absent else [])
            if self._request.mode not in ("idle", "teleoperate") and not absent:
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
            return "" if self._operators.silent_s <= GONE_S else "the operator (teleop/delta_twist_cmds)"
        return self._actors.lacks(self._request)

    def _begin(self, *, again: bool = False) -> None:
        """Asks for a reset, to the same start state again if the robot can do that."""
        request, self._stuck_s = self._request, 0.0
        parts = [*self._parts, TELEOP] if request.mode == "demonstrate" else self._parts
        self._joiner, self._early = StampJoiner(parts), None
        self._robot.forget()
        self._operators.forget()
        client = self._again_client if again and self._again_client.service_is_ready() else self._reset_client
        answer = client.call_async(Trigger.Request())
        self._resetting = answer, request
        answer.add_done_callback(lambda future: self._on_reset(future, request))

    def _on_reset(self, future: Future[Any], request: Request) -> None:
        if self._resetting is None or future is not self._resetting[0]:
            return  # an answer that came after we gave up
        self._resetting = None
        response: Any = future.result()
        if not response.success:
            self._teller.said = f"the robot refuses to reset: {response.message}"
            self.get_logger().warning(self._teller.said, throttle_duration_sec=5.0)
            return
        if request != self._request:
            return  # a new request came meanwhile and begins with a reset of its own
        answer = _json_object(response.message)
        seed = answer.get("seed")
        self._actors.begin_episode(request, seed if isinstance(seed, int) else self._done)
        info = EpisodeInfo(
            id=f"{SOURCES[request.mode]}-{request.run:03d}-{self._begun:05d}-{self._process}",
            task=self.settings.task, robot=self.contract.name, source=SOURCES[request.mode],
            seed=seed if isinstance(seed, int) else None,
            policy_version=self._actors.version if request.mode in OF_THE_POLICY else 0,
            extra={"run": request.run, "index": self._done, "actor": ACTORS.get(request.mode, request.actor)})
        self._begun += 1
        self._verdicts.forget()
        self._stuck_s = 0.0
        self._teller.running = Running(request, info, int(answer.get("stamp_ns", 0)))
        # The first observation may have overtaken the answer of the service. A robot that does not tell its stamp: the next.
        if self._early is not None and "stamp_ns" in answer:
            self._on_observation(self._teller.running, *self._early)

    # A person's word -----------------------------------------------------------------------------------------------------

    def _start(self, *, again: bool = False) -> Answer:
        if self._request.mode != "teleoperate":
            return False, f"policy_node is in mode {self._request.mode}; a person's episodes begin in mode teleoperate"
        if (episode := self._teller.running) is not None:
            return False, f"episode {episode.info.id} runs; end or discard it first"
        if self._resetting is not None:
            return False, "an episode is about to begin"
        if absent := self._absent():
            return False, f"waiting for {absent}"
        self._begin(again=again)
        return True, "the episode begins when the robot is at its start"

    def _on_word(self, came_of_it: str) -> None:
        self._say(came_of_it)
        self._tell()
        self.publish_metrics()

    def _keep(self, name: str, verdict: bool | None) -> str:
        try:
            write_verdict(Path(self.settings.run_folder).expanduser(), name, verdict)
        except DataError as error:
            return " ".join(str(error).split())
        return ""

    # Operators -----------------------------------------------------------------------------------------------------------

    def _on_operator(self, message: TwistStamped) -> None:
        """In real time what an operator says is done at once, not only when the next observation has come."""
        episode, stamp = self._teller.running, self._robot.newest
        mode = episode.request.mode if episode is not None else self._request.mode
        if mode == "demonstrate":
            self._on_part(TELEOP, message)
        elif not self.settings.lockstep and stamp is not None and self._resetting is None:
            if mode == "explore" and episode is not None and episode.started >= 0:
                episode.taken_over.add(self._robot.count(episode.started, stamp))
                self._send(self._operators.action_or_hold(stamp), stamp)
            elif mode == "teleoperate":
                self._send(self._operators.action_or_hold(stamp), stamp)

    def _say(self, text: str) -> None:
        if text != self._teller.said:  # a device may say the same wrong thing many times a second
            self.get_logger().info(text)
        self._teller.said = text

    # Observations --------------------------------------------------------------------------------------------------------

    def _on_joint_states(self, message: JointState, info: MessageInfo) -> None:
        if self._robot.add(decode.stamp_ns(message), info["source_timestamp"], info["publication_sequence_number"]):
            self._operators.silent_s = float("inf")  # the simulated one went with it
            self._abandon("the robot was started again")
        self._on_part(decode.JOINT_STATES, message)

    def _on_part(self, topic: str, message: Any) -> None:
        if topic in self._joiner.topics and (complete := self._joiner.add(topic, message)) is not None:
            if self._teller.running is not None:
                self._stuck_s = 0.0
                self._on_observation(self._teller.running, *complete)
                return
            self._early = complete
            if self._request.mode == "teleoperate" and self._resetting is None and not self.settings.lockstep:
                self._send(self._operators.action_or_hold(complete[0]), complete[0])

    def _on_observation(self, episode: Running, stamp: int, parts: dict[str, Any]) -> None:
        if stamp < max(episode.earliest, episode.answered):
            return
        if stamp == episode.answered:  # repeated: our command did not arrive
            self._send_command()
            return
        if episode.started < 0:
            self._gripper.begin_episode(decode.gripper(parts[decode.JOINT_STATES], self.contract))
            self._teller.start(stamp)
        # Joint states come in order, so those of all ticks before this observation have been counted.
        episode.steps = self._robot.count(episode.started, stamp)
        if episode.steps >= self.horizon and not episode.of_a_person:
            self._end(episode, stamp)
            return
        action = self._act(episode, stamp, parts)
        episode.answered = stamp
        self._send(action, stamp)
        self.tick()

    def _act(self, episode: Running, stamp: int, parts: dict[str, Any]) -> NDArray[np.floating]:
        """What to do about an observation, float (A,)."""
        mode = episode.request.mode
        if mode == "demonstrate":
            return self._operators.action_or_hold(stamp, look=False)  # it is what completed the observation
        if mode == "teleoperate":
            return self._operators.action_or_hold(stamp)
        if mode == "explore" and (wish := self._operators.action(stamp)) is not None:
            episode.taken_over.add(episode.steps)
            return wish
        return self._actors.act(episode.request, parts)

    def _send(self, action: NDArray[np.floating], stamp: int) -> None:
        whole = self._gripper.whole(action)
        self._command = convert.gripper_command(self.contract, whole), convert.twist(self.contract, whole, stamp)
        self._send_command()

    def _send_command(self) -> None:
        if self._command is not None:
            gripper, twist = self._command
            self.publish(self._grippers, gripper)  # before the twist, which is what sets a lockstep robot going
            self.publish(self._twists, twist)

    def _end(self, episode: Running, stamp: int) -> None:
        """The last observation has come. An operator says how it went of what he had a hand in."""
        judged = episode.info.source == "demonstration" or episode.taken_over
        self._teller.end(stamp, success=self._verdicts.before(self._robot.sent(stamp)) if judged else None)

    def _on_end(self, episode: Running) -> None:
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
        if (episode := self._teller.running) is not None or self._resetting is not None:
            name, request = "that was to begin", self._resetting[1] if self._resetting is not None else request
            if episode is not None:
                name, request = episode.info.id, episode.request
            self._teller.said = f"episode {name} abandoned: {reason}"
            self.get_logger().warning(self._teller.said)
            self.metrics["episodes_abandoned"] = int(self.metrics.get("episodes_abandoned", 0)) + 1
        self._teller.running, self._resetting, self._stuck_s = None, None, 0.0
        if request == self._request and request.mode == "evaluate":
            self.get_logger().warning(f"the evaluation stops after {self._done} episodes; whoever asked for it may ask again")
            self._go_idle()

    # Other topics --------------------------------------------------------------------------------------------------------

    def _tell(self) -> None:
        episode, request = self._teller.running, self._request
        self.metrics |= {"mode": request.mode, "run": request.run, "episodes_done": self._done,
                         "episode": episode.info.id if episode is not None else "",
                         "steps": episode.steps if episode is not None else 0,
                         "operator": self._operators.present(), "said": self._teller.said,
                         "policy_version": self._actors.version}


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
