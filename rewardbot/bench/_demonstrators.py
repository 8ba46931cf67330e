"""Demonstrations of partly trained policies, which a run folder keeps: soft actor-critic on the true reward, stopped early."""

from __future__ import annotations

import copy
import hashlib
import math
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from statistics import mean

import numpy as np
import torch
from safetensors.torch import load_file, save_file
from torch import Tensor

from rewardbot.data.transitions import Transitions
from rewardbot.training.files import atomic_path
from rewardbot.training.state_loop import Act, Env, Spaces, StateLoop, StateLoopConfig, make_env, start_seeds, vector

TRIED = 3
"""Episodes that tell how good a stage of the demonstrator is; the first may become a demonstration."""


@dataclass(frozen=True)
class Demonstrations:
    """What a learner may see, and what only the judge sees.

    Attributes:
        better: one demonstration of each of some policies along training, the first one first.
        best: as many of the best of all these policies.
        states, actions: lengths S of a state and A of an action.
    """

    better: list[Tensor]
    best: list[Tensor]
    states: int
    actions: int

    def transitions(self, rows: Tensor) -> Transitions:
        """Those of a demonstration, whose rewards are the true ones."""
        return Transitions(rows, self.states, self.actions)

    def true_return(self, rows: Tensor) -> float:
        """Of a demonstration."""
        return float(self.transitions(rows).reward.sum())


def demonstrations(
    name: str, config: StateLoopConfig, count: int, seed: int, folder: Path, progress: Callable[[float], object], *,
    enough: float = math.inf,
) -> Demonstrations:
    """`count` demonstrations of each kind; they are made once, and then read from `folder`.

    Args:
        name: of the environment.
        config: how the demonstrator learns, at most. It is tried each time when it has learned for the longest episode's steps.
        count: how many, and the least number of stages.
        seed: of everything.
        folder: where they are kept.
        progress: told the share that is done.
        enough: true return, mean of `TRIED` episodes, with which it learns no more.
    """
    env, shown = make_env(name), make_env(name)
    sizes = Spaces.of(env)
    digest = hashlib.sha256(repr((name, config, count, seed, enough)).encode()).hexdigest()[:12]
    file = folder / f"{name}-{digest}.safetensors"
    if not file.exists():
        learner = StateLoop(env, config, seed=seed)
        starts = iter(start_seeds(seed, TRIED * (config.steps // config.longest + 1) + count))
        stages: list[Tensor] = []
        best, agent = -math.inf, learner.agent
        while learner.steps < config.steps and (len(stages) < count or best < enough):
            while learner.steps < min((len(stages) + 1) * config.longest, config.steps):
                learner.episode()
                progress(learner.steps / config.steps)
            tried = [rollout(shown, learner.best, next(starts), config.longest) for _ in range(TRIED)]
            reached = mean(float(Transitions(rows, sizes.states, sizes.actions).reward.sum()) for rows in tried)
            stages.append(tried[0])
            if reached > best:
                best, agent = reached, copy.deepcopy(learner.agent)
        made = {f"better-{number}": stages[round(stage)].clone()
                for number, stage in enumerate(np.linspace(0, len(stages) - 1, count))}
        made |= {f"best-{number}": rollout(shown, lambda state: agent.act(state, explore=False), next(starts), config.longest)
                 for number in range(count)}
        folder.mkdir(parents=True, exist_ok=True)
        with atomic_path(file) as new:
            save_file(made, new)
    env.close()
    shown.close()
    kept = load_file(file)
    better, best = ([kept[f"{kind}-{number}"] for number in range(count)] for kind in ("better", "best"))
    return Demonstrations(better, best, sizes.states, sizes.actions)


def rollout(env: Env, act: Act, seed: int, longest: int) -> Tensor:
    """One episode as the rows of `Transitions`, with the true rewards."""
    scale = Spaces.of(env)
    state = vector(env.reset(seed=seed)[0])
    rows: list[Tensor] = []
    over = False
    while not over and len(rows) < longest:
        action = act(state)
        observation, reward, terminated, truncated, _ = env.step(scale.action(action))
        after = vector(observation)
        rows.append(torch.cat([torch.from_numpy(part) for part in (state, action)] + [
            torch.tensor([float(reward), 1.0 - terminated]), torch.from_numpy(after)]))
        state, over = after, terminated or truncated
    return torch.stack(rows)
