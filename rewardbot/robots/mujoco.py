"""The simulated cell: MuJoCo behind the `Robot` contract. Ten actions a second over 4 ms physics, cameras rendered off screen.

Cartesian deltas become joint targets by differential inverse kinematics (mink), pass the safety limits like on any arm, and
drive stiff position servos.
"""

from __future__ import annotations

from dataclasses import replace

from rewardbot.robots.rendering import make_renderer

# isort: split
# The line above comes before mujoco and names the libraries that it lacks.
import mink
import mujoco
import numpy as np
from numpy.typing import NDArray

from rewardbot.config import share_path
from rewardbot.errors import RobotError
from rewardbot.robots.robot import Robot, RobotContract, load_contract
from rewardbot.robots.safety import SafetyLimits
from rewardbot.robots.start_states import EvenlySpread, is_of_demonstrations
from rewardbot.robots.tasks import load_task
from rewardbot.types import Observation

READY = np.array([0.0, -0.35, 0.0, -2.45, 0.0, 2.10, 0.785])
"""Joint positions near which every episode starts [rad]: tool pointing down in front of the robot."""

START_TOOL = np.array([0.45, 0.0, 0.20])
"""Tool position at the start of an episode [m]."""

START_JITTER = 0.015
"""Half-width of the random offset of the start pose [m]."""

IK_STEPS = 1
SERVO_SLICES = 5
TOOL_ACCELERATION = 2.0
"""Acceleration of the tool's reference [m/s^2]; keeps the joints below their own limits in the workspace."""

BRAKING = 0.8
RESPONSE_S = 0.07
"""Time constant with which the tool's reference follows the commanded target [s]."""

UNSTABLE = (mujoco.mjtWarning.mjWARN_BADQPOS, mujoco.mjtWarning.mjWARN_BADQVEL, mujoco.mjtWarning.mjWARN_BADQACC)
"""MuJoCo's signs of a state that is NaN, infinite or huge. Its state itself does not tell: it puts that to zero and goes on."""


class MujocoRobot(Robot):
    """The simulated arm in one task's scene. Time moves only in `send` and `reset` (lockstep).

    Args:
        task: task name, see `tasks.task_names`.
        contract: the robot contract; its cameras are rendered at its sizes.
        render: False leaves `Observation.images` empty, for tests of physics and for state-only uses.
        shadows: a lamp that throws shadows, for a measurement of what that costs. No policy has seen such images.

    Raises:
        MissingSystemLibrary: no off-screen rendering here; names the packages.
        ConfigError: unknown task, or a camera that the scene lacks.
    """

    def __init__(self, task: str, contract: RobotContract | None = None, *, render: bool = True, shadows: bool = False) -> None:
        self.contract = contract or load_contract()
        self.task_name = task
        self.task = load_task(task)
        self.model = with_shadows(task) if shadows else mujoco.MjModel.from_xml_path(str(share_path(f"sim/{task}.xml")))
        self.data = mujoco.MjData(self.model)
        self.safety = SafetyLimits(self.contract)
        self.period = 1.0 / self.contract.control_hz
        self._substeps = round(self.period / self.model.opt.timestep / SERVO_SLICES)
        joints = [self.model.joint(name) for name in self.contract.joint_names]
        self._qpos = np.array([int(joint.qposadr[0]) for joint in joints])
        self._qvel = np.array([int(joint.dofadr[0]) for joint in joints])
        self._finger = int(self.model.joint(self.contract.gripper_joint).qposadr[0])
        self._tool = self.model.site(self.contract.tool_frame).id
        self._renderers = make_renderer(self.model, self.contract, shadows=shadows) if render else {}
        self._ik = _InverseKinematics(self.model, self._qpos, self._qvel, self.contract.tool_frame)
        self._time_offset = 0.0
        self._last_stamp = -self.period
        self._target = START_TOOL.copy()
        self._grip = 1.0
        self._reference, self._velocity = self._target.copy(), np.zeros(3)
        self.reset(0)

    def reset(self, seed: int | None = None) -> Observation:
        """See `Robot.reset`. The clock goes on over resets: one control period passes.

        Raises:
            RobotError: the arm is stopped.
        """
        if self.safety.stopped:
            raise RobotError(f"The arm is stopped: {self.safety.reason}.", next_step="Find out why, then call clear_stop.")
        rng = np.random.default_rng(seed)
        mujoco.mj_resetData(self.model, self.data)
        self._target = START_TOOL + rng.uniform(-START_JITTER, START_JITTER, size=3)
        self._grip = 1.0
        self._reference, self._velocity = self._target.copy(), np.zeros(3)
        joints = self._ik.solve(READY, self._target, steps=40)
        self.data.qpos[self._qpos] = joints
        self.data.qpos[[self._finger, self._finger + 1]] = self.contract.gripper_open
        self.data.ctrl[:7], self.data.ctrl[7] = joints, self.contract.gripper_open
        self.task.randomise(self.model, self.data, EvenlySpread(seed) if is_of_demonstrations(seed) else rng)
        mujoco.mj_forward(self.model, self.data)
        self.safety.reset(joints)
        self._time_offset = self._last_stamp + self.period
        return self.read()

    def read(self) -> Observation:
        """See `Robot.read`."""
        return replace(self.sense(), images={camera: self.look(camera) for camera in self._renderers})

    def look(self, camera: str) -> NDArray[np.uint8]:
        """What a camera sees now, (H, W, 3)."""
        renderer = self._renderers[camera]
        renderer.update_scene(self.data, camera=camera)
        return renderer.render()

    def sense(self) -> Observation:
        """The present observation but its images, of which `look` gives one by one: drawing is what takes time."""
        self._last_stamp = round(self._time_offset + self.data.time, 9)  # whole nanoseconds, as ROS stamps are
        quaternion = np.empty(4)
        mujoco.mju_mat2Quat(quaternion, self.data.site_xmat[self._tool])
        return Observation(
            stamp=self._last_stamp,
            images={},
            joint_positions=self.data.qpos[self._qpos].copy(),
            joint_velocities=self.data.qvel[self._qvel].copy(),
            tool_pose=np.concatenate([self.tool, quaternion]),
            gripper=self.gripper,
        )

    def send(self, action: NDArray[np.floating]) -> NDArray[np.float32]:
        """See `Robot.send`; physics advances by one control period.

        Raises:
            RobotError: the physics became unstable: NaN or huge numbers in its state. `reset` mends it.
        """
        action = np.asarray(action, dtype=np.float64)
        # From where the tool is, not from where it was last sent: the present observation then tells all there is to know.
        tool = self.tool
        applied = self.safety.filter_action(action, tool)
        self._target = tool + applied[:3] * self.contract.action_scale
        if not self.safety.stopped and applied[3] != 0.0:  # 0 is no command: the gripper stays as it is
            self._grip = 1.0 if applied[3] > 0.0 else 0.0
        slice_s = self.period / SERVO_SLICES
        for _ in range(SERVO_SLICES):
            self._advance_reference(slice_s)
            joints = self._ik.solve(self.data.ctrl[:7], self._reference, steps=IK_STEPS)
            self.data.ctrl[:7] = self.safety.filter_joints(joints, slice_s)
            self.data.ctrl[7] = self._grip * self.contract.gripper_open
            mujoco.mj_step(self.model, self.data, nstep=self._substeps)
            if any(self.data.warning[int(sign)].number for sign in UNSTABLE):
                raise RobotError(
                    f"The simulation of '{self.task_name}' became unstable (NaN, infinite or huge numbers in its state).",
                    next_step="Reset the robot; if it happens again, lower action_scale or the time step of the scene.",
                )
        mujoco.mj_forward(self.model, self.data)
        return applied

    def _advance_reference(self, dt: float) -> None:
        """Moves the tool's reference towards the target for `dt` seconds, straight, and no faster than it can brake.

        The tool's acceleration is limited here, where all joints share it. The joint limits of the safety filter alone would
        be as safe, but each joint clamped by itself bends the tool's straight line by centimetres.
        """
        gap = self._target - self._reference
        distance = float(np.linalg.norm(gap))
        speed = min(distance / RESPONSE_S, float(np.sqrt(2.0 * BRAKING * TOOL_ACCELERATION * distance)))
        change = gap / max(distance, 1e-9) * speed - self._velocity
        self._velocity += change * min(1.0, TOOL_ACCELERATION * dt / max(float(np.linalg.norm(change)), 1e-9))
        self._reference = self._reference + dt * self._velocity

    def stop(self) -> None:
        """See `Robot.stop`."""
        self.safety.stop()

    def clear_stop(self) -> None:
        """See `Robot.clear_stop`."""
        self.safety.clear()

    def close(self) -> None:
        """See `Robot.close`."""
        for renderer in self._renderers.values():
            renderer.close()
        self._renderers = {}

    @property
    def tool(self) -> NDArray[np.float64]:
        """Measured tool position, float64 (3,) [m, base frame]."""
        return self.data.site_xpos[self._tool].copy()

    @property
    def gripper(self) -> float:
        """Measured opening as a share of fully open, 0 closed to 1 open."""
        return float(np.clip(self.data.qpos[self._finger] / self.contract.gripper_open, 0.0, 1.0))

    def true_success(self) -> bool:
        """Whether the task's goal holds now. For evaluation only: never for a learner or a classifier."""
        return self.task.success(self.model, self.data, self.tool)

    def true_progress(self) -> float:
        """How far the task has come, 0 to 1; 1 when its goal holds. For an operator's stand-in only."""
        return 1.0 if self.true_success() else self.task.progress(self.model, self.data, self.tool)


def with_shadows(task: str) -> mujoco.MjModel:
    """The task's scene with a lamp above the table, whose shadow map has MuJoCo's usual size."""
    spec = mujoco.MjSpec.from_file(str(share_path(f"sim/{task}.xml")))
    spec.visual.quality.shadowsize = 4096
    spec.worldbody.add_light(name="lamp", pos=[0.3, -0.5, 1.5], dir=[0.1, 0.35, -1.0], castshadow=True)
    return spec.compile()


class _InverseKinematics:
    """Differential inverse kinematics that keeps the tool pointing down; solves on the arm's own copy of the state.

    Each step is mink's quadratic program. Its only constraints are the joint limits, and away from those the answer is that of
    a linear system of the arm's seven joints, at a fifth of the cost. Near a limit the program itself is solved.
    """

    DAMPING = 1e-4
    POSTURE = 1e-3
    """Cost of leaving READY, which settles what the tool's pose leaves open."""

    def __init__(self, model: mujoco.MjModel, arm: NDArray[np.intp], arm_dofs: NDArray[np.intp], tool_frame: str) -> None:
        self._configuration = mink.Configuration(model)
        self._arm, self._dofs = arm, arm_dofs
        self._task = mink.FrameTask(tool_frame, "site", position_cost=1.0, orientation_cost=0.3, lm_damping=1e-6)
        self._posture = mink.PostureTask(model, cost=self.POSTURE)
        self._limit = mink.ConfigurationLimit(model)
        self._low, self._high = self._limit.lower[arm], self._limit.upper[arm]
        self._rest = model.qpos0.copy()
        self._rest[arm] = READY
        self._posture.set_target(self._rest)
        self._diagonal = np.eye(len(arm))
        # x forward, fingers opening along y, z down.
        self._down = mink.SO3(np.array([0.0, 1.0, 0.0, 0.0]))

    def solve(self, joints: NDArray[np.float64], position: NDArray[np.float64], steps: int) -> NDArray[np.float64]:
        """Joint positions (7,) [rad] near `joints` that bring the tool to `position` [m]."""
        model, data = self._configuration.model, self._configuration.data
        data.qpos[:] = self._rest
        self._task.set_target(mink.SE3.from_rotation_and_translation(self._down, position))
        q = joints.copy()
        for _ in range(steps):
            data.qpos[self._arm] = q
            mujoco.mj_kinematics(model, data)
            mujoco.mj_comPos(model, data)
            q += self._step(q)
        return q

    def _step(self, q: NDArray[np.float64]) -> NDArray[np.floating]:
        """The change of the joints (7,) [rad] from `q`, at which the kinematics stand."""
        weighted, error, levenberg = self._task.compute_qp_residual(self._configuration)
        jacobian = weighted[:, self._dofs]
        posture = self.POSTURE**2
        hessian = jacobian.T @ jacobian + (posture + self.DAMPING + levenberg) * self._diagonal
        change = np.linalg.solve(hessian, error @ jacobian + posture * (READY - q))
        gain = self._limit.gain
        if (change <= gain * (self._high - q)).all() and (change >= gain * (self._low - q)).all():
            return change
        return mink.solve_ik(self._configuration, [self._task, self._posture], 1.0, solver="daqp", damping=self.DAMPING,
                             limits=[self._limit])[self._dofs]
