"""Adam and AdamW in a few calls of torch's own kernels, without what stands around them in `torch.optim`.

The first optimiser of `torch.optim` loads torch's compiler, which nothing here uses: two seconds of the processor in every
process that learns, at each of its starts.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import torch
from torch import Tensor

EPSILON = 1e-8
NAMES = ("step", "exp_avg", "exp_avg_sq")


class Adam:
    """Adam (Kingma and Ba 2015), and with `weight_decay` AdamW (Loshchilov and Hutter 2019). It may be part of a captured graph.

    Args:
        parameters: all on one device.
        rate: learning rate.
        weight_decay: how much of each weight decays per step, times the rate.

    Attributes:
        rate: learning rate of the next step, as long as no captured graph holds it.
        betas: how slowly the means of gradient and squared gradient change, likewise.
    """

    def __init__(self, parameters: Iterable[Tensor], rate: float, *, weight_decay: float = 0.0) -> None:
        self.parameters = list(parameters)
        self.rate, self.betas, self._weight_decay = rate, (0.9, 0.999), weight_decay
        self._state = [{"step": torch.zeros((), device=parameter.device),
                        "exp_avg": torch.zeros_like(parameter, requires_grad=False),
                        "exp_avg_sq": torch.zeros_like(parameter, requires_grad=False)} for parameter in self.parameters]

    def zero_grad(self) -> None:
        """Forgets all gradients."""
        for parameter in self.parameters:
            parameter.grad = None

    @torch.no_grad()
    def step(self) -> None:
        """One step of every parameter that has a gradient."""
        moved = [(parameter, parameter.grad, *state.values())
                 for parameter, state in zip(self.parameters, self._state, strict=True) if parameter.grad is not None]
        parameters, gradients, steps, means, squares = map(list, zip(*moved, strict=True))
        # Private by name, but what torch.optim is made of.
        torch._foreach_add_(steps, 1.0)  # pyright: ignore[reportPrivateImportUsage]
        torch._fused_adamw_(  # pyright: ignore[reportPrivateImportUsage]
            parameters, gradients, means, squares, [], steps, lr=self.rate, beta1=self.betas[0], beta2=self.betas[1],
            weight_decay=self._weight_decay, eps=EPSILON, amsgrad=False, maximize=False)

    def state_dict(self) -> dict[str, Any]:
        """What a checkpoint holds, as torch.optim writes it: `state`, parameter's number -> name -> tensor."""
        return {"state": {index: dict(state) for index, state in enumerate(self._state)}}

    @torch.no_grad()
    def load_state_dict(self, found: dict[str, Any]) -> None:
        """Goes on from what `state_dict` gave. A parameter that is missing in it has never been moved.

        Raises:
            KeyError, RuntimeError: it is of other parameters.
        """
        if found["state"].keys() - range(len(self.parameters)):
            raise KeyError("more parameters than there are")
        for index, state in enumerate(self._state):
            for name in NAMES:
                if (kept := found["state"].get(index)) is None:
                    state[name].zero_()
                else:
                    state[name].copy_(kept[name])
