"""A simulation that becomes unstable says so; MuJoCo by itself would go on from its zero pose without a word."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from rewardbot.errors import RobotError
from rewardbot.robots.mujoco import MujocoRobot

ACTION = np.array([0.5, 0.0, 0.0, 1.0])


@pytest.fixture
def robot(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> MujocoRobot:
    monkeypatch.chdir(tmp_path)  # MuJoCo writes its warnings to a file in the present folder
    return MujocoRobot("reach", render=False)


@pytest.mark.parametrize(("part", "value"), [
    ("qpos", np.nan), ("qvel", np.nan), ("qvel", np.inf), ("qvel", 1e12), ("xfrc_applied", np.nan),
])
def test_nan_and_huge_numbers_are_an_error_and_a_reset_mends_them(robot: MujocoRobot, part: str, value: float) -> None:
    robot.reset(3)
    robot.send(ACTION)
    expected = robot.read().joint_positions
    getattr(robot.data, part)[:] = value
    with pytest.raises(RobotError, match=r"'reach' became unstable(.|\n)*NaN(.|\n)*Reset the robot") as caught:
        robot.send(ACTION)
    assert caught.value.exit_code == 2
    robot.reset(3)
    robot.send(ACTION)
    assert np.array_equal(robot.read().joint_positions, expected)


def test_nan_asked_for_is_no_instability(robot: MujocoRobot) -> None:
    """The limits hold the arm; nothing of it reaches the physics."""
    applied = robot.send(np.full(4, np.nan))
    assert np.isfinite(applied).all() and np.isfinite(robot.read().joint_positions).all()
