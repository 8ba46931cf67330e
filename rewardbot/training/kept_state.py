"""What a learner from state vectors goes on from after it was stopped: one file, `checkpoint.pt`, written whole or not at all."""

from __future__ import annotations

import io
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from rewardbot.errors import DataError
from rewardbot.nets.adam import Adam
from rewardbot.training.files import write_atomic

CHECKPOINT = "checkpoint.pt"


def state_of(learner: object) -> dict[str, Any]:
    """Whatever of a policy or a reward changes as it learns, by the name of its attribute: networks, optimisers, also several in a
    mapping, tensors that are learned, and the number of fits.
    """
    return {name: found for name, part in _parts(learner).items() if (found := _state(name, part)) is not None}


def restore(learner: object, state: Mapping[str, Any]) -> None:
    """Puts what `state_of` gave into a learner that was made in the same way.

    Raises:
        KeyError, RuntimeError: it was made otherwise.
    """
    for name, part in _parts(learner).items():
        if _state(name, part) is not None:
            _put(learner, name, part, state[name])


def save(path: Path, state: Mapping[str, Any]) -> None:
    """Stores tensors and plain values.

    Raises:
        StorageError: it cannot be stored; what was stored before is as it was.
    """
    content = io.BytesIO()
    torch.save(dict(state), content)
    write_atomic(path, content.getvalue())


def load(path: Path, take: Callable[[dict[str, Any]], object]) -> None:
    """Hands what `save` stored to `take`; without a file it does nothing.

    Raises:
        DataError: it is damaged, or `take` cannot use it.
    """
    if not path.exists():
        return
    try:
        take(torch.load(path, weights_only=True))
    except Exception as error:  # damaged bytes make a reader raise anything
        raise DataError(f"The checkpoint {path} cannot be used: {' '.join(str(error).split())[:200]}",
                        next_step="Begin a new run.") from None


def _parts(learner: object) -> dict[str, Any]:
    """Its attributes; the version is one of its class until the first fit."""
    return {**vars(learner), "version": getattr(learner, "version", None)}


def _state(name: str, part: object) -> Any:
    if isinstance(part, (nn.Module, Adam)):
        return part.state_dict()
    if isinstance(part, Tensor):
        return part.detach().clone()
    if isinstance(part, Mapping):
        return {key: found for key, one in part.items() if (found := _state(str(key), one)) is not None} or None
    return part if name == "version" else None


def _put(learner: object, name: str, part: object, state: Any) -> None:
    if isinstance(part, (nn.Module, Adam)):
        part.load_state_dict(state)
    elif isinstance(part, Tensor):
        with torch.no_grad():
            part.copy_(state)
    elif isinstance(part, Mapping):
        for key, one in part.items():
            _put(learner, str(key), one, state[key])
    else:
        setattr(learner, name, state)
