"""`rewardbot train --task reach --state --reward tamer`: what TAMER needs of a job from state vectors."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from rewardbot.config import overlaid, setting
from rewardbot.training.advancing import advance_to
from rewardbot.training.kept_state import CHECKPOINT
from rewardbot.training.praising import PraisingConfig, PraisingLoop
from rewardbot.training.state_job import Report, Trained
from rewardbot.training.state_loop import Env, evaluate, start_seeds
from rewardbot.training.state_options import StateOptions


@dataclasses.dataclass(frozen=True)
class PraisingJobConfig(PraisingConfig):
    """And how often it is looked at."""

    report_every: int = setting(1000, "environment steps between two points of the curve", min=1)
    evaluations: int = setting(5, "episodes behind each of them", min=1)


def resolve(options: StateOptions, settings: Mapping[str, Any]) -> PraisingJobConfig:
    """See `state_job.Job`. Options of the command line come after the file's settings."""
    config = overlaid(PraisingJobConfig(), settings, where=options.file)
    return dataclasses.replace(config, steps=options.steps)


def train(options: StateOptions, config: PraisingJobConfig, env: Env, judge: Env, folder: Path, report: Report) -> Trained:
    """See `state_job.Job`."""
    learning = PraisingLoop(env, config, seed=options.seed)

    def tell() -> None:
        returns = evaluate(judge, learning.best, start_seeds(options.seed, config.evaluations), longest=config.longest)
        report({"true_return": float(np.mean(returns)), "answers": float(learning.trainer.said), **learning.metrics}, learning.steps)

    advance_to(learning, options.steps, tell, every=config.report_every, checkpoint=folder / CHECKPOINT)
    return Trained(learning.agent, learning.steps, learning.trainer.said)
