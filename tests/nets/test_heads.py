"""Heads against what they stand for: the ensemble against its members, the log-probability against torch's distributions."""

from __future__ import annotations

import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.distributions import Independent, Normal, TransformedDistribution
from torch.distributions.transforms import TanhTransform
from torch.nn import functional as F

from rewardbot.nets.heads import (
    LOG_STD_RANGE,
    EnsembleCritic,
    EnsembleLinear,
    SquashedGaussianPolicy,
    log_prob_squashed,
    sample_squashed,
)

MEMBERS, FEATURES, PROPRIO, ACTIONS = 3, 6, 2, 4


def scrambled(module: torch.nn.Module, seed: int = 0) -> None:
    """Every parameter, also those that start as ones and zeros."""
    torch.manual_seed(seed)
    for parameter in module.parameters():
        torch.nn.init.normal_(parameter, std=0.5)


def member_q(critic: EnsembleCritic, e: int, features: torch.Tensor, others: torch.Tensor) -> torch.Tensor:
    """One critic as anyone would write it."""
    x = torch.cat([critic.compress(features), others], dim=-1)
    for layer, scale, shift in zip((critic.first, critic.second), critic.scale, critic.shift, strict=True):
        x = F.linear(x, layer.weight[e].T, layer.bias[e, 0])
        x = F.relu(F.layer_norm(x, (critic.hidden,), scale[e, 0], shift[e, 0]))
    return F.linear(x, critic.last.weight[e].T, critic.last.bias[e, 0]).squeeze(-1)


def test_the_ensemble_is_its_members() -> None:
    critic = EnsembleCritic(MEMBERS, FEATURES, PROPRIO + ACTIONS, latent=5, hidden=7)
    scrambled(critic)
    features, proprio, actions = torch.randn(11, FEATURES), torch.randn(11, PROPRIO), torch.randn(11, ACTIONS)
    q = critic(features, proprio, actions)
    assert q.shape == (MEMBERS, 11)
    others = torch.cat([proprio, actions], dim=-1)
    for e in range(MEMBERS):
        torch.testing.assert_close(q[e], member_q(critic, e, features, others))
    assert (q[0] - q[1]).abs().min() > 1e-4, "members differ"


def test_a_members_loss_moves_that_member_alone() -> None:
    critic = EnsembleCritic(MEMBERS, FEATURES, PROPRIO + ACTIONS, latent=5, hidden=7)
    critic(torch.randn(4, FEATURES), torch.randn(4, PROPRIO), torch.randn(4, ACTIONS))[1].sum().backward()
    for name, parameter in critic.named_parameters():
        if not name.startswith("compress"):
            assert parameter.grad is not None
            assert parameter.grad[[0, 2]].abs().max() == 0.0, name
    assert critic.first.weight.grad is not None and critic.first.weight.grad[1].abs().max() > 0.0


def test_ensemble_linear_by_hand() -> None:
    layer = EnsembleLinear(2, 2, 1)
    with torch.no_grad():
        layer.weight.copy_(torch.tensor([[[1.0], [2.0]], [[-1.0], [3.0]]]))
        layer.bias.copy_(torch.tensor([[[0.5]], [[0.0]]]))
    x = torch.tensor([[1.0, 1.0], [2.0, 0.0]])
    assert layer(x.expand(2, -1, -1)).squeeze(-1).tolist() == [[3.5, 2.5], [2.0, -2.0]]


def policy(seed: int = 0) -> SquashedGaussianPolicy:
    found = SquashedGaussianPolicy(FEATURES, PROPRIO, ACTIONS, latent=5, hidden=8)
    scrambled(found, seed)
    found.proprio_mean.copy_(torch.tensor([1.0, -2.0]))  # type: ignore[operator]
    found.proprio_std.copy_(torch.tensor([0.5, 3.0]))  # type: ignore[operator]
    return found.eval()


@given(st.integers(0, 1000))
@settings(max_examples=20, deadline=None)
def test_log_probability_is_that_of_a_squashed_normal(seed: int) -> None:
    actor = policy(seed).double()
    features, proprio = torch.randn(16, FEATURES).double(), torch.randn(16, PROPRIO).double()
    action, log_prob = actor.sample(features, proprio)
    mean, log_std = actor(features, proprio)
    squashed = TransformedDistribution(Independent(Normal(mean, log_std.exp()), 1), TanhTransform())
    inside = (action.abs() < 1.0 - 1e-9).all(dim=-1)  # beyond, atanh of the action is lost in rounding
    torch.testing.assert_close(log_prob[inside], squashed.log_prob(action)[inside], atol=1e-5, rtol=1e-5)
    assert action.abs().max() <= 1.0 and log_prob.isfinite().all()


def test_the_density_integrates_to_one() -> None:
    """Without anyone's formula: the samples' histogram against exp(log pi)."""
    torch.manual_seed(0)
    actor = SquashedGaussianPolicy(FEATURES, PROPRIO, 1, latent=5, hidden=8).eval()
    scrambled(actor)
    features, proprio = torch.randn(1, FEATURES).expand(200_000, -1), torch.zeros(200_000, PROPRIO)
    with torch.no_grad():
        action, log_prob = actor.sample(features, proprio)
    # E[1 / pi(a)] over a region is the region's length.
    region = (action[:, 0] > -0.5) & (action[:, 0] < 0.7)
    assert float((region / log_prob.exp()).mean()) == pytest.approx(1.2, rel=0.03)


def test_log_probability_is_finite_far_out() -> None:
    actor = policy()
    with torch.no_grad():
        actor.mean.bias.fill_(40.0)  # tanh is exactly 1 there
    action, log_prob = actor.sample(torch.randn(4, FEATURES), torch.randn(4, PROPRIO))
    assert (action == 1.0).all() and log_prob.isfinite().all()
    log_prob.sum().backward()
    assert all(p.grad is not None and p.grad.isfinite().all() for p in actor.mean.parameters())


def test_samples_are_reparameterised() -> None:
    actor = policy()
    action, _ = actor.sample(torch.randn(4, FEATURES), torch.randn(4, PROPRIO))
    action.sum().backward()
    assert actor.mean.bias.grad is not None and actor.log_std.bias.grad is not None
    assert actor.mean.bias.grad.abs().min() > 0.0 and actor.log_std.bias.grad.abs().min() > 0.0


def test_the_mode_is_the_squashed_mean_and_proprioception_is_standardised() -> None:
    actor = policy()
    features, proprio = torch.randn(4, FEATURES), torch.randn(4, PROPRIO)
    assert torch.equal(actor.mode(features, proprio), torch.tanh(actor(features, proprio)[0]))
    assert actor.normalise(torch.tensor([[2.0, 1.0]])).tolist() == [[2.0, 1.0]]  # (2 - 1) / 0.5, (1 + 2) / 3
    x = actor.body(torch.cat([actor.compress(features), actor.normalise(proprio)], dim=-1))
    torch.testing.assert_close(actor(features, proprio)[0], actor.mean(x))


def test_the_spread_stays_in_its_range() -> None:
    actor = policy()
    for value, expected in ((100.0, LOG_STD_RANGE[1]), (-100.0, LOG_STD_RANGE[0])):
        with torch.no_grad():
            actor.log_std.bias.fill_(value)
        assert (actor(torch.randn(2, FEATURES), torch.randn(2, PROPRIO))[1] == expected).all()


def test_forget_leaves_an_untrained_policy_that_still_knows_its_scale() -> None:
    actor = policy()
    before = {name: value.clone() for name, value in actor.state_dict().items()}
    actor.forget()
    for name, value in actor.state_dict().items():
        assert torch.equal(value, before[name]) == name.startswith("proprio_"), name
    mean, log_std = actor(torch.randn(50, FEATURES), torch.randn(50, PROPRIO))
    assert torch.tanh(mean).abs().max() < 0.5, "acts about zero"
    assert (log_std == -0.5).all() and math.exp(-0.5) > 0.6, "explores widely, everywhere alike"


@pytest.mark.parametrize(("mean", "log_std"), [(0.0, 0.0), (1.5, -0.5), (-4.0, 0.3), (9.0, -1.0)])
def test_the_density_of_a_given_action_has_integral_one(mean: float, log_std: float) -> None:
    """Also where most of it lies at a bound."""
    edges = torch.linspace(-1.0, 1.0, 200_001, dtype=torch.float64)
    middles = ((edges[:-1] + edges[1:]) / 2)[:, None]
    given = torch.full_like(middles, mean), torch.full_like(middles, log_std)
    assert float(log_prob_squashed(*given, middles).exp().mean() * 2.0) == pytest.approx(1.0, abs=2e-3)


def test_the_density_of_a_sample_is_what_sampling_says() -> None:
    torch.manual_seed(0)
    mean, log_std = torch.randn(500, 3), torch.randn(500, 3).clamp(max=0.0) - 0.5
    action, log_prob = sample_squashed(mean, log_std)
    inside = (action.abs() < 0.99).all(-1)
    assert int(inside.sum()) > 300
    torch.testing.assert_close(log_prob_squashed(mean, log_std, action)[inside], log_prob[inside], rtol=1e-3, atol=1e-3)


@pytest.mark.parametrize("mean", [-30.0, 0.0, 30.0])
def test_the_density_at_the_bounds_is_finite_and_has_a_gradient(mean: float) -> None:
    where = torch.full((2, 1), mean, requires_grad=True)
    density = log_prob_squashed(where, torch.zeros(2, 1), torch.tensor([[-1.0], [1.0]]))
    density.sum().backward()
    assert bool(torch.isfinite(density).all()) and where.grad is not None and bool(torch.isfinite(where.grad).all())
