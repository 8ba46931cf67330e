"""AIRL on a table: its parts by hand, a reward that is found up to a constant, and one that transfers where GAIL's does not."""

from __future__ import annotations

from functools import cache

import numpy as np
import pytest
import torch
from torch import Tensor

from rewardbot.bench._library_transfer import EXPERT, HERE, TRUE, Learned, changed, learn, of_states, worths
from rewardbot.data.transitions import Transitions
from rewardbot.rewards.airl import AIRL, AIRLConfig
from rewardbot.tabular.mdp import occupancy


@cache
def learned() -> Learned:
    return learn(0)


@pytest.mark.parametrize(("temperature", "logits"), [(None, [13.0, -5.0]), (1.0, [13.0, -5.0]), (0.5, [24.0, -12.0])])
def test_its_parts_by_hand(temperature: float | None, logits: list[float]) -> None:
    """g = 3, h(s) = 10, h(s') = 20, gamma 0.9, log pi = -2: f = 3 + 18 - 10 = 11, at a true end -7; over alpha, less log pi."""
    steps, model = made(temperature=temperature, log_pi=-2.0)
    assert model.f(steps).tolist() == pytest.approx([11.0, -7.0])
    assert model.logit(steps).tolist() == pytest.approx(logits)
    assert model.reward(steps).tolist() == pytest.approx(logits if temperature is None else [11.0, -7.0])
    assert model.probability(steps).tolist() == pytest.approx(torch.sigmoid(torch.tensor(logits)).tolist())


@pytest.mark.parametrize(("log_pi", "logits"), [(-50.0, [17.0, -1.0]), (50.0, [5.0, -13.0])])
def test_a_density_without_bounds_counts_as_six_nats(log_pi: float, logits: list[float]) -> None:
    steps, model = made(temperature=1.0, log_pi=log_pi)
    assert model.logit(steps).tolist() == pytest.approx(logits)


def made(*, temperature: float | None, log_pi: float) -> tuple[Transitions, AIRL]:
    """Two steps from 10 to 20, of which the second ends there, and AIRL with g = 3 and h(s) = s."""
    steps = Transitions(torch.tensor([[10.0, 0.5, 0.0, 1.0, 20.0], [10.0, 0.5, 0.0, 0.0, 20.0]]), 1, 1)
    model = AIRL(AIRLConfig(), steps, lambda batch: torch.full((2,), log_pi), discount=0.9, temperature=temperature)

    class Told(torch.nn.Module):
        def __init__(self, value: float | None) -> None:
            super().__init__()
            self.value = value

        def forward(self, x: Tensor) -> Tensor:
            return x[:, 0] if self.value is None else torch.full((len(x),), self.value)

    model.g, model.h = Told(3.0), Told(None)  # type: ignore[assignment]
    return steps, model


def test_the_policy_becomes_the_experts() -> None:
    share = occupancy(HERE, EXPERT)
    assert np.abs(learned().of_airl.occupancy() - share / share.sum()).max() < 0.05


def test_a_state_only_reward_is_found_up_to_a_constant() -> None:
    found = of_states(learned().airl)
    assert np.corrcoef(found, TRUE)[0, 1] > 0.95
    scale = np.polyfit(TRUE, found, 1)[0]
    assert scale == pytest.approx(1.0, abs=0.35), "its scale is right too: the expert's entropy tells it"


def test_its_reward_transfers_to_changed_dynamics_and_gails_does_not() -> None:
    """Both are right where they learned; GAIL's D liked actions, which then lead elsewhere."""
    here, there = worths(learned(), HERE), worths(learned(), changed())
    assert here["airl"] > 0.9 and here["gail"] > 0.9
    assert there["airl"] > 0.9 and there["gail"] < 0.5
