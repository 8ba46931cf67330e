"""Where the learner computes: `auto` is a GPU if there is one, else the processor; and what a full GPU is told as."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator

import torch

from rewardbot.errors import ConfigError


def choose(name: str) -> torch.device:
    """The device of the setting `device`: `auto`, `cpu`, `cuda` or `cuda:1`.

    Raises:
        ConfigError: there is no such device here.
    """
    available = torch.cuda.device_count() if torch.cuda.is_available() else 0
    if name == "auto":
        return torch.device("cuda" if available else "cpu")
    valid = ["auto", "cpu", *(["cuda"] if available else []), *(f"cuda:{index}" for index in range(available))]
    if name not in valid:
        missing = ", but there is no GPU here" if name.startswith("cuda") and not available else ""
        raise ConfigError(f"device is '{name}'{missing}.", valid=f"Here: {', '.join(valid)}.",
                          next_step="" if available else "torch for CUDA and a driver are needed for a GPU; see nvidia-smi.")
    return torch.device(name)


def one_thread() -> None:
    """One thread of torch for what runs beside a simulator, unless OMP_NUM_THREADS says otherwise.

    On a quiet machine a second one gains little in batches as small as ours. On a busy one threads wait for each other: cloning from
    images took three to eight times as long there, and up to ten times the processor.
    """
    if "OMP_NUM_THREADS" not in os.environ:
        torch.set_num_threads(1)


@contextlib.contextmanager
def memory(settings: str) -> Iterator[None]:
    """Around what may fill a GPU's memory: says which `settings` to lower.

    Raises:
        ConfigError: the memory is full.
    """
    try:
        yield
    except torch.OutOfMemoryError as error:
        raise ConfigError(f"The GPU is out of memory: {str(error).partition('.')[0]}.",
                          next_step=f"Lower {settings}, end other programs on this GPU (nvidia-smi), or set device: cpu.") from None
