"""What a shield lets through, by hand; what it learns from; and that it is the same after it was stored."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import Tensor

from rewardbot.errors import DataError
from rewardbot.rewards.base import RewardModel
from rewardbot.training.shield import Shield, ShieldConfig, fit_shield


def above(limit: float, *, slope: float = 100.0) -> Shield:
    """One state and one action: unsafe where s + a > limit."""
    shield = Shield(ShieldConfig(), 1, 1)
    shield.network.forward = lambda x: slope * (x.sum(-1) - limit)  # type: ignore[method-assign]
    return shield


def line(count: int = 400) -> tuple[Tensor, Tensor]:
    """States and actions at random; unsafe where s + a > 0.5."""
    steps = torch.rand(count, 2, generator=torch.Generator().manual_seed(0)) * 2.0 - 1.0
    return steps, steps.sum(-1) > 0.5


def test_what_is_safe_is_done_as_it_was_asked() -> None:
    asked = np.array([0.3], np.float32)
    assert above(0.5).filter(np.zeros(1), asked) is asked


def test_else_something_near_it_that_is_safe() -> None:
    done = above(0.5).filter(np.zeros(1), np.array([0.9], np.float32))
    assert 0.0 < done[0] <= 0.5
    assert above(0.5).filter(np.array([1.45]), np.array([1.0], np.float32)).tolist() == [-1.0], "the way back"


def test_where_nothing_is_safe_it_holds() -> None:
    for state in (5.0, np.nan):
        assert above(0.5).filter(np.array([state]), np.array([0.7], np.float32)).tolist() == [0.0]
    assert above(0.5).filter(np.zeros(1), np.array([np.nan], np.float32)).tolist() == [0.0]


def test_where_it_should_not_be_it_goes_the_clearly_safer_way() -> None:
    """At 2.0 nothing is within the limit; back is better than to hold by far, or hardly."""
    asked = np.array([1.0], np.float32)
    assert above(0.5, slope=2.0).filter(np.array([2.0]), asked).tolist() == [-1.0]
    assert above(0.5, slope=0.1).filter(np.array([20.0]), asked).tolist() == [0.0]


def test_the_cost_says_what_was_marked_and_is_the_same_when_read_again() -> None:
    shield = fit_shield(ShieldConfig(), *line(), states=1)
    cost = shield.cost(torch.tensor([[0.5, 0.8], [0.9, 0.4], [0.0, 0.0], [-0.5, 0.2]]))
    assert bool((cost[:2] > 0.7).all()) and bool((cost[2:] < 0.3).all())
    again = Shield.read(shield.to_bytes())
    steps = line()[0]
    assert torch.equal(again.cost(steps), shield.cost(steps)) and again.config.limit == shield.config.limit
    asked = np.array([0.9], np.float32)
    assert (again.filter(np.array([0.2]), asked) == shield.filter(np.array([0.2]), asked)).all()
    with pytest.raises(DataError, match="not the weights of a rewardbot shield"):
        Shield.read(b"no shield")


@pytest.mark.parametrize(("unsafe", "said"), [(False, "0 of 400 steps"), (True, "400 of 400 steps")])
def test_there_must_be_something_to_tell_apart(unsafe: bool, said: str) -> None:
    with pytest.raises(DataError, match=f"{said} that were looked at are unsafe"):
        fit_shield(ShieldConfig(), line()[0], torch.full((400,), unsafe), states=1)


def test_nan_is_refused() -> None:
    steps, unsafe = line()
    steps[3, 1] = torch.nan
    with pytest.raises(DataError, match="hold NaN or infinite"):
        fit_shield(ShieldConfig(), steps, unsafe, states=1)


def test_it_is_no_reward() -> None:
    assert not issubclass(Shield, RewardModel) and not hasattr(Shield, "reward")
