"""Weights as bytes: safetensors with a JSON description. The same bytes lie in a checkpoint and travel on a topic. No pickle."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Iterator, Mapping
from typing import Any

import safetensors
from safetensors.torch import load, save
from torch import Tensor, nn

from rewardbot.errors import DataError

FORMAT = 1
"""Raised when the meaning of stored weights changes; older files are then refused by number."""


def to_bytes(tensors: Mapping[str, Tensor], *, kind: str, description: Mapping[str, Any]) -> bytes:
    """Serialises named tensors; `kind` (policy, classifier) and the JSON-able `description` travel with them."""
    stored = {name: tensor.detach().cpu().contiguous() for name, tensor in tensors.items()}
    note = json.dumps({"format": FORMAT, "kind": kind, **description})
    return save(stored, metadata={"rewardbot": note})


def from_bytes(data: bytes, *, kind: str) -> tuple[dict[str, Tensor], dict[str, Any]]:
    """The inverse of `to_bytes`: tensors and description.

    Raises:
        DataError: damaged bytes, bytes of something else, another kind or another format.
    """
    try:
        tensors = load(data)
        length = int.from_bytes(data[:8], "little")
        note = json.loads(data[8 : 8 + length])["__metadata__"]["rewardbot"]
        description = dict(json.loads(note))
    except (safetensors.SafetensorError, KeyError, ValueError, TypeError) as error:
        raise DataError(f"These are not the weights of a rewardbot {kind} ({error}).",
                        next_step="Give a file that a run wrote: policy.safetensors or classifier.safetensors.") from None
    if description.get("format") != FORMAT:
        raise DataError(f"These weights have format {description.get('format')}.", valid=f"This version reads {FORMAT}.",
                        next_step="Train again, or use the version of rewardbot that wrote them.")
    if description.get("kind") != kind:
        raise DataError(f"These are the weights of a {description.get('kind')}, not of a {kind}.")
    return tensors, description


@contextlib.contextmanager
def reading(kind: str) -> Iterator[None]:
    """Around the use of a description that `from_bytes` gave: what it lacks, or has too much, is a DataError."""
    try:
        yield
    except (KeyError, TypeError, ValueError) as error:
        raise DataError(f"The description of these {kind} weights is damaged ({type(error).__name__}: {error}).",
                        next_step="Take another copy of them, or train again.") from None


def load_into(module: nn.Module, tensors: Mapping[str, Tensor], prefix: str) -> None:
    """Loads the tensors named `<prefix>.*` into `module`, strictly.

    Raises:
        DataError: names or shapes differ; says which.
    """
    own = {name[len(prefix) + 1 :]: tensor for name, tensor in tensors.items() if name.startswith(prefix + ".")}
    try:
        module.load_state_dict(own)
    except RuntimeError as error:
        detail = " ".join(str(error).split())[:300]
        raise DataError(f"The checkpoint does not fit this network ('{prefix}'): {detail}",
                        next_step="It was made with other settings; use the config.yaml beside it.") from None


def named(prefix: str, module: nn.Module) -> dict[str, Tensor]:
    """The module's state with every name behind `<prefix>.`."""
    return {f"{prefix}.{name}": tensor for name, tensor in module.state_dict().items()}

