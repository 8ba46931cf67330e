"""Offline reinforcement learning: what it makes of actions by chance, that it can go on, and what it refuses."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
import torch

from rewardbot.data.transitions import Transitions
from rewardbot.errors import DataError
from rewardbot.policies.cql import CQLConfig
from rewardbot.policies.iql import IQLConfig
from rewardbot.training.offline_loop import OfflineConfig, OfflineLoop, OfflinePolicy
from rewardbot.training.shown import with_recorded_reward
from rewardbot.training.visiting import demonstrate
from tests.training.going_point import GoingPoint

CONFIG = OfflineConfig(
    steps=300, together=70, iql=IQLConfig(hidden=32, batch=64, rate=3e-3, discount=0.8, target_step=0.05),
    cql=CQLConfig(hidden=32, batch=64, rate=3e-3, discount=0.8, target_step=0.05, alpha=0.5, sampled=4))


def by_chance() -> Transitions:
    draw = np.random.default_rng(0)
    return with_recorded_reward(demonstrate(GoingPoint(), lambda state: draw.uniform(-1.0, 1.0, 1), range(30)))


def learned(policy: OfflinePolicy, steps: int = CONFIG.steps) -> OfflineLoop:
    loop = OfflineLoop(policy, dataclasses.replace(CONFIG, steps=steps), by_chance())
    while loop.steps < steps:
        loop.advance()
    return loop


@pytest.mark.parametrize("policy", ["iql", "cql"])
def test_of_actions_by_chance_the_better_ones_are_left(policy: OfflinePolicy) -> None:
    loop = learned(policy)
    left, right = (float(loop.best(np.array([x], np.float32))[0]) for x in (-0.5, 1.5))
    assert left > 0.3 and right < -0.3, (left, right)
    assert loop.steps == 300 and all(torch.isfinite(value) for value in loop.metrics.values())


@pytest.mark.parametrize("policy", ["iql", "cql"])
def test_it_goes_on_as_if_nothing_had_happened(policy: OfflinePolicy) -> None:
    whole, stopped = learned(policy, 40), OfflineLoop(policy, dataclasses.replace(CONFIG, steps=40, together=20), by_chance())
    stopped.advance()
    state = stopped.state()
    torch.rand(1)
    again = OfflineLoop(policy, stopped.config, by_chance(), seed=1)
    again.restore(state)
    again.advance()
    assert again.steps == whole.steps == 40
    assert all(map(torch.equal, again.agent.actor.parameters(), whole.agent.actor.parameters()))


def test_a_reward_that_is_nan() -> None:
    steps = by_chance()
    steps.reward[3] = float("nan")
    with pytest.raises(DataError, match="recorded steps or their reward are NaN"):
        OfflineLoop("iql", CONFIG, steps)
