"""Meta-Reward-Net: the critic's step by hand, its derivative by the reward against finite differences, and what outer steps do."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from rewardbot.policies.sac import StateCritics
from rewardbot.rewards.comparisons import Clips, Comparisons
from rewardbot.rewards.mrn import CriticBatch, MetaRewardNet, MRNConfig
from rewardbot.rewards.plackett_luce import accuracy
from tests.rewards.synthetic import places

SIZE = 3
W = torch.tensor([1.5, -1.0, 0.5])


def answers(count: int, seed: int = 0) -> Comparisons:
    draw = torch.Generator().manual_seed(seed)
    steps = torch.randn(2 * count, 1, SIZE, generator=draw) + 0.2 * torch.randn(2 * count, 4, SIZE, generator=draw)
    options = torch.arange(2 * count).view(count, 2)
    return Comparisons(Clips(steps, torch.ones(2 * count, 4, dtype=torch.bool)), options,
                       places((steps.sum(1) @ W)[options]), torch.ones(count))


def in_double(data: Comparisons) -> Comparisons:
    return Comparisons(Clips(data.clips.steps.double(), data.clips.mask), data.options, data.place, data.weight.double())


def experience(count: int, seed: int = 1) -> CriticBatch:
    draw = torch.Generator().manual_seed(seed)
    return CriticBatch(torch.randn(count, SIZE, generator=draw), 0.9 * torch.randn(count, generator=draw))


def model(**changes: float) -> MetaRewardNet:
    settings = {"sees": ("features",), "members": 2, "hidden": 6, "layers": 1, "steps": 20, **changes}
    found = MetaRewardNet(MRNConfig(**settings), SIZE)  # type: ignore[arg-type]
    found.fit_comparisons(answers(30))
    return found


class Linear(nn.Module):
    """Two critics, Q_e(x) = theta_e x."""

    def __init__(self) -> None:
        super().__init__()
        self.theta = nn.Parameter(torch.tensor([[0.5, 0.0, -0.5], [1.0, 1.0, 0.0]]))

    def forward(self, x: Tensor) -> Tensor:
        return self.theta @ x.T


def test_the_critics_step_by_hand() -> None:
    found, critic, batch = model(critic_rate=0.1), Linear(), experience(5)
    with torch.no_grad():
        target = found.network.normalised(batch.inputs).mean(0) + batch.future
        error = critic.theta @ batch.inputs.T - target
        expected = critic.theta - 0.1 * error @ batch.inputs / 5
    after = found.critic_after_step(critic, batch)
    torch.testing.assert_close(after["theta"], expected)
    assert critic.theta.grad is None and after["theta"].requires_grad


def test_the_meta_gradient_equals_finite_differences() -> None:
    found = model(critic_rate=0.3)
    found.network.double()
    torch.manual_seed(0)
    critic = StateCritics(2, SIZE, 8).double()
    for parameter in critic.parameters():  # away from the kinks of relu at zero biases
        nn.init.normal_(parameter, std=0.5)
    data, batch = in_double(answers(20, seed=2)), experience(40)
    batch = CriticBatch(batch.inputs.double(), batch.future.double())
    parameters = list(found.network.parameters())
    gradients = torch.autograd.grad(found.meta_loss(critic, batch, data), parameters)
    checked, step = 0, 1e-5
    for parameter, gradient in zip(parameters, gradients, strict=True):
        values, slopes = parameter.data.view(-1), gradient.reshape(-1)
        for i in range(len(values)):
            here = float(values[i])
            loss = []
            for moved in (here + step, here - step):
                values[i] = moved
                loss.append(float(found.meta_loss(critic, batch, data).detach()))
            values[i] = here
            difference = (loss[0] - loss[1]) / (2 * step)
            assert abs(difference - float(slopes[i])) <= 1e-6 + 1e-4 * abs(difference)
            checked += abs(difference) > 1e-4
    assert checked > 20, "or there was nothing to check"


def test_outer_steps_make_the_critic_prefer_what_the_operator_prefers() -> None:
    """More answers than the reward was fitted to come in through the critic alone, which is left as it is."""
    found = model(critic_rate=0.5, meta_rate=3e-3)
    torch.manual_seed(0)
    critic, batch, data = StateCritics(2, SIZE, 16), experience(64), answers(100, seed=3)
    first = data.clips.steps[data.options, 0].flatten(0, 1)

    def agreement() -> float:
        values = torch.func.functional_call(critic, found.critic_after_step(critic, batch), (first,)).detach()
        return float(accuracy(values.amin(0).view(100, 2), data.place))

    before, agreed = [value.clone() for value in critic.parameters()], agreement()
    losses = [float(found.meta_step(critic, batch, data)) for _ in range(300)]
    assert losses[-1] < 0.8 * losses[0] and agreement() > agreed + 0.2
    assert all(torch.equal(a, b) and b.grad is None for a, b in zip(before, critic.parameters(), strict=True))


def test_a_fit_begins_anew_after_outer_steps() -> None:
    found, fresh = model(), model()
    critic = StateCritics(2, SIZE, 8)
    found.meta_step(critic, experience(10), answers(10))
    batch = experience(5).inputs
    assert not torch.equal(found.network(batch), fresh.network(batch)), "an outer step changes the reward"
    found.fit_comparisons(answers(30))
    assert torch.equal(found.network(batch), fresh.network(batch))
    found.meta_step(critic, experience(10), answers(10))
    assert not torch.equal(found.network(batch), fresh.network(batch)), "and it is the new network that goes on"
