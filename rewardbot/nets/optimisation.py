"""What every learner's update is made of: the optimiser's step, the target networks', and the loop of supervised training."""

from __future__ import annotations

import math
from collections.abc import Callable

import torch
from torch import Tensor, nn

from rewardbot.nets import parallel
from rewardbot.nets.adam import Adam


def descend(optimiser: Adam, loss: Tensor) -> None:
    """One step down the gradient of `loss`, or of the mean loss of all processes that learn together."""
    optimiser.zero_grad()
    loss.backward()
    parallel.average_gradients(optimiser.parameters)
    optimiser.step()


@torch.no_grad()
def follow(target: nn.Module, source: nn.Module, step: float) -> None:
    """target += step (source - target), in one call for all parameters."""
    # Private by name, but what torch's own optimisers are made of.
    torch._foreach_lerp_(list(target.parameters()), list(source.parameters()), step)  # pyright: ignore[reportPrivateImportUsage]


def one_cycle(step: int, steps: int) -> tuple[float, float]:
    """The share of the peak rate, and Adam's first beta, in step `step` of `steps` (Smith and Topin 2019).

    The rate rises from 1/25 for three tenths of the time, and then falls to next to nothing; beta goes the other way between 0.95
    and 0.85.
    """
    top = 0.3 * steps - 1.0
    if step <= top:
        height = 0.5 - 0.5 * math.cos(math.pi * step / top)
        return 0.04 + 0.96 * height, 0.95 - 0.1 * height
    height = 0.5 + 0.5 * math.cos(math.pi * (step - top) / (steps - 1.0 - top))
    return 4e-6 + (1.0 - 4e-6) * height, 0.95 - 0.1 * height


def train(
    module: nn.Module, loss_of_a_batch: Callable[[], Tensor], *, steps: int, rate: float, weight_decay: float,
    progress: Callable[[float], None],
) -> float:
    """Supervised training by AdamW with a one-cycle schedule; leaves `module` in evaluation mode.

    Args:
        module: whose parameters are trained.
        loss_of_a_batch: draws a batch and returns its loss.
        steps: gradient steps.
        rate: peak of the schedule.
        weight_decay: of AdamW.
        progress: told the share that is done.

    Returns:
        The mean loss of the last tenth of the steps.
    """
    optimiser = Adam(module.parameters(), rate, weight_decay=weight_decay)
    module.train()
    last: list[Tensor] = []
    for step in range(steps):
        loss = loss_of_a_batch()
        optimiser.zero_grad()
        loss.backward()
        share, beta = one_cycle(step, steps)
        optimiser.rate, optimiser.betas = share * rate, (beta, optimiser.betas[1])
        optimiser.step()
        last = [*last, loss.detach()][-max(1, steps // 10) :]
        progress((step + 1) / steps)
    module.eval()
    return float(torch.stack(last).mean())
