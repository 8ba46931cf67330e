"""`rewardbot train --env NAME --reward gail --demos FILE`: what rewards from demonstrations need of a job from state vectors."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from rewardbot.config import overlaid
from rewardbot.training.adversarial import AdversarialConfig, AdversarialLoop
from rewardbot.training.kept_state import CHECKPOINT
from rewardbot.training.shown import read_shown
from rewardbot.training.state_job import Report, Trained
from rewardbot.training.state_loop import Env, patient
from rewardbot.training.state_options import StateOptions


def resolve(options: StateOptions, settings: Mapping[str, Any]) -> AdversarialConfig:
    """See `state_job.Job`. Options of the command line come after the file's settings."""
    config = AdversarialConfig()
    if options.reward == "vice":
        config = dataclasses.replace(config, loop=patient(config.loop))
    config = overlaid(config, settings, where=options.file)
    return dataclasses.replace(config, loop=dataclasses.replace(config.loop, steps=options.steps),
                               on_policy=dataclasses.replace(config.on_policy, steps=options.steps))


def train(options: StateOptions, config: AdversarialConfig, env: Env, judge: Env, folder: Path, report: Report) -> Trained:
    """See `state_job.Job`."""
    shown = read_shown(options.demos, env, seed=options.seed)
    learning = AdversarialLoop(env, options.reward, options.policy, config, shown, seed=options.seed)
    learning.run(lambda metrics: report(metrics, learning.steps), judge=judge, checkpoint=folder / CHECKPOINT)
    return Trained(learning.loop.agent, learning.steps)
