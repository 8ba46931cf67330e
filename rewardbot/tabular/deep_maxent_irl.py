"""Deep maximum entropy inverse reinforcement learning: the reward is a network of what is seen in a state, not linear in it.

Wulfmeier, Ondruska and Posner 2015, Maximum Entropy Deep Inverse Reinforcement Learning. The likelihood is that of `maxent_irl.py`;
its gradient goes on through the network:

    dL/dtheta = sum_s (D_E(s) - D_pi(s)) dr_theta(s)/dtheta,   D the visits of expert and soft plan

Learns from: demonstrations.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import ArrayLike
from torch import Tensor, nn

from rewardbot.config import setting
from rewardbot.errors import DataError
from rewardbot.tabular.maxent_irl import check_visits
from rewardbot.tabular.mdp import MDP, Array, occupancy, plan


@dataclass(frozen=True)
class DeepMaxEntConfig:
    """Of network and fit."""

    hidden: int = setting(32, "width of the two hidden layers", min=1)
    steps: int = setting(300, "gradient steps", min=1)
    rate: float = setting(1e-2, "Adam's learning rate", min=0.0)
    decay: float = setting(1e-3, "Adam's weight decay", min=0.0)
    temperature: float = setting(1.0, "temperature of the soft plan, in units of reward", min=1e-6)
    seed: int = setting(0, "of the network", min=0)


class DeepMaxEnt:
    """The network and its plan.

    Args:
        mdp: its `start` should be that of the demonstrations, see `demonstrations.as_shown`.
        features: what is seen in each state, (S, F); scaled here.

    Attributes:
        network: (S, F) -> (S, 1), float64.

    Raises:
        DataError: features of another shape, or not finite.
    """

    def __init__(self, mdp: MDP, features: ArrayLike, config: DeepMaxEntConfig = DeepMaxEntConfig()) -> None:
        self.mdp, self.config = mdp, config
        given = np.asarray(features, float)
        if given.ndim != 2 or len(given) != mdp.states or not np.isfinite(given).all():
            raise DataError(f"The features have the shape {given.shape}, or are not all finite.", valid=f"({mdp.states}, F).")
        spread = given.std(axis=0)
        self.seen = torch.from_numpy((given - given.mean(axis=0)) / np.where(spread > 0.0, spread, 1.0))
        torch.manual_seed(config.seed)
        self.network = nn.Sequential(
            nn.Linear(given.shape[1], config.hidden), nn.Tanh(), nn.Linear(config.hidden, config.hidden), nn.Tanh(),
            nn.Linear(config.hidden, 1)).double()

    def reward(self) -> Array:
        """r_theta of each state and action, (S, A)."""
        with torch.no_grad():
            return self.mdp.rewards(self._output().numpy())

    def policy(self) -> Array:
        """The soft plan for it, (S, A), or (T, S, A) with a horizon."""
        return plan(self.mdp, self.reward(), temperature=self.config.temperature).policy

    def backward(self, expert: Array) -> float:
        """Adds the gradient of -L to the network's; returns L. `expert`: D_E, (S, A)."""
        output = self._output()
        reward = self.mdp.rewards(output.detach().numpy())
        soft = plan(self.mdp, reward, temperature=self.config.temperature)
        visits = occupancy(self.mdp, soft.policy)
        output.backward(torch.from_numpy((visits - expert).sum(axis=-1)))
        first = soft.v if self.mdp.horizon is None else soft.v[0]
        return float((expert * reward).sum() - self.mdp.start @ first)

    def fit(self, expert: Array, progress: Callable[[float], object] = lambda share: None) -> float:
        """Ascends L by Adam; returns the last L.

        Raises:
            DataError: D_E of another shape, not finite, or below 0.
        """
        check_visits(self.mdp, expert)
        optimiser = torch.optim.Adam(self.network.parameters(), lr=self.config.rate, weight_decay=self.config.decay)
        likelihood = 0.0
        for step in range(self.config.steps):
            optimiser.zero_grad()
            likelihood = self.backward(expert)
            optimiser.step()
            progress((step + 1) / self.config.steps)
        return likelihood

    def _output(self) -> Tensor:
        return self.network(self.seen).squeeze(-1)
