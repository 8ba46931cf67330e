"""The simulated cell behind the topics of a real arm: in lockstep with its commands, or in real time.

In lockstep it advances one control period for each pair of twist and gripper command whose twist answers (by stamp) the
present observation, and publishes /clock; learning then runs as fast as the machine allows. In real time every control tick
applies the newest command that has come since the last one, or holds, and publishes which. It also is the stand-in for the
operator: when `simulated_operator` is on, a scripted demonstrator commands the teleop topics and judges the result.
"""

from __future__ import annotations

import json
import math
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
from diagnostic_msgs.msg import DiagnosticArray
from geometry_msgs.msg import PoseStamped, TwistStamped
from numpy.typing import NDArray
from rclpy.parameter import Parameter
from rclpy.publisher import Publisher
from rosgraph_msgs.msg import Clock
from sensor_msgs.msg import CameraInfo, Image, JointState
from std_msgs.msg import Bool, Float64MultiArray
from std_srvs.srv import SetBool, Trigger

from rewardbot.config import setting
from rewardbot.data import decode
from rewardbot.errors import DataError
from rewardbot.robots.hand import HESITATION, NOISE
from rewardbot.robots.robot import load_contract
from rewardbot.robots.start_states import start_seed
from rewardbot.ros import convert, params, qos
from rewardbot.ros.node import RewardbotNode, start, take_all
from rewardbot.ros.waiting import NAMED_AFTER_S
from rewardbot.types import Observation

CLOCK_JUMP_NS = 100_000_000
"""A clock that is off by more than this was set; by less it drifts."""


@dataclass(frozen=True)
class SimSettings:
    """Read-only parameters."""

    task: str = setting("lift", "task: its scene, randomised start and success")
    robot: str = setting("sim_arm", "robot contract in config/robots")
    lockstep: bool = setting(True, "advance one control period per command instead of in real time")
    operator_noise: float = setting(NOISE, "tremor of the simulated operator's hand, share of a full action", min=0.0, max=1.0)
    operator_hesitation: float = setting(
        HESITATION, "mean time for which that hand hesitates before it closes or opens [s]", min=0.0, max=5.0)
    simulated_operator: bool = setting(False, "the scripted operator commands from the beginning")
    timeout_s: float = setting(1.0, "time without a command after which the observation is repeated [s]", min=0.1, max=2.0)


@dataclass(frozen=True)
class SimState:
    """Parameters that may be set at any time."""

    seed: int = setting(0, "stream of start states, see robots/start_states.py; setting it begins the sequence again", min=0,
                        max=2**31 - 1)
    first_episode: int = setting(0, "index of the start state where the sequence begins; setting it begins it again", min=0,
                                 max=1_000_000)


class SimNode(RewardbotNode):
    """See the module."""

    def __init__(self) -> None:
        super().__init__("sim_node")
        self.metrics |= {"stopped": 0, "estop": "none (simulated)"}
        self.settings = params.declare(self, SimSettings, self.given)
        self._state = params.declare_live(self, SimState, self.given)
        self._index = self._state.first_episode
        self.contract = load_contract(self.settings.robot)
        # Not above: without libEGL the import already fails, and `run` can only tell what happens in here.
        from rewardbot.robots.demonstrators import ScriptedDemonstrator
        from rewardbot.robots.mujoco import MujocoRobot

        self.robot = MujocoRobot(self.settings.task, self.contract)
        self._operator = ScriptedDemonstrator(
            self.robot, noise=self.settings.operator_noise, hesitation=self.settings.operator_hesitation, seed=self._state.seed)
        self._operator_on = self.settings.simulated_operator
        self._in_episode = self._warned = False
        self._seed: int | None = None  # of the present start state
        self._ahead = 0  # of the clock that stamps are of, before the steady one [ns]
        self._twist: TwistStamped | None = None
        self._gripper: Float64MultiArray | None = None
        self._sent: list[tuple[Publisher[Any], Any]] = []  # the present observation, to be repeated if need be
        self._make_topics()
        self.add_post_set_parameters_callback(self._take_change)
        self._stamp, self._stepped_at = 0, self.steady.now().nanoseconds
        self._observe(self.robot.read())
        period = 0.25 * self.settings.timeout_s if self.settings.lockstep else 1.0 / self.contract.control_hz
        self._timer = self.create_timer(period, self._repeat if self.settings.lockstep else self._real_time, clock=self.steady)

    def _make_topics(self) -> None:
        self._clock_topic = self.create_publisher(Clock, "/clock", qos.STATE) if self.settings.lockstep else None
        self._joints = self.create_publisher(JointState, "joint_states", qos.STATE)
        self._pose = self.create_publisher(PoseStamped, "tool_pose", qos.STATE)
        self._requested_action = self.create_publisher(JointState, "requested_action", qos.STATE)
        self._applied_action = self.create_publisher(JointState, "applied_action", qos.STATE)
        self._images = {name: self.create_publisher(Image, decode.camera_topic(name), qos.IMAGES_OUT)
                        for name in self.contract.cameras}
        self._infos = {name: self.create_publisher(CameraInfo, f"camera/{name}/camera_info", qos.IMAGES_OUT)
                       for name in self.contract.cameras}
        self._teleop_twist = self.create_publisher(TwistStamped, "teleop/delta_twist_cmds", qos.COMMANDS)
        self._teleop_gripper = self.create_publisher(Float64MultiArray, "teleop/gripper", qos.COMMANDS)
        self._verdict = self.create_publisher(Bool, "operator/success", qos.EVENTS)
        # For evaluation only: nothing that learns or acts may subscribe to it.
        self._truth = self.create_publisher(Bool, "evaluation/success", qos.TRUTH)
        self._twists = self.create_subscription(TwistStamped, "servo_node/delta_twist_cmds", self._on_twist, qos.COMMANDS)
        self._grippers = self.create_subscription(
            Float64MultiArray, "gripper_controller/commands", self._on_gripper, qos.COMMANDS)
        self.create_subscription(DiagnosticArray, decode.EPISODE, self._on_episode, qos.EVENTS)
        self.create_service(Trigger, "reset", partial(self._reset, False))
        self.create_service(Trigger, "reset_again", partial(self._reset, True))
        self.create_service(Trigger, "stop", self._stop)
        self.create_service(Trigger, "clear_stop", self._clear_stop)
        self.create_service(SetBool, "simulated_operator", self._set_operator)

    def close(self) -> None:
        """Frees the renderers."""
        self.robot.close()

    # Observations out --------------------------------------------------------------------------------------------------

    def _observe(self, observation: Observation) -> None:
        """Publishes the present observation: images last, because whoever has them all may answer. Those that `observation` lacks are
        drawn meanwhile: others take the rest while we do that.
        """
        self._stamp = self._now(observation)
        stamp, contract = self._stamp, self.contract
        truth = Bool(data=self.robot.true_success())
        self.publish(self._truth, truth)
        if self._clock_topic is not None:
            self.publish(self._clock_topic, Clock(clock=convert.time_message(stamp)))
        if self._operator_on:
            self.publish(self._verdict, truth)
        self._sent = self._operate() if self._operator_on else []
        self._sent.append((self._joints, convert.joint_states(contract, observation, stamp)))
        self._sent.append((self._pose, convert.tool_pose(contract, observation, stamp)))
        for name, publisher in self._infos.items():
            if publisher.get_subscription_count():  # nobody pays for what nobody reads
                view, camera = math.radians(float(self.robot.model.camera(name).fovy[0])), contract.cameras[name]
                self._sent.append((publisher, convert.camera_info(name, camera.width, camera.height, view, stamp)))
        self._send()
        for name, publisher in self._images.items():
            pixels = observation.images[name] if observation.images else self.robot.look(name)
            self._sent.append((publisher, convert.image(pixels, name, stamp)))
            self.publish(*self._sent[-1])
        self._sent_at = self.steady.now().nanoseconds

    def _operate(self) -> list[tuple[Publisher[Any], Any]]:
        """The operator's commands on the present observation."""
        wish = self._operator.act()
        return [(self._teleop_gripper, convert.gripper_command(self.contract, wish)),
                (self._teleop_twist, convert.twist(self.contract, wish, self._stamp))]

    def _send(self) -> None:
        for publisher, message in self._sent:
            self.publish(publisher, message)
        self._sent_at = self.steady.now().nanoseconds

    def _now(self, observation: Observation) -> int:
        if self.settings.lockstep:
            return decode.nanoseconds(observation.stamp)
        return self.get_clock().now().nanoseconds

    # Commands in ---------------------------------------------------------------------------------------------------------

    def _on_twist(self, message: TwistStamped) -> None:
        if self.settings.lockstep and decode.stamp_ns(message) != self._stamp:
            self.metrics["stale_commands"] = int(self.metrics.get("stale_commands", 0)) + 1
            return
        self._twist = message
        # The gripper's command has no stamp. A commander sends it before the twist that it belongs to, so the newest one that
        # has arrived by now is the right one, even when older ones were repeated.
        if waiting := take_all(self._grippers):
            self._gripper = waiting[-1]
        self._advance()

    def _on_gripper(self, message: Float64MultiArray) -> None:
        self._gripper = message
        self._advance()

    def _advance(self) -> None:
        if self.settings.lockstep and self._twist is not None and self._gripper is not None:
            asked = self._asked()
            self._twist = self._gripper = None
            if asked is not None:
                self._step(asked)

    def _asked(self) -> NDArray[np.float64] | None:
        """The action that the present commands ask for, float64 (A,); None without a whole one, or when it is refused."""
        if self._twist is None or self._gripper is None:
            return None
        try:
            return convert.action_of_command(self.contract, self._twist, self._gripper)
        except DataError as error:
            self.get_logger().warning(str(error), throttle_duration_sec=5.0)
            return None

    def _step(self, asked: NDArray[np.floating]) -> None:
        """One control period; publishes what was asked for, what was applied, and the next observation."""
        answered = self._stamp
        applied = self.robot.send(asked)
        # A command with NaN is held by the limits; the record of what was asked for must still be numbers.
        sane = np.clip(np.nan_to_num(asked, nan=0.0), -1.0, 1.0)
        self.publish(self._requested_action, convert.action(self.contract, sane, answered))
        self.publish(self._applied_action, convert.action(self.contract, applied, answered))
        self._warned, self._stepped_at = False, self.steady.now().nanoseconds
        self._observe(self.robot.sense())
        self.tick()

    def _repeat(self) -> None:
        """A lost best-effort image must not hang the graph: says the present observation again."""
        waited = (self.steady.now().nanoseconds - self._sent_at) / decode.NS_PER_S
        silent = (self.steady.now().nanoseconds - self._stepped_at) / decode.NS_PER_S
        self.metrics["waiting_for"] = "policy_node" if self._in_episode and silent >= NAMED_AFTER_S else ""
        if waited < self.settings.timeout_s:
            return
        if self._in_episode and not self._warned:
            self._warned = True
            self.metrics["command_timeouts"] = int(self.metrics.get("command_timeouts", 0)) + 1
            self.get_logger().warning(
                f"no command for {waited:.1f} s in lockstep; repeating the observation. Is policy_node running?")
        self._send()

    def _real_time(self) -> None:
        """One control tick of wall time: the newest command if it is fresh, otherwise the arm holds. Either is an action."""
        safety = self.robot.safety
        # The timer may run before commands that have come already.
        if twists := take_all(self._twists):
            self._twist = twists[-1]
        if grippers := take_all(self._grippers):
            self._gripper = grippers[-1]
        # Commands carry stamps of a clock that may be set; the watchdog must neither be woken nor be kept asleep by that.
        now = self.steady.now().nanoseconds
        ahead = self.get_clock().now().nanoseconds - now
        if abs(ahead - self._ahead) > CLOCK_JUMP_NS:
            self._ahead = ahead
        asked, twist = self._asked(), self._twist
        self._twist = None  # each twist is for one tick; the gripper's entry is a state and stays
        # What is refused is no sign of life: `accept` feeds the watchdog and so comes last.
        if asked is None or twist is None or not safety.accept(
                decode.seconds(decode.stamp_ns(twist) - self._ahead), decode.seconds(now)):
            asked = safety.hold_action()
            if self._in_episode:
                self.metrics["held_ticks"] = int(self.metrics.get("held_ticks", 0)) + 1
                if safety.watch(decode.seconds(now)) == "stop":  # after a long silence, until clear_stop
                    self.metrics["stopped"] = 1
        self._step(asked)

    # Episodes and services -----------------------------------------------------------------------------------------------

    def _on_episode(self, message: DiagnosticArray) -> None:
        self._in_episode = any(status.name == "start" for status in message.status)

    def _reset(self, again: bool, request: Trigger.Request, response: Trigger.Response) -> Trigger.Response:
        if self.robot.safety.stopped:
            response.success = False
            response.message = f"stopped: call clear_stop first ({self.robot.safety.reason})"
            return response
        if not again or self._seed is None:
            self._seed = start_seed(self._state.seed, self._index)
            self._index += 1
        observation = self.robot.reset(self._seed)
        self._operator.begin_episode(self._seed)
        self._twist = self._gripper = None
        # An episode that nobody ended is over now; the start of the next one is announced when its first observation has come.
        self._in_episode, self._stepped_at = False, self.steady.now().nanoseconds
        self._observe(observation)
        if not self.settings.lockstep:
            self._timer.reset()  # the first tick comes a whole period later
        response.success, response.message = True, json.dumps({"seed": self._seed, "stamp_ns": self._stamp})
        return response

    def _stop(self, request: Trigger.Request, response: Trigger.Response) -> Trigger.Response:
        self.robot.stop()
        self.metrics["stopped"] = 1
        response.success, response.message = True, "stopped until clear_stop"
        return response

    def _clear_stop(self, request: Trigger.Request, response: Trigger.Response) -> Trigger.Response:
        self.robot.clear_stop()
        self.metrics["stopped"] = 0
        response.success, response.message = True, "cleared"
        return response

    def _set_operator(self, request: SetBool.Request, response: SetBool.Response) -> SetBool.Response:
        changes, self._operator_on = request.data != self._operator_on, request.data
        if changes and self.settings.lockstep:  # time stands still, and the present observation is there already
            present = [item for item in self._sent if item[0] not in (self._teleop_gripper, self._teleop_twist)]
            self._sent = [*self._operate(), *present] if request.data else present
            self._send()
        response.success, response.message = True, "the simulated operator is " + ("on" if request.data else "off")
        return response

    def _take_change(self, changes: list[Parameter[Any]]) -> None:
        values = {change.name: change.value for change in changes}
        self._state = params.rebuild(self._state, values)
        if values.keys() & {"seed", "first_episode"}:
            self._index = self._state.first_episode


def main() -> None:
    """The program `sim_node`."""
    start(SimNode)


if __name__ == "__main__":
    main()
