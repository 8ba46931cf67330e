"""An expert to imitate: soft actor-critic on the true reward, which a folder keeps, so that it learns once."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from pathlib import Path

import gymnasium
from safetensors.torch import load_file, save_file

from rewardbot.training.files import atomic_path
from rewardbot.training.state_loop import Act, StateLoop, StateLoopConfig


def expert(name: str, config: StateLoopConfig, seed: int, folder: Path, tell: Callable[[int], object]) -> Act:
    """What it does after `config.steps` steps, the most likely action.

    Args:
        name: of the environment.
        config: how it learns; another configuration is another expert.
        seed: of everything.
        folder: where its weights are kept.
        tell: told the steps that are done.
    """
    digest = hashlib.sha256(repr((name, config, seed)).encode()).hexdigest()[:12]
    file = folder / f"expert-{name}-{digest}.safetensors"
    env = gymnasium.make(name)
    loop = StateLoop(env, config, seed=seed)
    if file.exists():
        loop.agent.actor.load_state_dict(load_file(file))
    else:
        while loop.steps < config.steps:
            loop.episode()
            tell(loop.steps)
        folder.mkdir(parents=True, exist_ok=True)
        with atomic_path(file) as new:
            save_file(loop.agent.actor.state_dict(), new)
    env.close()
    tell(config.steps)
    return loop.best
