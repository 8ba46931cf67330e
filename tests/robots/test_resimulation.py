"""Episodes that are simulated again: to the bit, from any state of the simulator before, and refused where they go otherwise."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import numpy as np
import pytest

from rewardbot.errors import DataError
from rewardbot.robots.mujoco import MujocoRobot
from rewardbot.robots.resimulation import Resimulator
from rewardbot.robots.robot import CameraContract, load_contract
from rewardbot.types import Episode, EpisodeInfo

CONTRACT = replace(load_contract(), cameras={"front": CameraContract(32, 24)})


@pytest.fixture(scope="module")
def robot() -> Iterator[MujocoRobot]:
    found = MujocoRobot("lift", CONTRACT)
    yield found
    found.close()


@pytest.fixture(scope="module")
def again() -> Iterator[Resimulator]:
    found = Resimulator("lift", CONTRACT, render=True)
    yield found
    found.close()


def recorded(robot: MujocoRobot, seed: int, steps: int = 12) -> tuple[Episode, list[bool]]:
    """An episode of large motions, which the limits cut, and true success at each observation."""
    draw = np.random.default_rng(seed)
    observations, truth = [robot.reset(seed)], [robot.true_success()]
    asked = np.clip(draw.normal(scale=1.0, size=(steps, 4)) + [0.0, 0.0, -0.6, 0.0], -1.5, 1.5)
    applied = []
    for action in asked:
        applied.append(robot.send(action))
        observations.append(robot.read())
        truth.append(robot.true_success())
    return Episode(EpisodeInfo(f"e{seed}", "lift", CONTRACT.name, "policy", seed=seed), np.array([o.stamp for o in observations]),
                   {"front": np.stack([o.images["front"] for o in observations])}, np.stack([o.proprio for o in observations]),
                   asked.astype(np.float32), np.stack(applied)), truth


def test_an_episode_goes_as_it_was_recorded_to_the_bit(robot: MujocoRobot, again: Resimulator) -> None:
    for seed in (5, 3):
        episode, truth = recorded(robot, seed)
        assert (np.abs(episode.applied) < np.abs(episode.actions)).any(), "the limits had something to do"
        found = again.run(episode)
        assert found.error == 0.0
        assert found.success.tolist() == truth and len(found.rewards) == len(episode)
        for step in (0, 7, 12):
            again.show(found.states[step])
            np.testing.assert_array_equal(again.robot.read().images["front"], episode.images["front"][step])


def test_rewards_are_the_progress_that_each_step_led_to(robot: MujocoRobot, again: Resimulator) -> None:
    episode, _ = recorded(robot, 5)
    found = again.run(episode)
    robot.reset(5)
    robot.safety.clear()
    progress = []
    for action in episode.actions.astype(np.float64)[:3]:
        robot.send(action)
        progress.append(robot.true_progress())
    np.testing.assert_allclose(found.rewards[:3], progress, atol=1e-6)


@pytest.mark.parametrize(("change", "said"), [
    ({"task": "push"}, "of task 'push'"), ({"seed": None}, "without a start seed"), ({"seed": 4}, "elsewhere from step 0 on")])
def test_what_is_not_such_an_episode_is_refused(
    robot: MujocoRobot, again: Resimulator, change: dict[str, object], said: str
) -> None:
    episode, _ = recorded(robot, 5, steps=2)
    with pytest.raises(DataError, match=said):
        again.run(replace(episode, info=replace(episode.info, **change)))


def test_numbers_that_are_none_are_refused(robot: MujocoRobot, again: Resimulator) -> None:
    episode, _ = recorded(robot, 5, steps=2)
    proprio = episode.proprio.copy()
    proprio[1] = np.nan
    with pytest.raises(DataError, match="elsewhere from step 1 on"):
        again.run(replace(episode, proprio=proprio))
