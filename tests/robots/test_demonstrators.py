"""The scripted demonstrator's hand, over a robot that is where it should be: what is left is the tremor."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any, cast

import numpy as np
import pytest
from numpy.typing import NDArray

from rewardbot.robots.demonstrators import ScriptedDemonstrator


def operator(seed: int, noise: float = 0.1) -> ScriptedDemonstrator:
    tool = np.zeros(3)
    task = SimpleNamespace(intent=lambda *state: SimpleNamespace(tool=tool, gripper=1.0))
    contract = SimpleNamespace(action_scale=0.05, control_hz=10.0)
    robot = SimpleNamespace(tool=tool, gripper=1.0, task=task, model=None, data=None, contract=contract)
    return ScriptedDemonstrator(cast(Any, robot), noise=noise, seed=seed)


def episode(hand: ScriptedDemonstrator, start: int, steps: int = 400) -> NDArray[np.float32]:
    hand.begin_episode(start)
    return np.array([hand.act()[:3] for _ in range(steps)])


def test_the_same_operator_does_the_same_from_the_same_start_whatever_came_before() -> None:
    fresh = episode(operator(4), 1_000_003)
    tired = operator(4)
    episode(tired, 7)
    np.testing.assert_array_equal(episode(tired, 1_000_003), fresh)
    assert (np.abs(fresh - episode(operator(5), 1_000_003)) > 0).all() and (np.abs(fresh - episode(tired, 8)) > 0).all()


def test_the_tremor_is_not_made_of_the_numbers_that_the_start_state_is_made_of() -> None:
    for seed in range(3):
        # Undo the correlation over time: what is left is what the generator gave.
        errors = episode(operator(seed), 0) / (0.1 * np.sqrt(1.0 - ScriptedDemonstrator.CORRELATION**2))
        fresh = np.diff(errors, axis=0) + (1.0 - ScriptedDemonstrator.CORRELATION) * errors[:-1]
        state = np.random.default_rng(0).normal(size=(400, 3))
        assert not np.isclose(fresh[0], state[1], atol=1e-3).any()
        assert abs(float(np.corrcoef(fresh.ravel(), state[1:].ravel())[0, 1])) < 0.15


def test_the_tremor_is_as_strong_as_it_was_asked_for() -> None:
    assert 0.08 < episode(operator(0, noise=0.1), 3).std() < 0.12
    assert not episode(operator(0, noise=0.0), 3).any()


class Grasping:
    """A robot whose task wants the hand closed after two periods."""

    def __init__(self) -> None:
        self.tool, self.gripper, self.model, self.data, self.task = np.zeros(3), 1.0, None, None, self
        self.contract, self.time = SimpleNamespace(control_hz=10.0, action_scale=0.1), 0

    def intent(self, *state: Any) -> Any:
        self.time += 1
        return SimpleNamespace(tool=np.full(3, 0.01 * self.time), gripper=1.0 if self.time <= 2 else -1.0)


def closes_after(hesitation: float, start: int) -> int:
    operator = ScriptedDemonstrator(cast(Any, Grasping()), noise=0.0, hesitation=hesitation)
    operator.begin_episode(start)
    actions = [operator.act() for _ in range(30)]
    late = [action[3] for action in actions].index(-1.0) - 2
    assert all(action[3] == -1.0 for action in actions[2 + late :])
    assert all(action[0] == actions[1][0] for action in actions[1 : 2 + late]), "meanwhile the hand stays where it was to be"
    return late


def test_before_it_grasps_the_hand_hesitates_for_a_random_time() -> None:
    assert {closes_after(0.0, start) for start in range(5)} == {0}
    periods = [closes_after(0.3, start) for start in range(200)]
    assert np.mean(periods) == pytest.approx(3.0, abs=0.75)
    assert periods.count(0) == pytest.approx(50, abs=20), "geometric: a quarter of the time not at all"
    assert periods == [closes_after(0.3, start) for start in range(200)]
