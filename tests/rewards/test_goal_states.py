"""The goal classifier of states: what it learns from whom, and that visited states lose what they were taken for."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from rewardbot.data.transitions import Transitions
from rewardbot.errors import DataError
from rewardbot.rewards.goal_states import GoalStates, GoalStatesConfig


def walk(offset: float) -> Tensor:
    """From 0 to 1 in ten steps; the second number says nothing."""
    return torch.stack([torch.linspace(0.0, 1.0, 11), torch.full((11,), offset)], dim=1)


def arriving(*states: tuple[float, float]) -> Transitions:
    rows = torch.cat([torch.zeros(len(states), 2 + 1 + 1), torch.ones(len(states), 1), torch.tensor(states)], dim=1)
    return Transitions(rows, 2, 1)


EPISODES = [walk(offset) for offset in (-0.1, -0.05, 0.0, 0.05, 0.1)]


def made(**settings: float) -> GoalStates:
    return GoalStates(GoalStatesConfig(**settings), EPISODES)  # type: ignore[arg-type]


def test_where_demonstrations_end_is_the_goal_and_where_they_begin_is_not() -> None:
    model = made()
    end, start = model.reward(arriving((1.0, 0.0), (0.0, 0.0))).tolist()
    assert end > 0.9 and 0.0 <= start < 0.3
    assert model.positives.fixed.shape == (4 * 4, 2), "the first episode only calibrates"
    assert torch.equal(made().reward(arriving((0.5, 0.5))), model.reward(arriving((0.5, 0.5)))), "of the same seed"


def test_what_the_policy_visits_is_no_goal_and_the_goal_stays_one() -> None:
    """Far to the side nothing was ruled out: what looks like the goal there is an exploit, until it is visited."""
    model, exploit = made(), arriving((1.0, 1.0))
    before = float(model.reward(exploit))
    visited = arriving(*[(1.0, 1.0)] * 64)
    for _ in range(300):
        metrics = model.step(arriving((1.0, 0.0)), visited)
    assert before > 0.7 > 0.45 > float(model.reward(exploit)) and float(model.reward(arriving((1.0, 0.0)))) > 0.9
    assert model.version == 301 and float(metrics["policy_d"]) < float(metrics["expert_d"])


def test_one_demonstration_is_too_few() -> None:
    with pytest.raises(DataError, match=r"from 1 demonstration(.|\n)*At least 2"):
        GoalStates(GoalStatesConfig(), EPISODES[:1])
