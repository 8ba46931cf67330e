"""D-REX: noise ranks what a clone does, and the ranking becomes a reward."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from rewardbot.errors import DataError
from rewardbot.rewards.comparisons import pad
from rewardbot.rewards.d_rex import ANNOTATOR, DRexConfig, noisy, plan, rank
from rewardbot.rewards.t_rex import TRex, TRexConfig
from rewardbot.types import Segment
from tests.rewards.synthetic import episodes, spearman

LENGTH = 100
"""Long enough that noise, not where an episode began, decides its return."""


def clone(state: NDArray[np.floating]) -> NDArray[np.float32]:
    """Drives a point to the origin, a little to the side of it, as a clone would."""
    return np.clip(-1.5 * state + 0.1, -1.0, 1.0).astype(np.float32)


def rollout(share: float, draw: np.random.Generator) -> tuple[torch.Tensor, float]:
    """States of one episode (T, 2) and its true return: minus the distance to the origin."""
    act, state, states = noisy(clone, share, draw), draw.uniform(-1.0, 1.0, 2), []
    for _ in range(LENGTH):
        state = np.clip(state + 0.2 * act(state), -2.0, 2.0)
        states.append(state)
    return torch.from_numpy(np.array(states, np.float32)), -float(np.linalg.norm(states, axis=1).sum())


@pytest.mark.parametrize("seed", [0, 1, 2])
def test_a_reward_from_noise_alone(seed: int) -> None:
    """No demonstration is ranked by anybody; fresh episodes of all levels come out in the order of their true returns."""
    draw = np.random.default_rng(seed)
    levels = plan(DRexConfig())
    made = {f"e{n}": rollout(level, draw)[0] for n, level in enumerate(levels)}
    rankings = rank([(Segment(name, 0, LENGTH), level) for name, level in zip(made, levels, strict=True)])
    model = TRex(TRexConfig(sees=("features",), members=2, hidden=32, steps=300), 2, seed=seed)
    model.fit(rankings, episodes(made))
    fresh, truth = zip(*(rollout(level, draw) for level in np.linspace(0.0, 1.0, 60)), strict=True)
    assert spearman(model.returns(pad(fresh)).mean(0), torch.tensor(truth)) >= 0.97


def test_less_noise_is_better_and_equal_noise_says_nothing() -> None:
    a, b, c = (Segment(name, 0, 5) for name in "abc")
    rankings = rank([(a, 0.5), (b, 0.0), (c, 0.5)])
    assert [(ranking.segments, ranking.ranks) for ranking in rankings] == [((a, b), (1, 0)), ((b, c), (0, 1))]
    assert {ranking.given.annotator for ranking in rankings} == {ANNOTATOR}
    with pytest.raises(DataError, match="2 episodes with one level of noise"):
        rank([(a, 0.5), (c, 0.5)])


def test_the_plan_names_each_level_as_often_as_asked() -> None:
    assert plan(DRexConfig(levels=(0.0, 0.5), rollouts=3)) == [0.0, 0.0, 0.0, 0.5, 0.5, 0.5]


def test_noise_is_a_share_of_uniform_actions() -> None:
    draw = np.random.default_rng(0)
    state = np.array([0.2, -0.1])
    for share in (0.0, 0.3, 1.0):
        actions = np.array([noisy(clone, share, draw)(state) for _ in range(4000)])
        random = (actions != clone(state)).any(axis=1)
        assert random.mean() == pytest.approx(share, abs=0.03) and actions.dtype == np.float32
        if share == 1.0:
            assert abs(actions).max() <= 1.0 and actions.mean(axis=0) == pytest.approx([0.0, 0.0], abs=0.05)
            assert actions.std(axis=0) == pytest.approx([3**-0.5] * 2, abs=0.02)
