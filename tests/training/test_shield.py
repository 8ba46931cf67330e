"""What a shield lets through, by hand; what it learns from, how far ahead it looks, and that it is the same after it was stored."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import Tensor

from rewardbot.data.transitions import Transitions
from rewardbot.errors import DataError
from rewardbot.rewards.base import RewardModel
from rewardbot.training.shield import Shield, ShieldConfig
from rewardbot.training.shield_fitting import fit_shield


def above(limit: float, *, slope: float = 100.0) -> Shield:
    """One state and one action: the risk is near 1 where s + a > limit, else near 0."""
    shield = Shield(ShieldConfig(), 1, 1)
    shield.critic.forward = lambda state_action: torch.sigmoid(slope * (state_action.sum(-1) - limit))  # type: ignore[method-assign]
    return shield


def steps(state: Tensor, action: Tensor, after: Tensor) -> Transitions:
    """Of states (N, S) and actions (N, A)."""
    return Transitions(torch.cat([state, action, torch.zeros(len(state), 1), torch.ones(len(state), 1), after], dim=1),
                       state.shape[1], action.shape[1])


def line(count: int = 400) -> tuple[Transitions, Tensor]:
    """States and actions at random, s' = s + a; unsafe where s' > 0.5."""
    state, action = torch.rand(count, 2, generator=torch.Generator().manual_seed(0)).mul(2.0).sub(1.0).split(1, dim=1)
    return steps(state, action, state + action), (state + action)[:, 0] > 0.5


def cart(count: int, *, seed: int) -> Transitions:
    """Place and speed at random; a action changes the speed by 0.1, and the speed the place. From 0.4 it takes four steps to stop."""
    drawn = torch.rand(count, 3, generator=torch.Generator().manual_seed(seed)).mul(2.0).sub(1.0)
    place, speed, action = (drawn * torch.tensor([1.5, 0.4, 1.0])).split(1, dim=1)
    faster = (speed + 0.1 * action).clamp(-0.4, 0.4)
    return steps(torch.cat([place, speed], dim=1), action, torch.cat([place + faster, faster], dim=1))


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
    shield = fit_shield(ShieldConfig(ahead=1), *line())
    cost, risk = (of.tolist() for of in (shield.cost(torch.tensor([[1.3], [0.8], [0.2], [-0.3]])),
                                         shield.risk(torch.tensor([[0.5, 0.8], [0.9, 0.1], [0.0, 0.0], [-0.5, 0.2]]))))
    assert min(cost[:2] + risk[:2]) > 0.7 and max(cost[2:] + risk[2:]) < 0.3
    again, rows = Shield.read(shield.to_bytes()), line()[0]
    assert torch.equal(again.cost(rows.next_state), shield.cost(rows.next_state)) and again.config == shield.config
    assert torch.equal(again.risk(rows.state_action), shield.risk(rows.state_action))
    asked = np.array([0.9], np.float32)
    assert (again.filter(np.array([0.2]), asked) == shield.filter(np.array([0.2]), asked)).all()
    with pytest.raises(DataError, match="not the weights of a rewardbot shield"):
        Shield.read(b"no shield")


def test_it_looks_ahead_over_steps_that_nobody_was_shown() -> None:
    """Beyond 1 it is unsafe. At 0.6 with a speed of 0.4 the next step is safe whatever is done, and what comes then not any more."""
    shown = cart(300, seed=0)
    config, unsafe = ShieldConfig(steps=300), shown.next_state[:, 0] > 1.0
    near, far = (fit_shield(ShieldConfig(steps=300, ahead=ahead), shown, unsafe, cart(3000, seed=1)) for ahead in (1, 6))
    late, brake = torch.tensor([[0.5, 0.4, 1.0]]), torch.tensor([[0.5, 0.4, -1.0]])
    slow, back = torch.tensor([[0.5, 0.0, 0.0]]), torch.tensor([[0.5, -0.4, 1.0]])
    assert float(near.risk(late)) < config.limit, "0.9 is safe, as far as one step goes"
    assert float(far.risk(late)) > 1.0 and float(far.risk(late)) > float(far.risk(brake)) + 0.3
    assert max(float(far.risk(slow)), float(far.risk(back))) < 0.3, "there is room to stop"


def test_the_cost_is_higher_where_its_members_differ() -> None:
    """Between what was marked and what was not, they do; far within either they do not."""
    shield = fit_shield(ShieldConfig(), *line(60))
    mean, spread = shield.believed(torch.tensor([[0.5], [1.5], [-1.5]]))
    assert spread[0] > 3.0 * spread[1:].max()
    assert torch.allclose(shield.cost(torch.tensor([[0.5]])), mean[:1] + spread[:1])


@pytest.mark.parametrize(("unsafe", "said"), [(False, "0 of 400 steps"), (True, "400 of 400 steps")])
def test_there_must_be_something_to_tell_apart(unsafe: bool, said: str) -> None:
    with pytest.raises(DataError, match=f"{said} that were looked at are unsafe"):
        fit_shield(ShieldConfig(), line()[0], torch.full((400,), unsafe))


def test_nan_is_refused() -> None:
    shown, unsafe = line()
    shown.rows[3, 1] = torch.nan
    with pytest.raises(DataError, match="hold NaN or infinite"):
        fit_shield(ShieldConfig(), shown, unsafe)


def test_it_is_no_reward() -> None:
    assert not issubclass(Shield, RewardModel) and not hasattr(Shield, "reward")
