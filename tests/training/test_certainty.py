"""Samples of returns, with the meter on top."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
import torch

from rewardbot.feedback.meter import losses, value_at_risk
from rewardbot.rewards.comparisons import Comparisons, pad
from rewardbot.rewards.preference import PreferenceConfig, PreferenceReward
from rewardbot.training.certainty import sampled_returns
from tests.rewards.synthetic import linear_rankings, ranked

CONFIG = PreferenceConfig(sees=("features",), members=2, layers=1, hidden=8, steps=60, rate=0.03)


def problem(seed: int, answers: int, k: int = 2) -> tuple[Comparisons, torch.Tensor]:
    """Answers about clips of one step with four features, and the true weights."""
    w, features, place = linear_rankings(seed, sets=answers, k=k, size=4)
    clips = pad(list(features.float().reshape(-1, 1, 4)))
    return Comparisons(clips, torch.arange(answers * k).view(answers, k), place, torch.ones(answers)), w.float()


def fitted(data: Comparisons) -> PreferenceReward:
    reward = PreferenceReward(CONFIG, 4)
    reward.fit_comparisons(data)
    return reward


def test_the_samples_explain_the_answers_and_narrow() -> None:
    unseen = torch.randn(40, 4, generator=torch.Generator().manual_seed(1))
    right, bounds = [], []
    for answers in (10, 200):
        data, w = problem(0, answers)
        returns = sampled_returns(fitted(data), data, pad(list(unseen[:, None])))
        assert returns.shape == (100, 40)
        right.append(np.corrcoef(returns.mean(0), unseen @ w)[0, 1])
        bounds.append(value_at_risk(losses(returns[:, returns.mean(0).argmax()], returns), 0.95, 0.95)[0])
    assert right[1] > 0.9 > right[0] and bounds[1] < 0.7 * bounds[0]


def waves(x: torch.Tensor, draw: torch.Generator) -> torch.Tensor:
    return torch.sin(x) @ torch.randn(4, generator=draw)


def products(x: torch.Tensor, draw: torch.Generator) -> torch.Tensor:
    return torch.einsum("ni,ij,nj->n", x, torch.randn(4, 4, generator=draw), x)


def network(x: torch.Tensor, draw: torch.Generator) -> torch.Tensor:
    return torch.tanh(1.5 * x @ torch.randn(4, 16, generator=draw)) @ torch.randn(16, generator=draw)


def nearness(x: torch.Tensor, draw: torch.Generator) -> torch.Tensor:
    return -(x - 0.7 * torch.randn(4, generator=draw)).norm(dim=-1)


@pytest.mark.parametrize("answers", [25, 100])
@pytest.mark.parametrize("truth", [waves, products, network, nearness])
def test_the_bound_covers_the_regret_under_a_reward_that_is_not_linear(
    truth: Callable[[torch.Tensor, torch.Generator], torch.Tensor], answers: int
) -> None:
    """Over 20 problems; of a share of .95 less than .8 is seen in three cases of a thousand."""
    covered = []
    for seed in range(20):
        draw = torch.Generator().manual_seed(seed)
        x = torch.randn(40, 1, 4, generator=draw)
        good = truth(x[:, 0], draw)
        good = (4.0 * (good - good.mean()) / good.std()).numpy().astype(np.float64)
        options = torch.stack([torch.randperm(40, generator=draw)[:2] for _ in range(answers)])
        utility = torch.from_numpy(good)[options]
        place = ranked(utility, draw)
        clips = pad(list(x))
        returns = sampled_returns(PreferenceReward(CONFIG, 4), Comparisons(clips, options, place, torch.ones(answers)), clips,
                                  seed=seed)
        best = returns.mean(0).argmax()
        bound, _ = value_at_risk(losses(returns[:, best], returns), 0.95, 0.95)
        covered.append(losses(good[[best]], good[None])[0] <= bound)
    assert np.mean(covered) >= 0.8


def test_rankings_ties_and_clips_of_other_lengths() -> None:
    data, w = problem(1, 60, k=3)
    ties = Comparisons(data.clips, data.options, torch.zeros_like(data.place), data.weight)
    unseen = torch.randn(20, 4, generator=torch.Generator().manual_seed(2))
    reward = fitted(data)
    returns = sampled_returns(reward, data, pad([torch.stack([x, x]) for x in unseen] + [unseen[0][None]]), count=60)
    np.testing.assert_allclose(returns[:, 0], 2 * returns[:, -1], atol=1e-6, err_msg="a sum over its steps")
    assert np.corrcoef(returns.mean(0)[:-1], unseen @ w)[0, 1] > 0.8
    assert np.abs(sampled_returns(reward, ties, data.clips, count=60).mean(0)).max() < 1.0, "ties prefer nothing"
    again = sampled_returns(reward, data, data.clips, count=60)
    assert np.array_equal(again, sampled_returns(reward, data, data.clips, count=60)), "the same seed"
