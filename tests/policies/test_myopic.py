"""The policy that pleases: it finds the top of what is praised, state by state, and looks no step ahead."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import Tensor

from rewardbot.policies.myopic import Myopic, MyopicConfig

CONFIG = MyopicConfig(hidden=32, batch=64, steps=200, rate=5e-3, shy=0.0)


def praise(steps: Tensor) -> Tensor:
    """Most where the action is half the state."""
    return -(steps[:, 1] - 0.5 * steps[:, 0]).square()


def test_it_does_what_is_praised_most_in_each_state() -> None:
    policy = Myopic(CONFIG, 1, 1)
    states = torch.linspace(-1.0, 1.0, 50)[:, None]
    assert policy.improve(praise, states) == pytest.approx(0.0, abs=0.01)
    for state in (-0.8, 0.0, 0.8):
        assert policy.act(np.array([state]))[0] == pytest.approx(0.5 * state, abs=0.08)


def test_what_nothing_is_said_of_is_not_done_at_full_strength() -> None:
    """Without praise or blame the action goes to the middle of its bounds."""
    policy = Myopic(MyopicConfig(hidden=8, steps=300, rate=1e-2, shy=0.1), 1, 1)
    policy.improve(lambda steps: 0.0 * steps[:, 1], torch.ones(4, 1))
    assert policy.act(np.ones(1))[0] == pytest.approx(0.0, abs=0.02)
