"""SURF: labels only where the model is sure, parts that are parts, and more from 50 answers where most inputs mean nothing."""

from __future__ import annotations

import dataclasses

import pytest
import torch
from torch import Tensor

from rewardbot.errors import DataError
from rewardbot.feedback.feedback import Ranking
from rewardbot.rewards.base import Context
from rewardbot.rewards.comparisons import Clips, Comparisons, pad
from rewardbot.rewards.plackett_luce import accuracy
from rewardbot.rewards.preference import PreferenceConfig, PreferenceReward
from rewardbot.rewards.surf import Surf, SurfConfig, pseudo_labels
from rewardbot.types import Segment
from tests.rewards.synthetic import episodes, places

CONFIG = SurfConfig(sees=("features",), members=2, hidden=16, steps=20, batch=8)


def test_labels_by_hand() -> None:
    """sigmoid(4.5) is 0.989 and sigmoid(4.7) is 0.991."""
    place, sure = pseudo_labels(torch.tensor([[4.7, 0.0], [0.0, 4.5], [1.0, 5.7], [2.0, 2.0]]), 0.99)
    assert place[:3].tolist() == [[0, 1], [1, 0], [1, 0]] and sure.tolist() == [True, False, True, False]


def test_where_the_model_is_unsure_nothing_is_learned() -> None:
    """A model that has learned nothing yet is sure of nothing; one that is far surer of its answers learns from all of them."""
    draw = torch.Generator().manual_seed(0)
    clips = pad(list(torch.randn(20, 10, 4, generator=draw)))
    model = Surf(CONFIG, 4)
    options = torch.stack([torch.randperm(20, generator=draw).view(10, 2) for _ in range(2)])
    utility = model.returns(clips)
    assert torch.softmax(utility.gather(1, options.flatten(1)).view(2, 10, 2), -1).max() < 0.99
    assert torch.equal(model.pseudo_loss(clips, options, draw), torch.zeros(()))
    with torch.no_grad():
        model.network.layers[-1].weight *= 1e3  # type: ignore[operator]
    assert float(model.pseudo_loss(clips, options, draw).detach()) > 0.0


def test_parts_are_as_long_as_the_paper_says_and_lie_within_their_clips() -> None:
    clips = pad([torch.ones(60, 1), torch.ones(60, 1), torch.ones(12, 1)])
    options = torch.tensor([[[0, 1], [0, 2]]] * 500).view(2, 500, 2)
    steps, part = Surf(CONFIG, 1).cut(clips, options, torch.Generator().manual_seed(0))
    assert steps.shape == (2, 500, 2, 60, 1)
    lengths, inside = part.sum(-1), clips.mask[options]
    assert (part & ~inside).sum() == 0
    same = options[..., 1] == 1
    assert torch.equal(lengths[same][:, 0], lengths[same][:, 1])
    assert set(lengths[same].flatten().tolist()) == set(range(45, 56))
    assert set(lengths[~same][:, 1].tolist()) == {9, 10, 11}, "the same share of a shorter one"
    edges = part.int().diff(dim=-1).abs().sum(-1) + part[..., 0].int() + part[..., -1].int()
    assert (edges == 2).all(), "one piece"
    starts = part.int().argmax(-1)[same]
    assert starts.min() == 0 and starts.max() == 15 and not torch.equal(starts[:, 0], starts[:, 1])


def behaviours(count: int, world: int, seed: int, size: int = 64, length: int = 12) -> tuple[Clips, Tensor]:
    """Clips of six behaviours, which four of 64 inputs tell apart and the reward is about; the rest is noise."""
    draw = torch.Generator().manual_seed(world)
    means = torch.zeros(6, size)
    means[:, :4] = 1.5 * torch.randn(6, 4, generator=draw)
    w = torch.randn(4, generator=draw)
    draw = torch.Generator().manual_seed(seed)
    kind = torch.randint(6, (count,), generator=draw)
    steps = means[kind][:, None] + 0.5 * torch.randn(count, 1, size, generator=draw)
    steps = steps + 2.0 * torch.randn(count, length, size, generator=draw)
    return pad(list(steps)), (steps[..., :4] @ w).sum(1)


def test_from_50_answers_it_is_more_accurate() -> None:
    """Mean over four worlds, 300 fresh pairs each. With few inputs, or hardly any noise, there is nothing to gain."""
    settings = {"sees": ("features",), "members": 2, "steps": 150, "hidden": 32, "batch": 16}
    plain, surf = [], []
    for world in range(4):
        labelled, good = behaviours(100, world, 100 + world)
        options = torch.arange(100).view(50, 2)
        answers = Comparisons(labelled, options, places(good[options]), torch.ones(50))
        unlabelled, _ = behaviours(300, world, 200 + world)
        fresh, truth = behaviours(600, world, 300 + world)
        place = places(truth.view(300, 2))
        with_labels = PreferenceReward(PreferenceConfig(**settings), 64)
        with_both = Surf(SurfConfig(**settings), 64)
        with_both.use_unlabelled(unlabelled)
        for model, found in ((with_labels, plain), (with_both, surf)):
            model.fit_comparisons(answers)
            found.append(float(accuracy(model.returns(fresh).mean(0).view(300, 2), place)))
    assert sum(surf) / 4 > sum(plain) / 4 + 0.01


def test_the_same_clips_and_seed_give_the_same_weights() -> None:
    draw = torch.Generator().manual_seed(0)
    steps = torch.randn(100, 4, generator=draw)
    segments = [Segment("e", 10 * n, 10 * (n + 1)) for n in range(10)]
    context = Context(episodes({"e": steps}).transitions, unlabelled=segments[4:])
    rankings = [Ranking((segments[0], segments[1]), (0, 1)), Ranking((segments[2], segments[3]), (1, 0))]
    models = [Surf(dataclasses.replace(CONFIG, confidence=0.5), 4) for _ in range(3)]
    for model in models:
        torch.rand(1)
        model.fit(rankings, context if model is not models[2] else dataclasses.replace(context, unlabelled=segments[5:]))
    batch = context.transitions(segments[0])
    assert torch.equal(models[0].samples(batch), models[1].samples(batch))
    assert not torch.equal(models[0].samples(batch), models[2].samples(batch)), "they are part of what it learns from"


def test_without_unlabelled_clips_it_says_so() -> None:
    segments = [Segment("e", 0, 10), Segment("e", 10, 20)]
    context = episodes({"e": torch.randn(20, 4)})
    for some in ((), segments[:1]):
        with pytest.raises(DataError, match=rf"{len(some)} unlabelled clips make no pair(.|\n)*'preference'"):
            Surf(CONFIG, 4).fit([Ranking((segments[0], segments[1]), (0, 1))], dataclasses.replace(context, unlabelled=some))
    data = Comparisons(pad(list(torch.randn(2, 10, 4))), torch.tensor([[0, 1]]), torch.tensor([[0, 1]]), torch.ones(1))
    with pytest.raises(DataError, match="SURF has no unlabelled clips"):
        Surf(CONFIG, 4).fit_comparisons(data)
