"""Offline reinforcement learning from state vectors: from recorded steps alone, whose reward is known beforehand.

The counterpart of `state_loop` and `on_policy_loop` for policies that do nothing while they learn. What the environment is like shows
only when the policy is evaluated.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from rewardbot.config import setting
from rewardbot.data.transitions import Transitions
from rewardbot.errors import DataError
from rewardbot.policies.cql import CQL, CQLConfig
from rewardbot.policies.iql import IQL, IQLConfig
from rewardbot.training.kept_state import restore, state_of

OfflinePolicy = Literal["iql", "cql"]


@dataclass(frozen=True)
class OfflineConfig:
    """How much of what."""

    steps: int = setting(20_000, "updates", min=1)
    together: int = setting(100, "updates between two looks at whether a report or a checkpoint is due", min=1)
    iql: IQLConfig = setting(IQLConfig(), "of implicit Q-learning")
    cql: CQLConfig = setting(CQLConfig(), "of conservative Q-learning")


class OfflineLoop:
    """See the module.

    Args:
        policy: iql or cql.
        config: see `OfflineConfig`.
        data: what was recorded, with the reward to learn from.
        seed: of networks and batches.

    Attributes:
        agent: the policy.
        steps: updates so far.
        metrics: of the last update, as tensors; empty before the first.

    Raises:
        DataError: the reward is NaN or infinite.
    """

    def __init__(self, policy: OfflinePolicy, config: OfflineConfig, data: Transitions, *, seed: int = 0) -> None:
        if not bool(torch.isfinite(data.rows).all()):
            raise DataError("The recorded steps or their reward are NaN or infinite.", next_step="Look at the demonstrations.")
        self.config, self.data, self.seed = config, data, seed
        self.agent: IQL | CQL = (IQL(config.iql, data.states, data.actions, seed=seed) if policy == "iql"
                                 else CQL(config.cql, data.states, data.actions, seed=seed))
        self.steps = 0
        self.metrics: dict[str, Tensor] = {}
        self._draw = torch.Generator().manual_seed(seed)

    def advance(self) -> None:
        """Some updates, and no more than there are to be."""
        for _ in range(min(self.config.together, self.config.steps - self.steps)):
            rows = torch.randint(len(self.data.rows), (self.agent.config.batch,), generator=self._draw)
            self.metrics = self.agent.update(Transitions(self.data.rows[rows], self.data.states, self.data.actions))
            self.steps += 1

    def state(self) -> dict[str, Any]:
        """All that learning goes on from."""
        return {"agent": state_of(self.agent), "steps": self.steps, "draw": self._draw.get_state(), "random": torch.get_rng_state()}

    def restore(self, state: dict[str, Any]) -> None:
        """Goes on from what `state` of a loop with the same configuration and data gave."""
        restore(self.agent, state["agent"])
        self.steps = state["steps"]
        self._draw.set_state(state["draw"])
        torch.set_rng_state(state["random"])

    def best(self, state: NDArray[np.float32]) -> NDArray[np.float32]:
        """The most likely action."""
        return self.agent.act(state) if isinstance(self.agent, IQL) else self.agent.act(state, explore=False)
