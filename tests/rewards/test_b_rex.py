"""Bayesian REX: the sampler against quadrature, a posterior that knows what it does not know, and the alarm that comes of it."""

from __future__ import annotations

import dataclasses
import itertools
import math

import pytest
import torch
from torch import Tensor

from rewardbot.errors import DataError
from rewardbot.feedback.feedback import Ranking
from rewardbot.rewards.b_rex import BayesianRex, BRexConfig, metropolis_hastings, r_hat
from rewardbot.rewards.comparisons import Clips, Comparisons, pad
from rewardbot.rewards.plackett_luce import log_likelihood
from rewardbot.rewards.preference import PreferenceConfig, PreferenceReward
from rewardbot.types import Segment
from tests.rewards.synthetic import episodes, linear_rankings, places

CONFIG = BRexConfig(sees=("features",))


def single_steps(features: Tensor, place: Tensor) -> Comparisons:
    """Rankings (B, k) of clips of one step with features (B, k, D)."""
    sets, k, size = features.shape
    steps = features.float().reshape(sets * k, 1, size)
    return Comparisons(Clips(steps, torch.ones(sets * k, 1, dtype=torch.bool)), torch.arange(sets * k).view(sets, k), place,
                       torch.ones(sets))


def test_the_sampler_agrees_with_quadrature_on_the_circle() -> None:
    features = torch.tensor([[[1.0, 0.2], [0.1, 0.9]], [[0.3, -1.0], [-0.4, 0.8]], [[0.5, 0.5], [0.4, -0.6]]], dtype=torch.float64)
    place = torch.tensor([[0, 1], [1, 0], [0, 1]])

    def log_posterior(w: Tensor) -> Tensor:
        return log_likelihood(torch.einsum("bkd,cd->cbk", features, w.double()), place).sum(-1)

    angles = torch.arange(3600, dtype=torch.float64) * 2 * math.pi / 3600
    circle = torch.stack([angles.cos(), angles.sin()], dim=-1)
    mass = torch.softmax(log_posterior(circle), 0)
    chains, acceptance = metropolis_hastings(
        log_posterior, 2, BRexConfig(chains=50, steps=1000, thin=1), torch.Generator().manual_seed(0))
    drawn = chains.flatten(0, 1).double()
    torch.testing.assert_close(drawn.norm(dim=-1), torch.ones(len(drawn), dtype=torch.float64))
    torch.testing.assert_close(drawn.mean(0), mass @ circle, atol=0.02, rtol=0)
    torch.testing.assert_close(drawn.T @ drawn / len(drawn), (circle * mass[:, None]).T @ circle, atol=0.02, rtol=0)
    # More than is aimed at: three answers leave half of the circle, and no proposal goes further than around it.
    assert acceptance > 0.3 and float(r_hat(chains).max()) < 1.05


def test_r_hat_tells_chains_that_have_not_met() -> None:
    chains = torch.randn(4, 500, 2, generator=torch.Generator().manual_seed(0))
    assert r_hat(chains).tolist() == pytest.approx([1.0, 1.0], abs=0.02)
    chains[0, :, 1] += 3.0
    assert r_hat(chains)[1] > 1.5


def test_the_posterior_finds_the_direction_and_narrows() -> None:
    spread = []
    for sets in (10, 200):
        w, features, place = linear_rankings(0, sets=sets, k=3)
        model = BayesianRex(CONFIG)
        metrics = model.fit_comparisons(single_steps(features, place))
        assert metrics["r_hat"] < 1.1 and model.weights.shape == (8 * 100, 6)
        spread.append(float(model.weights.var(0).sum()))
    assert float(torch.cosine_similarity(model.weights.mean(0), w.float(), dim=0)) > 0.99
    assert spread[1] < 0.2 * spread[0]


PROGRESS, SMOOTHNESS, GLARE = torch.eye(3)


def demonstrations(count: int = 12, length: int = 20) -> tuple[Clips, Tensor]:
    """Ranked by progress and smoothness. The glare in the picture comes and goes with progress, and nobody cares for it."""
    draw = torch.Generator().manual_seed(0)
    progress, smoothness = torch.rand(2, count, 1, generator=draw)
    noise = 0.02 * torch.randn(count, length, 3, generator=draw)
    steps = progress[..., None] * (PROGRESS + GLARE) + smoothness[..., None] * SMOOTHNESS + noise
    return pad(list(steps)), (progress + 0.5 * smoothness).squeeze(-1)


@pytest.fixture(scope="module")
def ranked_demonstrations() -> tuple[Clips, BayesianRex]:
    clips, good = demonstrations()
    options = torch.combinations(torch.arange(len(good)))
    model = BayesianRex(CONFIG)
    model.fit_comparisons(Comparisons(clips, options, places(good[options]), torch.ones(len(options))))
    return clips, model


def test_variance_is_high_on_a_spurious_feature(ranked_demonstrations: tuple[Clips, BayesianRex]) -> None:
    """Along what the demonstrations differ in the posterior is sure; along glare without progress, which none showed, it is not.

    The ratio has a limit: what one weight of a unit vector takes the others lack.
    """
    _, model = ranked_demonstrations
    shown, never = (PROGRESS + GLARE) / 2**0.5, (GLARE - PROGRESS) / 2**0.5
    assert (model.weights @ never).var() > 10 * (model.weights @ shown).var()


def test_the_bound_gives_a_reward_hacker_away(ranked_demonstrations: tuple[Clips, BayesianRex]) -> None:
    """It dazzles the camera and does nothing else: a mean return above the best demonstration's, a bound below the worst one's."""
    clips, model = ranked_demonstrations
    counts = model.counts(clips)
    returns = model.weights.mean(0) @ counts.T
    hacker = 20 * 2.5 * GLARE[None]
    assert float(hacker @ model.weights.mean(0)) > float(returns.max())
    assert float(model.bound(hacker)) < float(model.bound(counts).min())
    assert (model.bound(counts) > model.bound(counts).min() + 1).sum() > 6, "while the demonstrations stay apart"


def test_samples_are_the_weights_on_the_features() -> None:
    draw = torch.Generator().manual_seed(0)
    steps = torch.randn(60, 3, generator=draw)
    context = episodes({"e": steps})
    segments = [Segment("e", 10 * n, 10 * (n + 1)) for n in range(6)]
    rankings = [Ranking(pair, (0, 1)) for pair in itertools.combinations(segments, 2)]
    model = BayesianRex(dataclasses.replace(CONFIG, burn_in=20, steps=40), lambda x: x[:, :2].square())
    batch = context.transitions(segments[0])
    with pytest.raises(DataError, match=r"no posterior yet(.|\n)*Fit"):
        model.samples(batch)
    model.fit(rankings, context)
    expected = model.weights @ steps[:10, :2].square().T
    assert model.samples(batch).shape == (32, 10) and torch.equal(model.samples(batch), expected)
    assert torch.equal(model.reward(batch), expected.mean(0)) and model.version == 1
    torch.testing.assert_close(model.counts(pad([steps[:10], steps[10:13]])),
                               torch.stack([steps[:10, :2].square().sum(0), steps[10:13, :2].square().sum(0)]))
    again = BayesianRex(model.config, model.features)
    torch.manual_seed(9)
    again.fit(rankings, context)
    assert torch.equal(again.weights, model.weights), "the same answers and seed"


def test_features_may_be_the_last_layer_of_a_learned_reward() -> None:
    w, features, place = linear_rankings(1, sets=100, k=2)
    data = single_steps(features, place)
    network = PreferenceReward(PreferenceConfig(sees=("features",), members=1, hidden=8, steps=50), 6)
    network.fit_comparisons(data)
    with torch.no_grad():
        model = BayesianRex(CONFIG, lambda x: network.network.hidden(x)[0])
        model.fit_comparisons(data)
        unseen = torch.randn(500, 6, generator=torch.Generator().manual_seed(0))
        returns = model.weights.mean(0) @ model.features(unseen).T
    assert float(torch.corrcoef(torch.stack([returns, unseen @ w.float()]))[0, 1]) > 0.8
