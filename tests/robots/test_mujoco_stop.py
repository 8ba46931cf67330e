"""A stop of the simulated arm stays latched until it is cleared, whatever else is asked of it."""

from __future__ import annotations

import numpy as np
import pytest

from rewardbot.errors import RobotError
from rewardbot.robots.mujoco import MujocoRobot

ACTION = np.array([1.0, 0.0, 0.0, -1.0])


def test_only_clear_stop_releases_a_stop() -> None:
    robot = MujocoRobot("reach", render=False)
    robot.stop()
    for _ in range(3):
        assert not robot.send(ACTION)[:3].any()
        with pytest.raises(RobotError, match=r"stopped: a stop was asked for(.|\n)*clear_stop"):
            robot.reset(1)
    assert robot.safety.stopped
    robot.clear_stop()
    robot.reset(1)
    assert robot.send(ACTION)[0] == pytest.approx(1.0)
