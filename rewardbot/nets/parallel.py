"""Several processes that learn one set of weights, each with its own episodes and batches: gradients are averaged between them.

`torchrun --nproc-per-node N` starts the processes. Outside `group`, all of this does nothing.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterable, Iterator

import torch
from torch import Tensor, distributed, nn


@contextlib.contextmanager
def group() -> Iterator[int]:
    """Joins the processes that torchrun started, each with a GPU of its own if there are any; gives this one's number."""
    if on_gpu := torch.cuda.is_available():
        torch.cuda.set_device(int(os.environ["LOCAL_RANK"]))
    distributed.init_process_group("nccl" if on_gpu else "gloo")
    try:
        yield rank()
    finally:
        distributed.destroy_process_group()


def rank() -> int:
    """This process's number, from 0."""
    return distributed.get_rank() if distributed.is_initialized() else 0


def processes() -> int:
    """How many learn together."""
    return distributed.get_world_size() if distributed.is_initialized() else 1


def average_gradients(parameters: Iterable[Tensor]) -> None:
    """Replaces each gradient by its mean over processes: with equal batches, that of the loss on all of them together."""
    if processes() == 1:
        return
    gradients = [parameter.grad for parameter in parameters if parameter.grad is not None]
    together = torch.cat([gradient.flatten() for gradient in gradients])
    distributed.all_reduce(together)
    together /= processes()
    parts = together.split([gradient.numel() for gradient in gradients])
    torch._foreach_copy_(gradients, [part.view_as(of) for part, of in zip(parts, gradients, strict=True)])  # pyright: ignore[reportPrivateImportUsage]


def share(*modules: nn.Module) -> None:
    """Gives all processes the weights and buffers that the first one has."""
    if processes() == 1:
        return
    for module in modules:
        for tensor in (*module.parameters(), *module.buffers()):
            distributed.broadcast(tensor.detach(), src=0)


def any_of(here: bool, device: torch.device) -> bool:
    """Whether it is so in any process."""
    if processes() == 1:
        return here
    found = torch.tensor(float(here), device=device)
    distributed.all_reduce(found)
    return bool(found)
