"""What every learner's update is made of: the optimiser and the target networks' step."""

from __future__ import annotations

from collections.abc import Iterable

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
