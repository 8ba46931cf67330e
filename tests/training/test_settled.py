"""Rewards that are found before a policy learns: what each wants of a point that is to stand at 0.5, and what says nothing."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from dataclasses import replace
from functools import cache

import numpy as np
import pytest
import torch

from rewardbot.data.state_demonstrations import StateDemonstrations
from rewardbot.data.transitions import Transitions
from rewardbot.errors import ConfigError, DataError
from rewardbot.policies.bc import BCConfig
from rewardbot.rewards.b_rex import BRexConfig
from rewardbot.rewards.d_rex import DRexConfig
from rewardbot.rewards.partition import FewEffectiveSamples
from rewardbot.rewards.t_rex import TRexConfig
from rewardbot.training.settled import SEES, Settled, SettledRewardConfig, find
from rewardbot.training.visiting import demonstrate
from tests.training.going_point import GOAL, GoingPoint, go

CONFIG = SettledRewardConfig(
    t_rex=TRexConfig(sees=SEES, hidden=16, steps=100, shortest=5, longest=15),
    b_rex=BRexConfig(sees=SEES, burn_in=50, steps=100), d_rex=DRexConfig((0.0, 0.3, 0.6, 1.0), 3),
    cloning=BCConfig(steps=200, hidden=16, dropout=0.0, proprio_noise=0.0), episodes=50, perturbed=10)


def shown(*goals: float, episodes: int = 6) -> StateDemonstrations:
    """Of somebody who goes to each of these places."""
    sets = [demonstrate(GoingPoint(), lambda state, to=to: go(state, to), range(100, 100 + episodes)) for to in goals]
    return replace(sets[0], episodes=[episode for one in sets for episode in one.episodes])


@pytest.fixture(autouse=True)
def _few_samples() -> Iterator[None]:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", FewEffectiveSamples)
        yield


@cache
def found(name: str) -> Settled:
    ranked = shown(GOAL, 0.0, -1.0, episodes=3)
    return find(name, CONFIG, ranked if name in ("t_rex", "b_rex") else shown(GOAL), GoingPoint())


def standing(*places: float) -> Transitions:
    """A step of standing still in each of these places."""
    x = torch.tensor(places)[:, None]
    return Transitions(torch.cat([x, torch.zeros(len(x), 2), torch.ones(len(x), 1), x], dim=1), 1, 1)


@pytest.mark.parametrize("name", ["relative_entropy_irl", "perturbation_irl", "t_rex", "b_rex", "d_rex"])
def test_standing_at_the_goal_is_better_than_elsewhere(name: str) -> None:
    at_goal, *elsewhere = found(name).reward(standing(GOAL, -0.5, -1.0)).tolist()
    assert at_goal > max(elsewhere), (at_goal, elsewhere)


@pytest.mark.parametrize("name", ["relative_entropy_irl", "perturbation_irl"])
def test_the_goal_is_where_the_reward_of_samples_is_greatest(name: str) -> None:
    places = np.linspace(-1.5, 1.5, 31)
    best = places[int(found(name).reward(standing(*places)).argmax())]
    assert abs(best - GOAL) <= 0.3, best
    assert found(name).metrics["effective_sample_size"] >= 1.0


def test_the_spread_is_one_over_the_demonstrations() -> None:
    demonstrations = shown(GOAL, 0.0, -1.0, episodes=3)
    assert float(found("t_rex").reward(demonstrations.transitions()).std()) == pytest.approx(1.0, abs=1e-4)


@pytest.mark.parametrize("name", ["relative_entropy_irl", "d_rex"])
def test_it_can_be_found_again(name: str) -> None:
    torch.rand(3)
    again = find(name, CONFIG, shown(GOAL), GoingPoint())
    assert torch.equal(again.reward(standing(0.1, 0.9)), found(name).reward(standing(0.1, 0.9)))


def test_demonstrations_of_one_return_cannot_be_ranked() -> None:
    for name in ("t_rex", "b_rex"):
        with pytest.raises(DataError, match=r"1 demonstrations with 1 return cannot be ranked(.|\n)*one is better"):
            find(name, CONFIG, shown(GOAL, episodes=1), GoingPoint())


def test_noise_is_added_to_what_was_shown_alone() -> None:
    demonstrations = shown(GOAL, episodes=2)
    moved = replace(demonstrations, episodes=[replace(episode, seed=episode.seed + 1) for episode in demonstrations.episodes])
    with pytest.raises(DataError, match=r"GoingPoint does not go again as in a demonstration(.|\n)*relative_entropy_irl"):
        find("perturbation_irl", CONFIG, moved, GoingPoint())


def test_a_reward_that_is_the_same_everywhere() -> None:
    """So large a penalty that no weight is left."""
    config = replace(CONFIG, relative_entropy_irl=replace(CONFIG.relative_entropy_irl, l1=1e6))
    with pytest.raises(DataError, match="'relative_entropy_irl' found is the same for all steps"):
        find("relative_entropy_irl", config, shown(GOAL), GoingPoint())


def test_names_and_parts_that_there_are_not() -> None:
    with pytest.raises(ConfigError, match=r"no reward that is found before a policy learns named 'gail'"):
        find("gail", CONFIG, shown(GOAL), GoingPoint())
    with pytest.raises(ConfigError, match="b_rex sees state, and the features that T-REX finds are of next_state"):
        find("b_rex", replace(CONFIG, b_rex=BRexConfig(sees=("state",))), shown(GOAL, 0.0), GoingPoint())
