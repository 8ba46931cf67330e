"""The schedule of supervised training against torch's, and what the loop returns."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from rewardbot.nets.optimisation import one_cycle, train


@pytest.mark.parametrize("steps", [1, 2, 3, 5, 10, 37, 250])
def test_one_cycle_is_torchs(steps: int) -> None:
    optimiser = torch.optim.AdamW([torch.zeros(1, requires_grad=True)], 0.5)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimiser, 0.5, total_steps=steps)
    for step in range(steps):
        share, beta = one_cycle(step, steps)
        (group,) = optimiser.param_groups
        assert (0.5 * share, beta) == (pytest.approx(group["lr"], rel=1e-6, abs=1e-9), pytest.approx(group["betas"][0])), step
        optimiser.step()
        schedule.step()


def test_training_returns_the_loss_of_its_last_tenth() -> None:
    module, losses = nn.Linear(1, 1), list[float]()

    def loss() -> torch.Tensor:
        assert module.training
        found = (module(torch.ones(1, 1)) - 3.0).square().mean()
        losses.append(float(found.detach()))
        return found

    shares: list[float] = []
    found = train(module, loss, steps=40, rate=0.1, weight_decay=0.0, progress=shares.append)
    assert found == pytest.approx(sum(losses[-4:]) / 4) and losses[-1] < losses[0]
    assert shares[-1] == 1.0 and len(shares) == 40 and not module.training
