"""Episodes of whoever acts in a gymnasium environment, as they are recorded."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np

from rewardbot.data.state_demonstrations import StateDemonstrations, StateEpisode
from rewardbot.training.state_loop import Act, Env, Spaces, name_of, vector


def visit(env: Env, act: Act, seed: int, *, longest: int = 1_000) -> StateEpisode:
    """An episode of `act` from the environment's start state of this seed; it is cut off after `longest` steps."""
    sizes = Spaces.of(env)
    states, actions, rewards, over, terminated = [vector(env.reset(seed=int(seed))[0])], [], [], False, False
    while not over and len(actions) < longest:
        actions.append(np.clip(act(states[-1]), -1.0, 1.0))
        observation, reward, terminated, truncated, _ = env.step(sizes.action(actions[-1]))
        states.append(vector(observation))
        rewards.append(float(reward))
        over = terminated or truncated
    return StateEpisode(np.stack(states), np.stack(actions).astype(np.float32), np.array(rewards, np.float32), bool(terminated),
                        int(seed))


def demonstrate(env: Env, act: Act, seeds: Iterable[int], *, longest: int = 1_000) -> StateDemonstrations:
    """Episodes of `act` from the environment's start states of these seeds.

    Raises:
        ConfigError: see `Spaces.of`.
        DataError: no seeds, or the environment gave NaN.
    """
    sizes = Spaces.of(env)
    episodes = [visit(env, act, seed, longest=longest) for seed in seeds]
    return StateDemonstrations(name_of(env), sizes.low.astype(float), sizes.high.astype(float), episodes)
