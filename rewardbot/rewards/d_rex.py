"""D-REX: demonstrations that rank themselves. A clone of the demonstrator does worse the more of its actions are random.

Brown, Goo and Niekum 2020, Better-than-Demonstrator Imitation Learning via Automatically-Ranked Demonstrations. Clone the
demonstrations, let the clone act with several levels of noise, rank what came of it by the noise, and fit T-REX to that.

Learns from: demonstrations, which it ranks itself.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from rewardbot.config import setting
from rewardbot.errors import DataError
from rewardbot.feedback.feedback import Given, Ranking, dense
from rewardbot.types import Segment

Act = Callable[[NDArray[np.floating]], NDArray[np.float32]]
"""A state to an action in [-1, 1]."""

ANNOTATOR = "noise"
"""Who ranked."""


@dataclass(frozen=True)
class DRexConfig:
    """How the clone's episodes are made; the reward is fitted to them by `TRex`. The levels are the paper's for MuJoCo."""

    levels: tuple[float, ...] = setting((0.0, 0.2, 0.4, 0.6, 0.8, 1.0), "shares of random actions", min=0.0, max=1.0)
    rollouts: int = setting(5, "episodes at each level", min=1)


def plan(config: DRexConfig) -> list[float]:
    """The noise of each episode that is to be made."""
    return [level for level in config.levels for _ in range(config.rollouts)]


def noisy(act: Act, share: float, draw: np.random.Generator) -> Act:
    """`act`, but a uniformly random action instead of the share `share` of its actions (epsilon-greedy)."""

    def noisy_act(state: NDArray[np.floating]) -> NDArray[np.float32]:
        action = act(state)
        return draw.uniform(-1.0, 1.0, action.shape).astype(np.float32) if draw.random() < share else action

    return noisy_act


def rank(episodes: Sequence[tuple[Segment, float]]) -> list[Ranking]:
    """Pairs of episodes with different noise, the one with less the better. Nothing is said of those with the same.

    Args:
        episodes: each as a segment, with the noise it was made with.

    Raises:
        DataError: all have the same noise.
    """
    pairs = [Ranking((one, other), dense((noise, more)), Given(ANNOTATOR)) for i, (one, noise) in enumerate(episodes)
             for other, more in episodes[i + 1 :] if noise != more]
    if not pairs:
        raise DataError(f"{len(episodes)} episodes with one level of noise cannot be ranked by it.", valid="At least two levels.")
    return pairs
