"""The preference trainer: what it learns, that it learns it again to the bit, and what a policy then gets."""

from __future__ import annotations

import dataclasses
import itertools

import numpy as np
import pytest
import torch
from torch import Tensor

from rewardbot.data.replay import Batch, Replay
from rewardbot.errors import DataError
from rewardbot.feedback.feedback import Ranking, Rating, SuccessMark
from rewardbot.rewards.base import Context
from rewardbot.rewards.comparisons import Clips, Comparisons, pad
from rewardbot.rewards.preference import PreferenceConfig, PreferenceReward
from rewardbot.types import Episode, EpisodeInfo, Segment
from tests.rewards.synthetic import episodes, most_likely, places, ranked, spearman

LINEAR = PreferenceConfig(sees=("features",), layers=0, members=1, steps=300, batch=64, rate=0.1, weight_decay=0.0)
SMALL = PreferenceConfig(sees=("features",), members=2, hidden=32, steps=150)
W = torch.tensor([2.0, -1.0, 0.5, 0.0])


def clips(count: int, lengths: tuple[int, int], seed: int = 0) -> Clips:
    draw = torch.Generator().manual_seed(seed)
    return pad([torch.randn(int(n), len(W), generator=draw) for n in torch.randint(*lengths, (count,), generator=draw)])


def pairs(of: Clips, utility: Tensor, count: int, seed: int = 0) -> Comparisons:
    """Random pairs of clips with utilities (C,), answered by Bradley and Terry."""
    draw = torch.Generator().manual_seed(seed)
    options = torch.randint(len(of), (count, 2), generator=draw)
    return Comparisons(of, options, ranked(utility[options], draw), torch.ones(count))


def weights(model: PreferenceReward) -> Tensor:
    """w of a linear reward, (M, D)."""
    with torch.no_grad():
        reward = model.network(torch.cat([torch.zeros(1, len(W)), torch.eye(len(W))]))
    return reward[:, 1:] - reward[:, :1]


def transitions(features: Tensor) -> Batch:
    n, none = len(features), torch.zeros(len(features), 0)
    return Batch(features, features, none, none, torch.zeros(n, 1), torch.ones(n), torch.arange(n))


# What it learns.


@pytest.mark.parametrize("lengths", [(8, 9), (2, 12)], ids=["equal", "unequal"])
def test_a_linear_reward_is_recovered_from_clips_of_any_length(lengths: tuple[int, int]) -> None:
    """200 answers, and as near as the most likely weights are."""
    of = clips(100, lengths)
    features = of.steps.sum(1)
    data = pairs(of, features @ W, 200)
    model = PreferenceReward(LINEAR, len(W))
    metrics = model.fit_comparisons(data)
    best = most_likely(features[data.options].double(), data.place).float()
    assert float(torch.cosine_similarity(weights(model)[0], W, dim=0)) > 0.98
    assert float(torch.cosine_similarity(weights(model)[0], best, dim=0)) > 0.999
    assert metrics["answers"] == 200 and metrics["accuracy"] > 0.85 and metrics["loss"] < 0.4


def hills(x: Tensor) -> Tensor:
    """A reward that is not linear, (..., D) -> (...)."""
    return torch.sin(2 * x[..., 0]) + x[..., 1].square() - 0.5 * x[..., 2].abs()


@pytest.fixture(scope="module")
def hilly() -> tuple[Clips, Tensor]:
    of = clips(60, (10, 11))
    return of, hills(of.steps).sum(1)


UNSEEN = clips(100, (10, 11), seed=1)


def order_of_unseen(model: PreferenceReward) -> float:
    return spearman(model.returns(UNSEEN).mean(0), hills(UNSEEN.steps).sum(1))


def test_networks_learn_what_is_not_linear(hilly: tuple[Clips, Tensor]) -> None:
    of, utility = hilly
    model = PreferenceReward(SMALL, len(W))
    metrics = model.fit_comparisons(pairs(of, 3 * utility, 400))
    assert metrics["accuracy"] > 0.9 and order_of_unseen(model) > 0.8
    linear = PreferenceReward(LINEAR, len(W))
    linear.fit_comparisons(pairs(of, 3 * utility, 400))
    assert order_of_unseen(linear) < 0.6


def test_no_reward_grows_on_where_nobody_looked() -> None:
    model = PreferenceReward(dataclasses.replace(LINEAR, clip=2.0), 2)
    model.network.set_inputs(torch.tensor([[0.0, 10.0], [2.0, 10.0], [4.0, 10.0]]))
    spread, seen = float(model.network.std[0]), model.network(torch.tensor([[2.0, 10.0]]))  # type: ignore[index]
    at, beyond, below = (model.network(torch.tensor([[2.0 + of * spread, 10.0]])) for of in (2.0, 7.0, -7.0))
    torch.testing.assert_close(at, beyond)
    torch.testing.assert_close(at - seen, seen - below)
    assert bool((at != seen).all())


@pytest.mark.parametrize("how", ["whole", "pairs"])
def test_rankings_of_four_by_either_way(how, hilly: tuple[Clips, Tensor]) -> None:
    of, utility = hilly
    segments = [Segment("e", 10 * n, 10 * (n + 1)) for n in range(len(of))]
    context = episodes({"e": of.steps.flatten(0, 1)})
    options = torch.randint(len(of), (150, 6), generator=torch.Generator().manual_seed(0))
    four = [list(dict.fromkeys(some))[:4] for some in options.tolist()]
    rankings = [Ranking(tuple(segments[c] for c in some), tuple(places(utility[some]).tolist())) for some in four]
    model = PreferenceReward(dataclasses.replace(SMALL, rankings=how), len(W))
    metrics = model.fit(rankings, context)
    assert metrics["answers"] == (150 if how == "whole" else 900) and order_of_unseen(model) > 0.8


def test_ratings_give_the_order_that_pairs_give(hilly: tuple[Clips, Tensor]) -> None:
    """Seven levels of 60 clips, beside the strict order of all of them."""
    of, utility = hilly
    segments = [Segment("e", 10 * n, 10 * (n + 1)) for n in range(len(of))]
    context = episodes({"e": of.steps.flatten(0, 1)})
    rank = utility.argsort().argsort()
    config = dataclasses.replace(SMALL, steps=400)
    rated, ordered = PreferenceReward(config, len(W)), PreferenceReward(config, len(W))
    rated.fit([Rating(segment, 1 + int(7 * r) // len(of)) for segment, r in zip(segments, rank, strict=True)], context)
    ordered.fit([Ranking((segments[a], segments[b]), (0, 1) if utility[a] > utility[b] else (1, 0))
                 for a, b in itertools.combinations(range(len(of)), 2)], context)
    by_ratings, by_pairs = rated.returns(of).mean(0), ordered.returns(of).mean(0)
    assert spearman(by_ratings, utility) > 0.95 and spearman(by_pairs, utility) > 0.95
    assert spearman(by_ratings, by_pairs) > 0.98
    assert abs(order_of_unseen(rated) - order_of_unseen(ordered)) < 0.05


def answered(*answers: tuple[tuple[int, ...], float]) -> Comparisons:
    """Answers about clips 0 and 1, as places and a weight."""
    of = clips(2, (5, 6))
    return Comparisons(of, torch.tensor([[0, 1]] * len(answers)), torch.tensor([place for place, _ in answers]),
                       torch.tensor([weight for _, weight in answers]))


@pytest.mark.parametrize(("answers", "probability"), [
    ([((0, 0), 1.0)], 0.5), ([((0, 1), 1.0), ((1, 0), 1.0)], 0.5), ([((0, 1), 3.0), ((1, 0), 1.0)], 0.75),
    ([((0, 1), 1.0), ((0, 0), 1.0)], 0.75)], ids=["equal", "contradictory", "weighted", "half a preference"])
def test_answers_become_probabilities(answers: list[tuple[tuple[int, ...], float]], probability: float) -> None:
    model = PreferenceReward(dataclasses.replace(SMALL, batch=256), len(W))
    data = answered(*answers)
    model.fit_comparisons(data)
    torch.testing.assert_close(torch.softmax(model.returns(data.clips), -1)[:, 0], torch.full((2,), probability), atol=0.03, rtol=0)


def test_bounded_networks_learn_a_bounded_reward_better() -> None:
    of = clips(60, (10, 11))
    data = pairs(of, 3 * torch.tanh(of.steps @ W).sum(1), 400)
    bounded, free = (PreferenceReward(dataclasses.replace(SMALL, bounded=how, normalise=False), len(W)) for how in (True, False))
    order = []
    for model in (bounded, free):
        model.fit_comparisons(data)
        order.append(spearman(model.returns(UNSEEN).mean(0), torch.tanh(UNSEEN.steps @ W).sum(1)))
    far = transitions(100 * UNSEEN.steps.flatten(0, 1))
    assert bounded.samples(far).abs().max() <= 1.0 < free.samples(far).abs().max()
    assert order[0] > 0.95 and order[0] > order[1]


# What a policy gets.


def test_rewards_are_normalised_by_the_labelled_steps(hilly: tuple[Clips, Tensor]) -> None:
    of, utility = hilly
    model = PreferenceReward(dataclasses.replace(SMALL, steps=5), len(W))
    model.fit_comparisons(pairs(of, utility, 50))
    batch = transitions(of.steps.flatten(0, 1))
    samples = model.samples(batch)
    assert samples.shape == (2, 600) and samples.dtype == torch.float32 and not samples.requires_grad
    torch.testing.assert_close(samples.mean(-1), torch.zeros(2), atol=1e-5, rtol=0)
    torch.testing.assert_close(samples.std(-1, correction=0), torch.ones(2))
    assert torch.equal(model.reward(batch), samples.mean(0))
    raw = PreferenceReward(dataclasses.replace(SMALL, steps=5, normalise=False), len(W))
    raw.fit_comparisons(pairs(of, utility, 50))
    with torch.no_grad():
        assert torch.equal(raw.samples(batch), raw.network(of.steps.flatten(0, 1)))


def test_what_a_step_is_worth_stays_where_the_answers_say_it() -> None:
    """Every reward is 1: of sums a longer clip is better, and the normalised reward must still be above 0 everywhere."""
    of = clips(40, (2, 12))
    longer = pairs(of, 20.0 * of.lengths, 200)
    model = PreferenceReward(LINEAR, len(W))
    model.fit_comparisons(longer)
    reward = model.reward(transitions(of.steps[of.mask]))
    assert model.returns(of)[0].argmax() in torch.nonzero(of.lengths == of.lengths.max())
    assert float(reward.min()) > 0.0 and float(reward.std(correction=0)) == pytest.approx(1.0, abs=1e-4)
    blind = PreferenceReward(dataclasses.replace(LINEAR, returns="mean"), len(W))
    assert blind.fit_comparisons(longer)["accuracy"] < 0.7, "a mean cannot know the length"
    assert float(blind.reward(transitions(of.steps[of.mask])).mean()) == pytest.approx(0.0, abs=1e-4)


def test_members_agree_where_answers_are_and_less_where_there_are_none(hilly: tuple[Clips, Tensor]) -> None:
    of, utility = hilly
    model = PreferenceReward(dataclasses.replace(SMALL, members=5, bootstrap=True), len(W))
    model.fit_comparisons(pairs(of, 3 * utility, 400))
    near = of.steps.flatten(0, 1)
    far = near + 4.0
    assert model.samples(transitions(far)).std(0).mean() > 2 * model.samples(transitions(near)).std(0).mean()


def test_an_input_that_never_changed_does_not_run_away(hilly: tuple[Clips, Tensor]) -> None:
    of, utility = hilly
    fixed = Clips(of.steps * torch.tensor([1.0, 1.0, 1.0, 0.0]), of.mask)
    model = PreferenceReward(SMALL, len(W))
    model.fit_comparisons(pairs(fixed, utility, 100))
    far = transitions(torch.tensor([[0.0, 0.0, 0.0, 1e6]]))
    assert model.samples(far).abs().max() < 100.0


# To the bit.


def state(model: PreferenceReward) -> list[Tensor]:
    return list(model.network.state_dict().values())


def same(one: PreferenceReward, other: PreferenceReward) -> bool:
    return all(torch.equal(a, b) for a, b in zip(state(one), state(other), strict=True))


QUICK = dataclasses.replace(SMALL, steps=10, bootstrap=True)


def test_the_same_answers_and_seed_give_the_same_weights(hilly: tuple[Clips, Tensor]) -> None:
    of, utility = hilly
    data, more = pairs(of, utility, 30), pairs(of, utility, 60)
    one, other, third = PreferenceReward(QUICK, len(W)), PreferenceReward(QUICK, len(W)), PreferenceReward(QUICK, len(W), seed=1)
    assert same(one, other) and not same(one, third)
    one.fit_comparisons(data)
    torch.manual_seed(5)
    expected = torch.rand(1)
    torch.manual_seed(5)
    other.fit_comparisons(more)
    other.fit_comparisons(data)
    third.fit_comparisons(data)
    assert torch.equal(torch.rand(1), expected), "torch's own draws go on as if nothing had been"
    assert same(one, other) and (one.version, other.version) == (1, 2), "a fit begins anew"
    assert not same(one, third)


def test_members_learn_from_batches_of_their_own(hilly: tuple[Clips, Tensor]) -> None:
    of, utility = hilly
    model = PreferenceReward(dataclasses.replace(LINEAR, members=3, steps=5), len(W))
    model.fit_comparisons(pairs(of, utility, 100))
    assert len({tuple(row.tolist()) for row in weights(model)}) == 3


def test_a_fit_that_is_broken_off_changes_nothing(hilly: tuple[Clips, Tensor]) -> None:
    of, utility = hilly
    model = PreferenceReward(QUICK, len(W))
    model.fit_comparisons(pairs(of, utility, 30))
    before = [value.clone() for value in state(model)]

    def stop(share: float) -> None:
        if share > 0.5:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        model.fit_comparisons(pairs(of, utility, 60), stop)
    assert model.version == 1 and all(torch.equal(a, b) for a, b in zip(before, state(model), strict=True))


# From what the operator said about episodes.


def test_images_through_their_cached_features() -> None:
    """Episodes in a replay, clips of them in the answers; the goodness is in one of 96 features of the image."""
    draw = np.random.default_rng(0)
    replay = Replay(1000, features=96, proprio=4, actions=2)
    spans = {}
    for number in range(40):
        info = EpisodeInfo(f"e{number}", "reach", "small", "policy")
        zeros = np.zeros((21, 4), np.float32)
        episode = Episode(info, np.zeros(21), {}, zeros, zeros[:20, :2], zeros[:20, :2])
        spans[info.id] = replay.add(episode, torch.from_numpy(draw.normal(size=(21, 96)).astype(np.float32)))
    segments = [Segment(name, start, start + 2) for name in spans for start in range(0, 20, 2)]
    context = Context(lambda segment: replay.at(torch.tensor(spans[segment.episode_id][segment.start : segment.stop])))
    good = torch.stack([context.transitions(segment).next_features[:, 7].sum() for segment in segments])  # type: ignore[union-attr]
    both = [draw.choice(len(segments), 2, replace=False) for _ in range(1000)]
    rankings = [Ranking((segments[a], segments[b]), (0, 1) if good[a] > good[b] else (1, 0)) for a, b in both]
    model = PreferenceReward(dataclasses.replace(SMALL, sees=("next_features", "proprio")), 100)
    metrics = model.fit(rankings, context)
    assert metrics["accuracy"] > 0.9 and metrics["answers"] == 1000
    batch = replay.sample(100)
    assert model.samples(batch).shape == (2, 100) and spearman(model.reward(batch), batch.next_features[:, 7]) > 0.8


def test_other_feedback_is_refused() -> None:
    with pytest.raises(DataError, match=r"learns nothing from a SuccessMark(.|\n)*Ranking, Rating"):
        PreferenceReward(SMALL, 2).fit([SuccessMark("e", 0, True)], episodes({}))  # type: ignore[list-item]
