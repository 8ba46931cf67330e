"""The partition estimate by hand, the numbers of the three systems that share it, and MaxEnt's gradient from two sides."""

from __future__ import annotations

import itertools
import math
import warnings
from statistics import mean

import numpy as np
import pytest
import torch
from torch import Tensor
from torch.nn import functional as F

from rewardbot.data.transitions import Transitions
from rewardbot.errors import DataError
from rewardbot.rewards.gcl import GCL, GCLConfig
from rewardbot.rewards.partition import (
    FewEffectiveSamples,
    effective_sample_size,
    fit_linear,
    importance_weights,
    log_partition,
    log_partition_between,
    report_sample_size,
)
from rewardbot.rewards.perturbation_irl import PerturbationConfig, PerturbationIRL
from rewardbot.rewards.relative_entropy_irl import LinearConfig, RelativeEntropyIRL

FEATURES, SHARPNESS, DEMONSTRATIONS = 6, 2.5, 50
"""A linear reward of six standard normal features whose weights have this length, and as many demonstrations."""


def test_log_partition_by_hand() -> None:
    """mean of exp(log 2) / 0.5 and exp(log 3) / 0.25 = (4 + 12) / 2 = 8; the second sample has 12 / 16 of the weight."""
    returns, log_q = torch.tensor([2.0, 3.0]).log(), torch.tensor([0.5, 0.25]).log()
    assert float(log_partition(returns, log_q)) == pytest.approx(math.log(8.0))
    assert importance_weights(returns, log_q).tolist() == pytest.approx([0.25, 0.75])
    assert float(effective_sample_size(torch.tensor([0.25, 0.75]))) == pytest.approx(1.6)


def test_few_effective_samples_warn() -> None:
    with pytest.warns(FewEffectiveSamples, match=r"rests on 1\.0 effective of 100 samples"):
        report_sample_size(F.one_hot(torch.tensor(3), 100).float())
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert report_sample_size(torch.full((100,), 0.01)) == pytest.approx(100.0)


def expert(seed: int) -> tuple[torch.Generator, Tensor, Tensor]:
    """Weights, and features of demonstrations drawn from exp(w . phi) over the standard normal: the normal with mean w."""
    draw = torch.Generator().manual_seed(seed)
    w = F.normalize(torch.randn(FEATURES, generator=draw, dtype=torch.float64), dim=0) * SHARPNESS
    return draw, w, w + torch.randn(DEMONSTRATIONS, FEATURES, generator=draw, dtype=torch.float64)


def from_random_samples(count: int, seed: int) -> tuple[float, float]:
    """Cosine of the weights found with the true ones, and effective sample size under the true ones."""
    draw, w, shown = expert(seed)
    sampled = torch.randn(1, count, FEATURES, generator=draw, dtype=torch.float64)
    log_q = torch.zeros(1, count, dtype=torch.float64)
    found = fit_linear(shown, sampled, log_q, steps=200)
    return float(F.cosine_similarity(found, w, dim=0)), float(effective_sample_size(importance_weights(sampled @ w, log_q)))


@pytest.mark.parametrize(("count", "cosine", "effective"), [(100, 0.89, 5), (1_000, 0.95, 19), (10_000, 0.98, 73)])
def test_relative_entropy_irl_by_number_of_samples(count: int, cosine: float, effective: float) -> None:
    """Means over eight seeds. A hundred times the samples are but fifteen times the effective ones."""
    found = [from_random_samples(count, seed) for seed in range(8)]
    assert mean(one for one, _ in found) == pytest.approx(cosine, abs=0.03)
    assert effective / 2 < np.median([size for _, size in found]) < effective * 2


def test_the_fit_is_the_optimum_whatever_the_penalty() -> None:
    """Where a weight is not 0 the gradient is l1 times its sign, and no larger elsewhere."""
    draw, _, shown = expert(3)
    shown = shown * 0.4  # whose mean lies among the samples: otherwise the optimum without penalty is infinitely far
    sampled = torch.randn(1, 500, FEATURES, generator=draw, dtype=torch.float64)
    log_q = torch.randn(1, 500, generator=draw, dtype=torch.float64) * 0.1
    for l1 in (0.0, 0.3):
        w = fit_linear(shown, sampled, log_q, l1=l1, tolerance=1e-9).requires_grad_()
        gradient, = torch.autograd.grad(shown.mean(0) @ w - log_partition(sampled @ w, log_q).mean(), w)
        there = w.detach().abs() > 1e-6
        torch.testing.assert_close(gradient[there], l1 * w.detach()[there].sign(), atol=1e-4, rtol=0.0)
        assert bool((gradient[~there].abs() <= l1 + 1e-4).all()) and bool(there.any())


def steps(states: Tensor, actions: Tensor) -> Transitions:
    """Transitions of an episode, of states (T, S) and actions (T, A)."""
    rest = torch.zeros(len(states), 1)
    return Transitions(torch.cat([states, actions, rest, rest + 1.0, states], dim=-1).float(), states.shape[1], actions.shape[1])


def test_perturbations_recover_a_sparse_reward_and_count_where_random_samples_do_not() -> None:
    """Of six features two have a weight. Each demonstration is what exp(w . phi) chose among twenty that lie near each other."""
    draw = torch.Generator().manual_seed(0)
    w = torch.tensor([2.0, 0.0, 0.0, -1.5, 0.0, 0.0], dtype=torch.float64)
    base = 2.0 * torch.randn(300, 1, FEATURES, generator=draw, dtype=torch.float64)
    near = base + 0.7 * torch.randn(300, 20, FEATURES, generator=draw, dtype=torch.float64)
    chosen = torch.multinomial(torch.softmax(near @ w, dim=-1), 1, generator=draw)
    shown = near.gather(1, chosen[..., None].expand(-1, -1, FEATURES))[:, 0]
    log_q = torch.zeros(near.shape[:2], dtype=torch.float64)
    found = fit_linear(shown, near, log_q, l1=0.05)
    assert (found != 0.0).tolist() == (w != 0.0).tolist() and float(F.cosine_similarity(found, w, dim=0)) > 0.99
    far = near.view(1, -1, FEATURES)
    local, anywhere = (float(effective_sample_size(importance_weights(some @ w, torch.zeros(some.shape[:2]))).mean()) / some.shape[1]
                       for some in (near, far))
    assert local > 5.0 * anywhere


def test_perturbation_irl_wants_what_was_shown_rather_than_what_noise_makes_of_it() -> None:
    """The demonstrator holds his action at 0.5; the state drifts, and noise on the action does not change that."""
    draw = torch.Generator().manual_seed(0)

    def episode(noise: float) -> Transitions:
        return steps(torch.randn(8, 1, generator=draw), 0.5 + noise * torch.randn(8, 1, generator=draw))

    expert = [episode(0.05) for _ in range(20)]
    model = PerturbationIRL(PerturbationConfig(), joined_steps(expert))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", FewEffectiveSamples)
        model.fit(expert, [[episode(0.3) for _ in range(20)] for _ in expert])
    held, let_go = (model.reward(steps(torch.zeros(1, 1), torch.tensor([[action]]))) for action in (0.5, 1.2))
    assert model.version == 1 and float(held) > float(let_go)


def joined_steps(episodes: list[Transitions]) -> Transitions:
    return Transitions(torch.cat([episode.rows for episode in episodes]), episodes[0].states, episodes[0].actions)


def test_no_episodes() -> None:
    one = steps(torch.zeros(3, 1), torch.zeros(3, 1))
    with pytest.raises(DataError, match="no episodes"):
        RelativeEntropyIRL(LinearConfig(), one).fit([], [one])
    with pytest.raises(DataError, match=r"2 demonstrations have \[1\] perturbed"):
        PerturbationIRL(PerturbationConfig(), one).fit([one, one], [[one]])


# Guided cost learning ----------------------------------------------------------------------------------------------------

STATES, ACTIONS, LENGTH = 3, 2, 3


def ring(action_sequence: tuple[int, ...]) -> Transitions:
    """The episode from state 0 of a ring in which action 1 goes on and action 0 stays, one-hot."""
    visited = [0]
    for action in action_sequence:
        visited.append((visited[-1] + action) % STATES)
    rest = torch.zeros(LENGTH, 1)
    return Transitions(torch.cat([F.one_hot(torch.tensor(visited[:-1]), STATES), F.one_hot(torch.tensor(action_sequence), ACTIONS),
                                  rest, rest + 1.0, F.one_hot(torch.tensor(visited[1:]), STATES)], dim=-1).float(), STATES, ACTIONS)


PATHS = [ring(actions) for actions in itertools.product(range(ACTIONS), repeat=LENGTH)]
EXPERT = joined_steps([PATHS[7], PATHS[3]])


def gradient(model: GCL, loss: Tensor) -> Tensor:
    return torch.cat([part.flatten() for part in torch.autograd.grad(loss, list(model.network.parameters()))])


def per_path(model: GCL, batch: Transitions) -> Tensor:
    return model.r(batch).view(-1, LENGTH).sum(-1)


def maxent_gradient(model: GCL, expert: Transitions) -> Tensor:
    """-(E_demo grad R - E_p grad R), p = exp(R) / Z over all paths there are."""
    returns = per_path(model, joined_steps(PATHS))
    return gradient(model, (torch.softmax(returns, dim=0).detach() * returns).sum() - per_path(model, expert).mean())


def test_gcls_gradient_is_maxents_for_any_policy_that_is_accounted_for() -> None:
    """All paths once are samples of the uniform policy; importance weights make up for its not being p."""
    model = GCL(GCLConfig(length=LENGTH, fused=False, penalty=0.0), EXPERT,
                lambda batch: torch.full((len(batch.rows),), math.log(0.5)), soft=True)
    found = gradient(model, model.loss(EXPERT, joined_steps(PATHS)))
    torch.testing.assert_close(found, maxent_gradient(model, EXPERT), atol=1e-6, rtol=1e-4)


def own_policy(*, fused: bool) -> tuple[GCL, Tensor]:
    """GCL whose policy is exp(R) / Z under its own reward, and the probability of each path."""
    model = GCL(GCLConfig(length=LENGTH, fused=fused, penalty=0.0), EXPERT, lambda batch: log_p_of_steps(batch), soft=True, seed=1)
    log_p = torch.log_softmax(per_path(model, joined_steps(PATHS)).detach(), dim=0)

    def log_p_of_steps(batch: Transitions) -> Tensor:
        """log p of a path, spread over its steps."""
        returns = per_path(model, batch).detach()
        return ((returns - torch.logsumexp(per_path(model, joined_steps(PATHS)).detach(), 0)) / LENGTH).repeat_interleave(LENGTH)

    return model, log_p.exp()


def drawn(p: Tensor, generator: torch.Generator) -> Transitions:
    """4000 paths."""
    return joined_steps([PATHS[int(path)] for path in torch.multinomial(p, 4000, replacement=True, generator=generator)])


def counted(model: GCL, expert: Transitions, visited: Transitions) -> float:
    return float(effective_sample_size(importance_weights(*model.sampled(expert, visited))).detach())


def test_gcls_gradient_is_maxents_when_q_is_p() -> None:
    """Samples drawn from p: all weights are equal, so that the gradient is the difference of two means, MaxEnt's on samples; and it
    comes to MaxEnt's exact one.
    """
    model, p = own_policy(fused=False)
    visited = drawn(p, torch.Generator().manual_seed(0))
    assert counted(model, EXPERT, visited) == pytest.approx(4000.0, rel=1e-4)
    found = gradient(model, model.loss(EXPERT, visited))
    on_samples = gradient(model, per_path(model, visited).mean() - per_path(model, EXPERT).mean())
    torch.testing.assert_close(found, on_samples, atol=1e-5, rtol=1e-3)
    exact = maxent_gradient(model, EXPERT)
    assert float((found - exact).norm() / exact.norm()) < 0.05


def test_with_demonstrations_among_the_samples_gcl_rests_where_they_are_ps_and_the_policy_is_p() -> None:
    """Then nothing is to be learned; all weights are equal, and the gradient is next to 0."""
    model, p = own_policy(fused=True)
    draw = torch.Generator().manual_seed(0)
    shown, visited = drawn(p, draw), drawn(p, draw)
    assert counted(model, shown, visited) == pytest.approx(8000.0, rel=1e-4)
    assert float(gradient(model, model.loss(shown, visited)).norm() / maxent_gradient(model, EXPERT).norm()) < 0.05


def test_the_density_of_the_mixture_makes_up_for_a_policy_that_is_not_p() -> None:
    """The demonstrations are p's, the policy is uniform: nothing is to be learned either, though half of the samples are not p's."""
    model = GCL(GCLConfig(length=LENGTH, penalty=0.0), EXPERT, lambda batch: torch.full((len(batch.rows),), math.log(0.5)),
                soft=True, seed=1)
    with torch.no_grad():
        last, = (part for part in model.network.modules() if isinstance(part, torch.nn.Linear) and part.out_features == 1)
        last.weight.mul_(5.0)  # so that p is far from uniform
    p = torch.softmax(per_path(model, joined_steps(PATHS)).detach(), dim=0)
    draw = torch.Generator().manual_seed(0)
    shown, visited = drawn(p, draw), drawn(torch.full((len(PATHS),), 1.0 / len(PATHS)), draw)
    apart = gradient(model, per_path(model, visited).mean() - per_path(model, shown).mean())
    assert float(p.max()) > 0.3 and float(gradient(model, model.loss(shown, visited)).norm() / apart.norm()) < 0.1


def test_z_between_samples_of_both_by_hand() -> None:
    """exp R / q is 1 and 4; D = 1 / (1 + Z) and 4 / (4 + Z), whose mean is 1/2 at Z = 2: 1/3 and 2/3."""
    assert float(log_partition_between(torch.tensor([0.0, math.log(4.0)]), torch.zeros(2))) == pytest.approx(math.log(2.0), abs=1e-5)


def test_demonstrations_among_the_samples_find_z_where_the_policys_alone_do_not() -> None:
    """p is the standard normal times 5, q a normal three spreads away: of its samples next to none are where p is."""
    draw = torch.Generator().manual_seed(0)
    of_p, of_q = torch.randn(2000, generator=draw), 3.0 + torch.randn(2000, generator=draw)
    samples = torch.cat([of_p, of_q])
    normal = 0.5 * math.log(2.0 * math.pi)

    def returns(x: Tensor) -> Tensor:
        return math.log(5.0) - 0.5 * x.square() - normal

    def log_q(x: Tensor) -> Tensor:
        return -0.5 * (x - 3.0).square() - normal

    assert float(log_partition_between(returns(samples), log_q(samples))) == pytest.approx(math.log(5.0), abs=0.15)
    alone, both = importance_weights(returns(of_q), log_q(of_q)), importance_weights(
        returns(samples), torch.logaddexp(returns(samples) - math.log(5.0), log_q(samples)))
    assert float(effective_sample_size(alone)) < 50.0 < 1000.0 < float(effective_sample_size(both))
