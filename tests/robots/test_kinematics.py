"""The arm's inverse kinematics gives what mink's quadratic program gives, in free space and at the joint limits."""

from __future__ import annotations

import mink
import numpy as np
import pytest

from rewardbot.robots.mujoco import READY, MujocoRobot


def reference(robot: MujocoRobot, joints: np.ndarray, position: np.ndarray) -> np.ndarray:
    """One step of the program as mink's documentation writes it."""
    configuration = mink.Configuration(robot.model)
    q = robot.model.qpos0.copy()
    q[robot._qpos] = READY
    posture = mink.PostureTask(robot.model, cost=1e-3)
    posture.set_target(q)
    q[robot._qpos] = joints
    configuration.update(q)
    tool = mink.FrameTask(robot.contract.tool_frame, "site", position_cost=1.0, orientation_cost=0.3, lm_damping=1e-6)
    tool.set_target(mink.SE3.from_rotation_and_translation(mink.SO3(np.array([0.0, 1.0, 0.0, 0.0])), position))
    velocity = mink.solve_ik(configuration, [tool, posture], 1.0, solver="daqp", damping=1e-4)
    configuration.integrate_inplace(velocity, 1.0)
    return configuration.q[robot._qpos]


@pytest.mark.parametrize("task", ["lift", "reach"])
def test_every_step_is_the_solution_of_the_program(task: str, monkeypatch: pytest.MonkeyPatch) -> None:
    robot, rng = MujocoRobot(task, render=False), np.random.default_rng(0)
    solve, constrained = mink.solve_ik, []
    low, high = np.array(robot.contract.limits.position_low), np.array(robot.contract.limits.position_high)
    for index in range(200):
        # Half of them near the ready pose, as in a run; the others anywhere, often at a limit.
        joints = np.clip(READY + rng.normal(scale=0.2, size=7), low, high) if index % 2 else rng.uniform(low, high)
        position = rng.uniform([0.3, -0.25, 0.017], [0.7, 0.25, 0.4])
        expected = reference(robot, joints, position)
        monkeypatch.setattr(mink, "solve_ik", lambda *a, **k: constrained.append(index) or solve(*a, **k))  # noqa: B023
        found = robot._ik.solve(joints, position, 1)
        monkeypatch.setattr(mink, "solve_ik", solve)
        np.testing.assert_allclose(found, expected, atol=1e-8)
    assert any(index % 2 == 0 for index in constrained), "some were at a limit"
    assert len(constrained) < 150, "the short cut is taken"
