"""`rewardbot train --env NAME --reward true`: the environment's own reward, for experts and for comparisons."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from rewardbot.config import from_mapping, merge, setting, to_mapping
from rewardbot.training.state_job import Report, Trained
from rewardbot.training.state_loop import Env, StateLoop, StateLoopConfig, evaluate, start_seeds
from rewardbot.training.state_options import StateOptions


@dataclasses.dataclass(frozen=True)
class TrueConfig:
    """How it learns."""

    loop: StateLoopConfig = setting(StateLoopConfig(), "of the policy")
    report_every: int = setting(1000, "environment steps between two points of the curve", min=1)
    evaluations: int = setting(5, "episodes behind each of them", min=1)


def resolve(options: StateOptions, settings: Mapping[str, Any]) -> TrueConfig:
    """See `state_job.Job`."""
    config = from_mapping(TrueConfig, merge(to_mapping(TrueConfig()), settings))
    return dataclasses.replace(config, loop=dataclasses.replace(config.loop, steps=options.steps))


def train(options: StateOptions, config: TrueConfig, env: Env, judge: Env, folder: Path, report: Report) -> Trained:
    """See `state_job.Job`. A run that was stopped begins anew."""
    loop, due = StateLoop(env, config.loop, seed=options.seed), config.report_every
    while loop.steps < config.loop.steps:
        loop.episode()
        if loop.steps >= due or loop.steps >= config.loop.steps:
            due = loop.steps + config.report_every
            returns = evaluate(judge, loop.best, start_seeds(options.seed, config.evaluations), longest=config.loop.longest)
            found = {name: float(value) for name, value in loop.metrics.items()}
            report({"true_return": float(np.mean(returns)), **found}, loop.steps)
    return Trained(loop.agent, loop.steps)
