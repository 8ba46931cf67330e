"""Deep maximum entropy: its gradient by finite differences, and a reward that is not linear in what is seen."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from rewardbot.errors import RewardbotError
from rewardbot.tabular.deep_maxent_irl import DeepMaxEnt, DeepMaxEntConfig
from rewardbot.tabular.maxent_irl import fit
from rewardbot.tabular.mdp import Array, gridworld, occupancy, plan, uniform
from tests.tabular.worlds import SIDE, correlation, eight, value_lost


@pytest.mark.parametrize("settings", [{}, {"horizon": 6, "discount": 1.0}])
def test_the_gradient_by_finite_differences(settings: dict[str, object]) -> None:
    mdp = gridworld(3, 3, **{"slip": 0.2, "discount": 0.9, **settings})  # type: ignore[arg-type]
    rng = np.random.default_rng(0)
    deep = DeepMaxEnt(mdp, rng.normal(size=(9, 2)), DeepMaxEntConfig(hidden=3))
    expert = occupancy(mdp, mdp.policy(rng.dirichlet(np.ones(4), 9)))
    deep.backward(expert)
    gradient = torch.cat([parameter.grad.flatten() for parameter in deep.network.parameters()])  # type: ignore[union-attr]
    start = torch.nn.utils.parameters_to_vector(deep.network.parameters()).detach()

    def likelihood(parameters: torch.Tensor) -> float:
        torch.nn.utils.vector_to_parameters(parameters, deep.network.parameters())
        return deep.backward(expert)

    for index, step in enumerate(1e-5 * torch.eye(len(start), dtype=torch.float64)):
        slope = (likelihood(start + step) - likelihood(start - step)) / 2e-5
        assert -float(gradient[index]) == pytest.approx(slope, rel=1e-4, abs=1e-6)


def test_it_fits_where_a_linear_reward_cannot() -> None:
    """Good is either of two things without the other, as in exclusive or."""
    mdp, rng = eight(), np.random.default_rng(0)
    seen = rng.integers(2, size=(SIDE**2, 2)).astype(float)
    truth = mdp.rewards(2.0 * (seen[:, 0] != seen[:, 1]))
    expert = occupancy(mdp, plan(mdp, truth, temperature=1.0).policy)
    deep = DeepMaxEnt(mdp, seen)
    deep.fit(expert)
    linear = fit(mdp, seen, expert)
    assert correlation(deep.reward(), truth) > 0.99 > 0.5 > correlation(linear.reward, truth)
    lost, linearly = (value_lost(mdp, truth, plan(mdp, reward).policy) for reward in (deep.reward(), linear.reward))
    assert lost < 0.01 and linearly > 0.2


def test_a_random_expert_wants_nothing() -> None:
    mdp = eight()
    deep = DeepMaxEnt(mdp, np.random.default_rng(0).normal(size=(SIDE**2, 2)))
    shares: list[float] = []
    deep.fit(occupancy(mdp, uniform(mdp)), shares.append)
    np.testing.assert_allclose(deep.policy(), 0.25, atol=0.05)
    assert shares[-1] == 1.0


@pytest.mark.parametrize(("features", "expert", "said"), [
    (np.zeros((9, 2)), np.zeros((64, 4)), r"features have the shape \(9, 2\)"),
    (np.full((64, 2), np.nan), np.zeros((64, 4)), "finite"),
    (np.zeros((64, 2)), np.full((64, 4), np.nan), "expert's visits"),
])
def test_what_it_does_not_take(features: Array, expert: Array, said: str) -> None:
    with pytest.raises(RewardbotError, match=said):
        DeepMaxEnt(eight(), features).fit(expert)
