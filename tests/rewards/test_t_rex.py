"""T-REX: snippets of ranked demonstrations, and a reward that still orders what is better than the best of them."""

from __future__ import annotations

import dataclasses

import pytest
import torch
from torch import Tensor

from rewardbot.feedback.feedback import Ranking, dense
from rewardbot.rewards.comparisons import pad
from rewardbot.rewards.t_rex import TRex, TRexConfig
from rewardbot.types import Segment
from tests.rewards.synthetic import episodes, spearman

CONFIG = TRexConfig(sees=("features",), members=2, hidden=32, steps=300)
LENGTH = 100


def runs(skills: Tensor, seed: int) -> tuple[list[Tensor], Tensor]:
    """A runner at several skills: what is observed of each run (T, 6), and true returns: speed, less what the body sways.

    Observed are speed, sway, the phase of the stride, and two numbers that mean nothing.
    """
    draw = torch.Generator().manual_seed(seed)

    def noise(scale: float) -> Tensor:
        return scale * torch.randn(len(skills), LENGTH, generator=draw)

    speed = skills[:, None] + noise(0.1)
    sway = noise(0.3) * (1.2 - skills[:, None])
    phase = speed.cumsum(1)
    observed = torch.stack([speed, sway, phase.sin(), phase.cos(), noise(1.0), noise(1.0)], dim=-1)
    return list(observed), (speed - sway.square()).sum(1)


@pytest.mark.parametrize("seed", [0, 1, 2])
def test_it_orders_what_is_better_than_the_best_demonstration(seed: int) -> None:
    """12 ranked demonstrations up to half of all skill; 40 runs above the best of them."""
    demonstrations, good = runs(torch.linspace(0.1, 0.5, 12), seed)
    context = episodes({f"demo{n}": steps for n, steps in enumerate(demonstrations)})
    ranking = Ranking(tuple(Segment(f"demo{n}", 0, LENGTH) for n in range(12)), dense((-good).tolist()))
    model = TRex(CONFIG, 6, seed=seed)
    metrics = model.fit([ranking], context)
    assert metrics["answers"] == 66 and metrics["accuracy"] > 0.95
    better, truth = runs(torch.linspace(0.55, 1.0, 40), seed + 10)
    assert float(truth.min()) > float(good.max())
    assert spearman(model.returns(pad(better)).mean(0), truth) >= 0.9


def test_snippets_are_of_one_length_for_those_compared_and_from_anywhere() -> None:
    clips = pad([torch.arange(60.0)[:, None], 100 + torch.arange(30.0)[:, None], 200 + torch.arange(8.0)[:, None]])
    options = torch.tensor([[[0, 1]] * 500, [[1, 2]] * 500])
    model = TRex(dataclasses.replace(CONFIG, shortest=10, longest=20), 1)
    steps, mask = model.cut(clips, options, torch.Generator().manual_seed(0))
    lengths = mask.sum(-1)
    assert steps.shape == (2, 500, 2, 20, 1) and torch.equal(lengths[..., 0], lengths[..., 1])
    assert set(lengths[0, :, 0].tolist()) == set(range(10, 21)) and (lengths[1] == 8).all(), "a short one is taken as a whole"
    first = steps[..., 0, 0]
    assert first[0, :, 0].min() == 0 and 35 < first[0, :, 0].max() <= 50
    assert (steps[1, :, 1, :8, 0] == 200 + torch.arange(8.0)).all()


def test_whole_rankings_of_snippets_by_one_likelihood() -> None:
    demonstrations, good = runs(torch.linspace(0.1, 0.5, 6), 0)
    context = episodes({f"demo{n}": steps for n, steps in enumerate(demonstrations)})
    ranking = Ranking(tuple(Segment(f"demo{n}", 0, LENGTH) for n in range(6)), dense((-good).tolist()))
    model = TRex(dataclasses.replace(CONFIG, rankings="whole", steps=50), 6)
    assert model.fit([ranking], context)["answers"] == 1
    better, truth = runs(torch.linspace(0.55, 1.0, 40), 10)
    assert spearman(model.returns(pad(better)).mean(0), truth) >= 0.8


def test_with_little_weight_all_counts_as_much_as_it_differs() -> None:
    """The first number differs by one spread and varies; the second by a tenth, and tells any two clips apart for sure."""
    draw = torch.Generator().manual_seed(0)
    swing = torch.tensor([1.0, -1.0]).repeat(LENGTH // 2)

    def clip(sign: float) -> Tensor:
        return torch.stack([0.5 * sign + torch.randn(LENGTH, generator=draw), 0.05 * sign + swing], dim=-1)

    demonstrations = [clip(sign) for sign in (-1.0, 1.0) for _ in range(10)]
    segments = [Segment(f"demo{n}", 0, LENGTH) for n in range(20)]
    rankings = [Ranking((worse, better), (1, 0)) for worse in segments[:10] for better in segments[10:]]
    context = episodes({f"demo{n}": steps for n, steps in enumerate(demonstrations)})

    def second_by_first(ridge: float) -> float:
        config = dataclasses.replace(CONFIG, layers=0, rate=1e-2, steps=600, shortest=10, longest=10, ridge=ridge)
        model = TRex(config, 2)
        model.fit(rankings, context)
        zero, first, second = model.network(torch.tensor([[0.0, 0.0], [1.0, 0.0], [0.0, 1.0]])).mean(0).detach()
        return float((second - zero) / (first - zero))

    steps = torch.cat(demonstrations)
    difference = torch.cat(demonstrations[10:]).mean(0) - torch.cat(demonstrations[:10]).mean(0)
    expected = difference / steps.var(0)  # of a weight for what is seen, not for what is standardised
    assert second_by_first(100.0) == pytest.approx(float(expected[1] / expected[0]), rel=0.1)
    assert second_by_first(0.0) > 4.0 * float(expected[1] / expected[0])
