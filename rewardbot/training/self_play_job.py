"""`rewardbot train --task reach --state --reward self_play`: what asymmetric self-play needs of a job from state vectors."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from rewardbot.config import overlaid, setting
from rewardbot.training.advancing import advance_to
from rewardbot.training.kept_state import CHECKPOINT
from rewardbot.training.self_play import SelfPlay, SelfPlayConfig
from rewardbot.training.self_play_sides import Round
from rewardbot.training.state_job import Report, Trained
from rewardbot.training.state_loop import Env, outcomes, start_seeds
from rewardbot.training.state_options import StateOptions
from rewardbot.types import Metrics


@dataclasses.dataclass(frozen=True)
class SelfPlayJobConfig:
    """How it plays, and how often it is looked at."""

    play: SelfPlayConfig = setting(SelfPlayConfig(), "of setter and reacher")
    report_every: int = setting(1000, "environment steps between two points of the curve", min=1)
    evaluations: int = setting(10, "episodes with the task's own goals behind each of them", min=1)


def resolve(options: StateOptions, settings: Mapping[str, Any]) -> SelfPlayJobConfig:
    """See `state_job.Job`. Options of the command line come after the file's settings."""
    config = overlaid(SelfPlayJobConfig(), settings, where=options.file)
    reacher = dataclasses.replace(config.play.reacher, steps=options.steps)
    return dataclasses.replace(config, play=dataclasses.replace(config.play, reacher=reacher))


def train(options: StateOptions, config: SelfPlayJobConfig, env: Env, judge: Env, folder: Path, report: Report) -> Trained:
    """See `state_job.Job`. The policy is the reacher, which an evaluation gives the task's own goals."""
    play = SelfPlay(env, config.play, seed=options.seed)

    def tell() -> None:
        found = outcomes(judge, play.reacher.best, start_seeds(options.seed, config.evaluations))
        report({"true_return": float(np.mean([one.total for one in found])),
                "true_success": float(np.mean([bool(one.success) for one in found])), **summarised(play.rounds)}, play.steps)
        play.rounds.clear()

    advance_to(play, options.steps, tell, every=config.report_every, checkpoint=folder / CHECKPOINT)
    return Trained(play.reacher.agent, play.steps)


def summarised(rounds: Sequence[Round]) -> Metrics:
    """Means of what the rounds came to, by the names of `Round`."""
    return {name: float(np.mean([getattr(one, name) for one in rounds])) for name in
            (part.name for part in dataclasses.fields(Round))}
