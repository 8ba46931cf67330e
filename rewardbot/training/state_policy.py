"""A policy that acts on state vectors as a file: weights, the environment it is for and nothing else."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Protocol

import numpy as np
import torch
from numpy.typing import NDArray

from rewardbot.errors import DataError
from rewardbot.nets.weights import from_bytes, load_into, named, reading, to_bytes
from rewardbot.policies.sac import StateActor

KIND = "policy of state vectors"


class Hidden(Protocol):
    """Settings with the width of the networks."""

    @property
    def hidden(self) -> int: ...


class StateAgent(Protocol):
    """Whatever learned an actor."""

    @property
    def actor(self) -> StateActor: ...

    @property
    def config(self) -> Hidden: ...


def state_policy_to_bytes(agent: StateAgent, description: Mapping[str, Any]) -> bytes:
    """The actor for `StatePolicy`.

    Args:
        agent: whose actor it is.
        description: JSON-able; at least `env`.
    """
    first, *_, last = (tensor.shape for tensor in agent.actor.body.parameters())
    sizes = {"states": first[1], "actions": last[0] // 2, "hidden": agent.config.hidden}
    return to_bytes(named("actor", agent.actor), kind=KIND, description={**description, **sizes})


class StatePolicy:
    """See the module.

    Args:
        data: what `state_policy_to_bytes` gave.

    Attributes:
        env: name of the environment.
        description: what it travels with.

    Raises:
        DataError: other or damaged bytes.
    """

    def __init__(self, data: bytes) -> None:
        tensors, self.description = from_bytes(data, kind=KIND)
        with reading(KIND):
            self.env = str(self.description["env"])
            sizes = [int(self.description[name]) for name in ("states", "actions", "hidden")]
        self._actor = StateActor(*sizes).eval()
        load_into(self._actor, tensors, "actor")

    @torch.no_grad()
    def act(self, state: NDArray[np.float32]) -> NDArray[np.float32]:
        """The most likely action for a state (S,), float32 (A,) in [-1, 1]."""
        return torch.tanh(self._actor(torch.as_tensor(state)[None])[0])[0].numpy()


def is_state_policy(data: bytes) -> bool:
    """Whether these bytes are one, whole or not so."""
    try:
        from_bytes(data, kind=KIND)
    except DataError:
        return False
    return True
