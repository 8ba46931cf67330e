"""A policy that does what would be praised most right now, and looks no step further: how one acts on TAMER's model.

Knox and Stone 2009, Interactively Shaping Agents via Human Reinforcement: the TAMER Framework:

    pi(s) = argmax_a H^(s, a)

Of a continuous action the largest H^ is found by an actor that climbs its slope, at states that were visited. H^ has judged the
consequences already, so nothing is added up over time.

Learns from: a model of what a trainer would say.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from rewardbot.config import setting
from rewardbot.nets.adam import Adam
from rewardbot.nets.optimisation import descend
from rewardbot.policies.sac import StateActor


@dataclass(frozen=True)
class MyopicConfig:
    """Hyper-parameters."""

    hidden: int = setting(64, "width of the two hidden layers", min=1)
    batch: int = setting(128, "states per step", min=1)
    steps: int = setting(200, "gradient steps of each improvement", min=1)
    rate: float = setting(1e-3, "Adam learning rate", min=0.0)
    shy: float = setting(0.01, "weight of |a before its tanh|^2: what H^ says nothing of is not done at full strength", min=0.0)


class Myopic:
    """See the module.

    Args:
        config: see `MyopicConfig`.
        states, actions: lengths S and A.
        seed: of network and batches.
    """

    def __init__(self, config: MyopicConfig, states: int, actions: int, *, seed: int = 0) -> None:
        self.config = config
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            self.actor = StateActor(states, actions, config.hidden)
        self.optimiser = Adam(self.actor.parameters(), config.rate)
        self.generator = torch.Generator().manual_seed(seed)

    @torch.no_grad()
    def act(self, state: NDArray[np.floating]) -> NDArray[np.float32]:
        """The action for one state (S,), float32 (A,) in [-1, 1]."""
        return torch.tanh(self.actor(torch.as_tensor(state, dtype=torch.float32)[None])[0])[0].numpy()

    def improve(self, praise: Callable[[Tensor], Tensor], states: Tensor) -> float:
        """Climbs H^.

        Args:
            praise: H^ of states and actions, (N, S + A) -> (N,), with its gradient.
            states: that were visited, float32 (M, S).

        Returns:
            Mean H^ of the last batch.
        """
        found = torch.zeros(())
        for _ in range(self.config.steps):
            seen = states[torch.randint(len(states), (self.config.batch,), generator=self.generator)]
            mean, _ = self.actor(seen)
            found = praise(torch.cat([seen, torch.tanh(mean)], dim=-1)).mean()
            descend(self.optimiser, self.config.shy * mean.square().mean() - found)
        return float(found.detach())
