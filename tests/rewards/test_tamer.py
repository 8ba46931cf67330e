"""TAMER: who a late signal is about, that the window finds it, and that its prediction feeds no discounted learner."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from rewardbot.data.replay import Batch
from rewardbot.errors import ConfigError, DataError
from rewardbot.rewards.tamer import Signal, Tamer, TamerConfig, credit

STEP = 0.1
"""Control period [s]."""

CONFIG = TamerConfig(steps=300, hidden=32)


def test_credit_by_hand() -> None:
    """Steps of 0.1 s, a signal at 1.0 s that came 0.2 to 0.6 s late: it means something between 0.4 and 0.8 s."""
    stamps = torch.arange(11, dtype=torch.float64) * STEP
    expected = [0, 0, 0, 0, 0.25, 0.25, 0.25, 0.25, 0, 0]
    torch.testing.assert_close(credit(stamps, 1.0, 0.2, 0.6), torch.tensor(expected, dtype=torch.float64))
    torch.testing.assert_close(credit(stamps, 1.05, 0.2, 0.6)[4:9], torch.tensor([1, 2, 2, 2, 1], dtype=torch.float64) / 8)
    assert credit(stamps, 0.3, 0.2, 0.6).sum() == pytest.approx(0.25), "most of what it may mean was before the episode"
    assert (credit(stamps, 5.0, 0.2, 0.6) == 0).all()


@settings(deadline=None)
@given(st.floats(0.0, 1.0), st.floats(0.01, 1.0), st.floats(2.1, 9.9), st.lists(st.floats(0.05, 1.0), min_size=30, max_size=30))
def test_credit_is_a_share_of_one_signal(shortest: float, width: float, at: float, durations: list[float]) -> None:
    stamps = torch.tensor([0.0, *durations], dtype=torch.float64).cumsum(0)
    share = credit(stamps, at, shortest, shortest + width)
    assert float(share.min()) >= 0.0
    inside = min(at - shortest, float(stamps[-1])) - min(at - shortest - width, float(stamps[-1]))
    assert float(share.sum()) == pytest.approx(inside / width, abs=1e-9)


def session(seed: int, delay: tuple[float, float], length: int = 400) -> tuple[Tensor, Tensor, list[Signal]]:
    """Random states and actions, each in [-1, 1], one step in three judged: good if the action has the state's sign."""
    draw = torch.Generator().manual_seed(seed)
    steps = 2 * torch.rand(length, 2, generator=draw) - 1
    stamps = torch.arange(length + 1, dtype=torch.float64) * STEP
    late = delay[0] + (delay[1] - delay[0]) * torch.rand(length, generator=draw, dtype=torch.float64)
    meant = torch.rand(length, generator=draw) < 1 / 3
    values = torch.sign(steps[:, 0] * steps[:, 1])
    moment = stamps[:-1] + STEP * torch.rand(length, generator=draw, dtype=torch.float64)
    return steps, stamps, [Signal(float(moment[t] + late[t]), float(values[t])) for t in torch.nonzero(meant).flatten()]


def explained(config: TamerConfig, seed: int) -> float:
    """Share of the variance of what a trainer means that is predicted of fresh steps; below 0: less than saying nothing."""
    model = Tamer(config, 2)
    for number in range(3):
        model.add(*session(10 * seed + number, (0.2, 0.4)))
    metrics = model.fit()
    assert metrics["signals"] > 300
    steps = 2 * torch.rand(1000, 2, generator=torch.Generator().manual_seed(99)) - 1
    return 1.0 - float((model.praise(steps) - torch.sign(steps[:, 0] * steps[:, 1])).square().mean())


@pytest.mark.parametrize("seed", [0, 1, 2])
def test_with_late_signals_the_window_beats_none(seed: int) -> None:
    """The trainer is 0.2 to 0.4 s late; without a window each signal is about the step in which it comes."""
    window = explained(TamerConfig(shortest=0.2, longest=0.4, steps=300, hidden=32), seed)
    none = explained(TamerConfig(shortest=0.0, longest=STEP, steps=300, hidden=32), seed)
    assert window > 0.5 and window > none + 0.4


def test_the_loss_by_hand() -> None:
    model = Tamer(CONFIG, 1)
    steps = torch.tensor([[[0.3], [0.8], [0.0]], [[-0.5], [0.1], [0.9]]])
    credits, values = torch.tensor([[0.75, 0.25, 0.0], [0.2, 0.3, 0.5]]), torch.tensor([1.0, -1.0])
    said = model.praise(steps.flatten(0, 1)).view(2, 3)
    expected = ((1.0 - 0.75 * said[0, 0] - 0.25 * said[0, 1]) ** 2 + (-1.0 - (credits[1] * said[1]).sum()) ** 2) / 2
    torch.testing.assert_close(model.credit_loss(steps, credits, values).detach(), expected)


def test_it_acts_as_the_trainer_would_like_best() -> None:
    model = Tamer(TamerConfig(shortest=0.2, longest=0.4, steps=300, hidden=32), 2)
    for number in range(3):
        model.add(*session(number, (0.2, 0.4)))
    model.fit()
    assert model.best(torch.tensor([[0.7, -0.7], [0.7, 0.7], [0.7, -0.2]])) == 1
    assert model.best(torch.tensor([[-0.7, -0.7], [-0.7, 0.7]])) == 0


def test_the_same_signals_give_the_same_weights() -> None:
    models = [Tamer(TamerConfig(steps=10), 2) for _ in range(2)]
    for model in models:
        model.add(*session(0, (0.2, 0.4)))
        torch.rand(3)
        model.fit()
    models[1].fit()
    steps = session(1, (0.2, 0.4))[0]
    assert torch.equal(models[0].praise(steps), models[1].praise(steps)) and models[1].version == 2


def test_it_refuses_to_be_the_reward_of_a_learner() -> None:
    n, none = 3, torch.zeros(3, 0)
    batch = Batch(torch.zeros(n, 2), torch.zeros(n, 2), none, none, torch.zeros(n, 1), torch.ones(n), torch.arange(n))
    model = Tamer(CONFIG, 2)
    for ask in (model.reward, model.samples):
        with pytest.raises(ConfigError, match=r"myopic and cannot be the reward(.|\n)*preference(.|\n)*Tamer\.best"):
            ask(batch)


def test_signals_that_mean_no_step_are_left_out() -> None:
    model = Tamer(CONFIG, 2)
    steps, stamps, _ = session(0, (0.2, 0.4), length=10)
    model.add(steps, stamps, [Signal(0.1, 1.0), Signal(99.0, 1.0)])
    with pytest.raises(DataError, match=r"No signal falls to any step(.|\n)*Say good or bad"):
        model.fit()


@pytest.mark.parametrize(("shortest", "longest"), [(0.5, 0.5), (0.8, 0.2)])
def test_an_empty_window_is_refused(shortest: float, longest: float) -> None:
    with pytest.raises(ConfigError, match=r"window of credit(.|\n)*shortest < longest"):
        Tamer(TamerConfig(shortest=shortest, longest=longest), 2)
