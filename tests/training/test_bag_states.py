"""Steps of bags as states."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from rewardbot.data.episodes import write_episode
from rewardbot.errors import DataError
from rewardbot.robots.mujoco import MujocoRobot
from rewardbot.robots.robot import load_contract
from rewardbot.training.bag_states import BagStates
from rewardbot.training.state_loop import make_env
from rewardbot.types import Episode, EpisodeInfo, Segment

STOPPED_AT = 9


def record_stopped(folder: Path) -> None:
    """A bag of `reach` in which an operator presses Stop before the step of that number."""
    contract, draw = load_contract(), np.random.default_rng(0)
    robot = MujocoRobot("reach", contract, render=False)
    observed, applied = [robot.reset(3)], []
    for step in range(16):
        if step == STOPPED_AT:
            robot.stop()
        applied.append(robot.send(draw.uniform(-1.0, 1.0, 4)))
        observed.append(robot.read())
    robot.close()
    images = {name: np.zeros((17, camera.height, camera.width, 3), np.uint8) for name, camera in contract.cameras.items()}
    write_episode(folder, Episode(
        EpisodeInfo("policy-0", "reach", contract.name, "policy", seed=3), np.array([one.stamp + 1.0 for one in observed]), images,
        np.stack([one.proprio for one in observed]), np.stack(applied), np.stack(applied)), contract)


def test_what_was_done_before_a_stop_is_known(tmp_path: Path) -> None:
    record_stopped(tmp_path)
    env = make_env("rewardbot/ReachState-v0")
    states = BagStates(tmp_path, env)
    first, more = (states.transitions(Segment("policy-0", start, stop)) for start, stop in ((0, 5), (3, STOPPED_AT)))
    env.close()
    assert (len(first.rows), len(more.rows)) == (5, STOPPED_AT - 3)
    np.testing.assert_allclose(more.rows[:2], first.rows[3:])
    with pytest.raises(DataError, match="goes otherwise when simulated again"):
        states.transitions(Segment("policy-0", 0, 16))
