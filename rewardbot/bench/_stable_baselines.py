"""Stable-Baselines3's soft actor-critic on given transitions. It is in the extra `bench`, and nothing else needs it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import gymnasium
import numpy as np
from gymnasium import spaces
from numpy.typing import NDArray

from rewardbot.errors import ConfigError

Numbers = NDArray[np.float32]


class _Sizes(gymnasium.Env[Numbers, Numbers]):
    """What Stable-Baselines3 asks an environment for; nobody steps it."""

    def __init__(self, states: int, actions: int) -> None:
        self.observation_space = spaces.Box(-np.inf, np.inf, (states,), np.float32)
        self.action_space = spaces.Box(-1.0, 1.0, (actions,), np.float32)


def stable_baselines(
    state: Numbers, action: Numbers, reward: Numbers, after: Numbers, seed: int
) -> Callable[[str], Callable[[int], None]]:
    """Device -> number of updates -> nothing: its own loop, replay and default settings, filled with these transitions.

    Raises:
        ConfigError: it is not installed.
    """
    try:
        from stable_baselines3 import SAC
        from stable_baselines3.common.logger import Logger
    except ModuleNotFoundError as error:
        raise ConfigError(f"Stable-Baselines3, which this compares with, is not here: {error}.",
                          next_step="pip install rewardbot[bench]") from None

    def on(device: str) -> Callable[[int], None]:
        model = SAC("MlpPolicy", _Sizes(state.shape[1], action.shape[1]), device=device, seed=seed, buffer_size=len(state))
        model.set_logger(Logger(folder=None, output_formats=[]))
        replay: Any = model.replay_buffer
        for row in zip(state, after, action, reward, strict=True):
            replay.add(row[0][None], row[1][None], row[2][None], row[3][None], np.zeros(1), [{}])
        return lambda updates: model.train(gradient_steps=updates, batch_size=model.batch_size)

    return on
