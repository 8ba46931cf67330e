"""The ranking loss: by hand, as a probability, with ties, without its invariances broken, and what it recovers."""

from __future__ import annotations

import itertools
import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from rewardbot.rewards.plackett_luce import NONE, accuracy, log_likelihood, returns
from tests.rewards.synthetic import linear_rankings, most_likely

utilities = st.lists(st.floats(-20.0, 20.0), min_size=2, max_size=5).map(lambda u: torch.tensor(u, dtype=torch.float64))


def log_p(strengths: list[float], place: list[int]) -> float:
    return float(log_likelihood(torch.tensor(strengths, dtype=torch.float64).log(), torch.tensor(place)))


def test_orders_by_hand() -> None:
    """Strengths 1, 2, 3: the best is drawn from all, the next from the rest."""
    assert log_p([1, 2, 3], [0, 1, 2]) == pytest.approx(math.log(1 / 6 * 2 / 5))
    assert log_p([1, 2, 3], [2, 1, 0]) == pytest.approx(math.log(3 / 6 * 2 / 3))
    assert log_p([1, 2, 3], [1, 2, 0]) == pytest.approx(math.log(3 / 6 * 1 / 3))
    assert log_p([1, 3], [0, 1]) == pytest.approx(math.log(1 / 4)), "Bradley and Terry"


def test_ties_by_hand() -> None:
    """The tied are chosen together, with the geometric mean of their strengths."""
    assert log_p([1, 3], [0, 0]) == pytest.approx(0.5 * math.log(1 / 4) + 0.5 * math.log(3 / 4)), "the half-and-half label"
    assert log_p([1, 2, 3], [0, 0, 1]) == pytest.approx(math.log(math.sqrt(1 * 2) / 6))
    assert log_p([1, 2, 3], [1, 0, 1]) == pytest.approx(math.log(2 / 6) + math.log(math.sqrt(1 * 3) / 4))
    assert log_p([1, 2, 4], [0, 0, 0]) == pytest.approx(math.log(2 / 7))


@pytest.mark.parametrize("place", [[0, 0], [0, 0, 1], [1, 0, 1, 0], [2, 0, 1, 1, 1]])
def test_ties_are_those_of_davidson_and_luce_where_they_are_rare(place: list[int]) -> None:
    """Against all of their model: the chosen set S has f(S) = delta prod(strengths)^(1/|S|), delta 1 for one option."""
    delta, strengths = 1e-9, [1.5, 0.3, 2.0, 0.7, 1.1][: len(place)]
    expected, left = 0.0, list(range(len(place)))

    def f(chosen: tuple[int, ...]) -> float:
        return (delta if len(chosen) > 1 else 1.0) * math.prod(strengths[i] for i in chosen) ** (1 / len(chosen))

    for best in range(max(place) + 1):
        chosen = tuple(i for i in left if place[i] == best)
        every = (some for size in range(1, len(left) + 1) for some in itertools.combinations(left, size))
        expected += math.log(f(chosen) / sum(map(f, every))) - math.log(delta if len(chosen) > 1 else 1.0)
        left = [i for i in left if i not in chosen]
    assert log_p(strengths, place) == pytest.approx(expected, abs=1e-7)


@settings(deadline=None)
@given(utilities)
def test_the_orders_of_a_set_are_a_distribution(utility: Tensor) -> None:
    """For two: P(A > B) + P(B > A) = 1."""
    orders = torch.tensor(list(itertools.permutations(range(len(utility)))))
    assert float(log_likelihood(utility, orders).exp().sum()) == pytest.approx(1.0, abs=1e-12)


@settings(deadline=None)
@given(utilities, st.floats(-100.0, 100.0), st.data())
def test_offset_and_the_order_of_options_do_not_matter(utility: Tensor, offset: float, data: st.DataObject) -> None:
    k = len(utility)
    place = torch.tensor(data.draw(st.lists(st.integers(0, k - 1), min_size=k, max_size=k)))
    shuffled = torch.tensor(data.draw(st.permutations(range(k))))
    expected = log_likelihood(utility, place)
    torch.testing.assert_close(log_likelihood(utility + offset, place), expected, atol=1e-9, rtol=1e-9)
    torch.testing.assert_close(log_likelihood(utility[shuffled], place[shuffled]), expected)


@settings(deadline=None)
@given(utilities, st.integers(1, 3))
def test_what_is_no_option_does_not_matter(utility: Tensor, more: int) -> None:
    k = len(utility)
    padded = torch.cat([utility, torch.full((more,), 7.0, dtype=torch.float64)]).requires_grad_()
    place = torch.tensor([*range(k), *[NONE] * more])
    likelihood = log_likelihood(padded, place)
    likelihood.backward()
    torch.testing.assert_close(likelihood.detach(), log_likelihood(utility, place[:k]))
    assert padded.grad is not None and (padded.grad[k:] == 0).all() and torch.isfinite(padded.grad).all()


def test_a_batch_is_its_sets_one_by_one_and_its_gradient_is_right() -> None:
    draw = torch.Generator().manual_seed(0)
    utility = torch.randn(2, 5, 4, dtype=torch.float64, generator=draw).requires_grad_()
    place = torch.tensor([[0, 1, 2, 3], [0, 0, 1, NONE], [1, 0, NONE, NONE], [0, 0, 0, 0], [2, 0, 1, 1]])
    together = log_likelihood(utility, place)
    assert together.shape == (2, 5)
    for member, row in itertools.product(range(2), range(5)):
        torch.testing.assert_close(together[member, row], log_likelihood(utility[member, row], place[row]))
    assert torch.autograd.gradcheck(lambda u: log_likelihood(u, place), utility)


def test_no_utility_is_too_large() -> None:
    utility = torch.tensor([1e4, -1e4, 0.0], requires_grad=True)
    likelihood = log_likelihood(utility, torch.tensor([1, 0, 2]))
    likelihood.backward()
    assert likelihood.item() == pytest.approx(-2e4) and utility.grad is not None and torch.isfinite(utility.grad).all()


def test_returns_are_sums_or_means_of_what_is_there() -> None:
    rewards = torch.tensor([[1.0, 2.0, 6.0], [4.0, 5.0, 99.0]])
    mask = torch.tensor([[True, True, True], [True, True, False]])
    assert returns(rewards, mask, "sum").tolist() == [9.0, 9.0]
    assert returns(rewards, mask, "mean").tolist() == [3.0, 4.5]


@settings(deadline=None)
@given(st.floats(-5.0, 5.0))
def test_an_offset_of_the_reward_matters_only_to_sums_of_unequal_lengths(offset: float) -> None:
    rewards = torch.tensor([[1.0, 2.0, 0.5], [2.0, -1.0, 1.5]], dtype=torch.float64)
    equal = torch.ones(2, 3, dtype=torch.bool)
    unequal = torch.tensor([[True, True, False], [True, True, True]])
    place = torch.tensor([0, 1])

    def change(mask: Tensor, how) -> float:
        return float(log_likelihood(returns(rewards + offset, mask, how), place) - log_likelihood(returns(rewards, mask, how), place))

    assert change(equal, "sum") == pytest.approx(0.0, abs=1e-9) and change(unequal, "mean") == pytest.approx(0.0, abs=1e-9)
    if abs(offset) > 1e-3:
        assert math.copysign(1.0, change(unequal, "sum")) == -math.copysign(1.0, offset), "a longer clip has more of it"


def test_accuracy_by_hand() -> None:
    place = torch.tensor([[0, 1, 2], [0, 0, 1], [1, 0, NONE]])
    utility = torch.tensor([[3.0, 2.0, 1.0], [1.0, 1.0, 1.0], [5.0, 1.0, 9.0]])
    assert float(accuracy(utility, place)) == pytest.approx((3 + 2 * 0.5 + 0) / 6)
    assert math.isnan(float(accuracy(utility[:1], torch.tensor([[0, 0, 0]]))))


@settings(max_examples=30, deadline=None)
@given(st.integers(2, 5), st.integers(0, 1000))
def test_accuracy_is_one_for_the_true_order_and_none_for_its_opposite(k: int, seed: int) -> None:
    utility = torch.randn(4, k, generator=torch.Generator().manual_seed(seed))
    place = utility.argsort(-1, descending=True).argsort(-1)
    assert float(accuracy(utility, place)) == 1.0 and float(accuracy(-utility, place)) == 0.0


@pytest.mark.parametrize("pairs", [False, True], ids=["whole", "pairs"])
@pytest.mark.parametrize(("k", "cosine"), [(2, 0.989), (3, 0.996), (5, 0.998)])
def test_200_sets_recover_a_linear_reward(k: int, cosine: float, pairs: bool) -> None:
    """Mean over 20 problems: six weights of length 3, features N(0, 1), answers drawn from the model itself."""
    found = []
    for seed in range(20):
        w, features, place = linear_rankings(seed, sets=200, k=k)
        if pairs:
            both = torch.combinations(torch.arange(k))
            features, place = features[:, both].flatten(0, 1), place[:, both].flatten(0, 1)
        found.append(float(torch.cosine_similarity(most_likely(features, place), w, dim=0)))
    assert sum(found) / len(found) >= cosine


@pytest.mark.parametrize("factor", [0.1, 1.0, 10.0])
def test_the_scale_of_the_features_does_not_matter(factor: float) -> None:
    _, features, place = linear_rankings(0, sets=200, k=3)
    torch.testing.assert_close(most_likely(factor * features, place) * factor, most_likely(features, place), atol=2e-3, rtol=2e-3)
