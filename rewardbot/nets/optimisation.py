"""What every learner's update is made of: the optimiser, the target networks' step, and the loop of supervised training."""

from __future__ import annotations

from collections.abc import Callable, Iterable

import torch
from torch import Tensor, nn

from rewardbot.nets import parallel


def adam(parameters: Iterable[Tensor], rate: float) -> torch.optim.Adam:
    """Adam in one call for all parameters, which on a GPU may be part of a captured graph.

    Args:
        parameters: all on one device.
        rate: learning rate.
    """
    parameters = list(parameters)
    return torch.optim.Adam(parameters, rate, fused=True, capturable=parameters[0].is_cuda)


def descend(optimiser: torch.optim.Optimizer, loss: Tensor) -> None:
    """One step down the gradient of `loss`, or of the mean loss of all processes that learn together."""
    optimiser.zero_grad()
    loss.backward()
    parallel.average_gradients(parameter for group in optimiser.param_groups for parameter in group["params"])
    optimiser.step()


@torch.no_grad()
def follow(target: nn.Module, source: nn.Module, step: float) -> None:
    """target += step (source - target), in one call for all parameters."""
    # Private by name, but what torch's own optimisers are made of.
    torch._foreach_lerp_(list(target.parameters()), list(source.parameters()), step)  # pyright: ignore[reportPrivateImportUsage]


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
    optimiser = torch.optim.AdamW(module.parameters(), rate, weight_decay=weight_decay, fused=True)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimiser, rate, total_steps=steps)
    module.train()
    last: list[Tensor] = []
    for step in range(steps):
        loss = loss_of_a_batch()
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        schedule.step()
        last = [*last, loss.detach()][-max(1, steps // 10) :]
        progress((step + 1) / steps)
    module.eval()
    return float(torch.stack(last).mean())
