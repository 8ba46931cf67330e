"""The limits in front of every arm, simulated or real. Pure numpy: no simulator, no ROS, no clock of its own.

Three gates, one after the other; what leaves the last one is within the limits whatever went into the first:
`accept` and `watch` (is there a fresh command?), `filter_action` (is the asked motion sane and inside the workspace?) and
`filter_joints` (joint position, velocity and acceleration). `stop` latches; only `clear` releases it.
"""

from __future__ import annotations

import math
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from rewardbot.errors import ConfigError, RobotError
from rewardbot.robots.robot import RobotContract

Watch = Literal["ok", "hold", "stop"]

STOP_AFTER_STALE = 4.0
"""The watchdog holds after `stale_s` without a fresh command and stops for good after this many times `stale_s`."""

SANE_PERIOD_S = (1e-6, 10.0)
"""A control period outside this range comes from a broken clock."""


class SafetyLimits:
    """Filters commands for one arm. Holds the last joint target, its velocity, the last gripper entry and the stop latch.

    Args:
        contract: the robot; `contract.limits` must give one value per joint.

    Raises:
        ConfigError: a limit that is missing, not finite, of the wrong length, or a lower bound above its upper bound.
    """

    def __init__(self, contract: RobotContract) -> None:
        limits, joints = contract.limits, len(contract.joint_names)
        self._low = _vector("position_low", limits.position_low, joints)
        self._high = _vector("position_high", limits.position_high, joints)
        self._speed = _vector("velocity", limits.velocity, joints)
        self._acceleration = _vector("acceleration", limits.acceleration, joints)
        self._box_low = _vector("workspace_low", limits.workspace_low, 3)
        self._box_high = _vector("workspace_high", limits.workspace_high, 3)
        _require("position_low must be below position_high", self._low < self._high)
        _require("workspace_low must be below workspace_high", self._box_low < self._box_high)
        _require("velocity must be above 0", self._speed > 0)
        _require("acceleration must be above 0", self._acceleration > 0)
        missing = [axis for axis in "xyz" if axis not in contract.action_names]
        if missing:
            raise ConfigError(f"action_names of robot '{contract.name}' lacks {', '.join(missing)}.",
                              valid="The workspace box needs the entries x, y and z.")
        self._xyz = [contract.action_names.index(axis) for axis in "xyz"]
        self._grip = contract.action_names.index("gripper") if "gripper" in contract.action_names else None
        self._action_dim, self._scale, self._stale_s = contract.action_dim, contract.action_scale, limits.stale_s
        self._q: NDArray[np.float64] | None = None
        self._v = np.zeros(joints)
        self._last_grip = 0.0
        self._last_stamp: float | None = None
        self._last_fresh: float | None = None
        self._reason: str | None = None

    # The latch -------------------------------------------------------------------------------------------------------

    @property
    def stopped(self) -> bool:
        """True from `stop` until `clear`."""
        return self._reason is not None

    @property
    def reason(self) -> str:
        """Why it stopped, empty when it did not."""
        return self._reason or ""

    def stop(self, reason: str = "a stop was asked for") -> None:
        """Latches: from now on actions become "hold" and the joints brake as hard as their limits allow."""
        self._reason = self._reason if self._reason is not None else reason

    def clear(self) -> None:
        """Releases the latch and forgets old commands, so that motion begins again only with a fresh one."""
        self._reason = self._last_stamp = self._last_fresh = None

    def reset(self, joint_positions: ArrayLike) -> None:
        """Starts from an arm at rest at `joint_positions`, float (J,) [rad]. The latch stays as it is.

        Raises:
            RobotError: positions that are not finite or of the wrong length.
        """
        q = np.array(joint_positions, dtype=np.float64)
        if q.shape != self._low.shape or not np.all(np.isfinite(q)):
            raise RobotError(f"The arm reports joint positions {q.tolist()}.",
                             valid=f"{len(self._low)} finite numbers [rad].", next_step="Check the arm or the simulator.")
        self._q, self._v, self._last_grip = q, np.zeros_like(q), 0.0
        self._last_stamp = self._last_fresh = None

    # Fresh commands --------------------------------------------------------------------------------------------------

    def accept(self, stamp: float, now: float) -> bool:
        """Whether a command is fresh: its `stamp` [s] not older than `stale_s`, not ahead of `now` [s] by more than that,
        and not older than a command accepted before. Only accepted commands may go on to `filter_action`.
        """
        fresh = math.isfinite(stamp) and math.isfinite(now) and abs(now - stamp) <= self._stale_s
        if not fresh or (self._last_stamp is not None and stamp < self._last_stamp):
            return False
        self._last_stamp, self._last_fresh = stamp, now
        return True

    def watch(self, now: float) -> Watch:
        """The watchdog, to be asked once per control period; `now` is the time of the robot's clock [s].

        Returns:
            "ok" while commands are fresh, "hold" without one for `stale_s` (or none yet), and "stop", which latches,
            after `STOP_AFTER_STALE` times that.
        """
        if self.stopped:
            return "stop"
        if self._last_fresh is None:
            return "hold"
        # A clock that jumps backwards or to NaN is no proof of freshness either.
        age = abs(now - self._last_fresh)
        if age <= self._stale_s:
            return "ok"
        if age <= STOP_AFTER_STALE * self._stale_s:
            return "hold"
        self.stop(f"no fresh command for {age:.1f} s")
        return "stop"

    # Motion ----------------------------------------------------------------------------------------------------------

    def hold_action(self) -> NDArray[np.float32]:
        """No motion and the last gripper entry (0, neither closing nor opening, before the first), float32 (A,)."""
        action = np.zeros(self._action_dim, dtype=np.float32)
        if self._grip is not None:
            action[self._grip] = self._last_grip
        return action

    def filter_action(self, asked: ArrayLike, tool_position: ArrayLike) -> NDArray[np.float32]:
        """What may be applied of an action.

        Entries are clipped to [-1, 1]; the tool's target `tool_position + applied * action_scale` stays inside the
        workspace box. A tool that is already outside is never moved further out and never moved without being asked.
        While stopped, and for an action or a tool position with NaN or infinity, the answer is `hold_action`.

        Args:
            asked: float (A,).
            tool_position: the tool's present position, or the present target of a tool that follows one, float (3,) [m].

        Returns:
            float32 (A,), each in [-1, 1].

        Raises:
            RobotError: an action or position of the wrong length.
        """
        action, tool = np.array(asked, dtype=np.float64), np.asarray(tool_position, dtype=np.float64)
        if action.shape != (self._action_dim,) or tool.shape != (3,):
            raise RobotError(f"An action of shape {action.shape} at a tool position of shape {tool.shape} was refused.",
                             valid=f"An action has shape ({self._action_dim},), a tool position (3,).")
        if self.stopped or not (np.all(np.isfinite(action)) and np.all(np.isfinite(tool))):
            return self.hold_action()
        action = np.clip(action, -1.0, 1.0)
        low, high = np.minimum(self._box_low, tool), np.maximum(self._box_high, tool)
        target = np.clip(tool + action[self._xyz] * self._scale, low, high)
        moved = (target - tool) / self._scale
        # The division may round up: the smaller motion of the two is inside in any case.
        action[self._xyz] = np.where(np.abs(moved) < np.abs(action[self._xyz]), moved, action[self._xyz])
        applied = _round_towards_zero(action)
        if self._grip is not None:
            self._last_grip = float(applied[self._grip])
        return applied

    def filter_joints(self, target: ArrayLike, dt: float) -> NDArray[np.float64]:
        """The next joint target on the way to `target`, within position, velocity and acceleration limits.

        Speed is reduced in time for the target and for the position limits, so that neither is overshot. While stopped,
        and for a target with NaN or infinity, the joints brake and then stay where they are.

        Args:
            target: where the joints should go, float (J,) [rad].
            dt: time until the returned target takes effect [s]; outside `SANE_PERIOD_S` there is no motion at all.

        Returns:
            float64 (J,) [rad], a copy.

        Raises:
            RobotError: before the first `reset`, or a target of the wrong length.
        """
        wanted = np.asarray(target, dtype=np.float64)
        if self._q is None:
            raise RobotError("The joint limits do not know where the arm is.", next_step="Call reset(joint_positions) first.")
        if wanted.shape != self._q.shape:
            raise RobotError(f"A joint target of shape {wanted.shape} was refused.", valid=f"Its shape is {self._q.shape}.")
        if not SANE_PERIOD_S[0] <= dt <= SANE_PERIOD_S[1]:  # also refuses NaN
            return self._q.copy()
        if self.stopped or not np.all(np.isfinite(wanted)):
            velocity = np.zeros_like(self._v)
        else:
            error = np.clip(wanted, self._low, self._high) - self._q
            velocity = np.sign(error) * self._approach_speed(np.abs(error), dt)
        step = self._acceleration * dt
        velocity = np.clip(velocity, -self._braking_speed(self._q - self._low, dt), self._braking_speed(self._high - self._q, dt))
        velocity = np.clip(np.clip(velocity, self._v - step, self._v + step), -self._speed, self._speed)
        # Braking as computed above keeps inside; this takes care of the last bits of rounding, and never moves outwards.
        q = np.clip(self._q + velocity * dt, np.minimum(self._low, self._q), np.maximum(self._high, self._q))
        self._v, self._q = velocity, q
        return q.copy()

    def _approach_speed(self, distance: NDArray[np.float64], dt: float) -> NDArray[np.float64]:
        """The highest speed [rad/s] for this period from which later periods of the same `dt` still end on the target."""
        unit = self._acceleration * dt * dt
        far = distance / unit
        steps = np.floor((np.sqrt(1.0 + 8.0 * far) - 1.0) / 2.0)
        return (far / (steps + 1.0) + steps / 2.0) * unit / dt

    def _braking_speed(self, room: NDArray[np.float64], dt: float) -> NDArray[np.float64]:
        """The highest speed [rad/s] for this period after which braking still ends within `room` [rad].

        From v dt + v^2 / 2a = room. That leaves room for braking in later periods of any length, not of this `dt` only.
        """
        step = self._acceleration * dt
        room = np.maximum(room, 0.0)
        # The same as sqrt(step^2 + 2 a room) - step without its cancellation.
        root = np.sqrt(step * step + 2.0 * self._acceleration * room)
        return 2.0 * self._acceleration * room / (root + step)


def _vector(name: str, values: tuple[float, ...], length: int) -> NDArray[np.float64]:
    array = np.array(values, dtype=np.float64)
    if array.shape != (length,) or not np.all(np.isfinite(array)):
        raise ConfigError(f"limits.{name} is {list(values)}.", valid=f"It must hold {length} finite numbers.",
                          next_step="Add it to the robot's file in config/robots/: no arm moves without limits.")
    return array


def _require(rule: str, holds: NDArray[np.bool_]) -> None:
    if not np.all(holds):
        raise ConfigError(f"limits.{rule}; entry {int(np.argmin(holds))} is not.", next_step="Correct it in config/robots/.")


def _round_towards_zero(values: NDArray[np.float64]) -> NDArray[np.float32]:
    rounded = values.astype(np.float32)
    return np.where(np.abs(rounded.astype(np.float64)) > np.abs(values), np.nextafter(rounded, np.float32(0)), rounded)
