"""`rewardbot train --env NAME --reward gail --demos FILE`: what rewards from demonstrations need of a job from state vectors."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from rewardbot.config import from_mapping, merge, to_mapping
from rewardbot.data.state_demonstrations import StateDemonstrations
from rewardbot.errors import ConfigError
from rewardbot.training.adversarial import AdversarialConfig, AdversarialLoop, check
from rewardbot.training.state_job import Report, Trained
from rewardbot.training.state_loop import Env
from rewardbot.training.state_options import StateOptions


def resolve(options: StateOptions, settings: Mapping[str, Any]) -> AdversarialConfig:
    """See `state_job.Job`. Options of the command line come after the file's settings."""
    check(options.reward, options.policy)
    if not options.demos:
        raise ConfigError(f"Reward '{options.reward}' learns from demonstrations, and there are none.", valid="--demos FILE.",
                          next_step=f"rewardbot train --env {options.env} --reward true and rewardbot eval --demos FILE make some.")
    StateDemonstrations.read(Path(options.demos))
    config = from_mapping(AdversarialConfig, merge(to_mapping(AdversarialConfig()), settings))
    return dataclasses.replace(config, loop=dataclasses.replace(config.loop, steps=options.steps),
                               on_policy=dataclasses.replace(config.on_policy, steps=options.steps))


def train(options: StateOptions, config: AdversarialConfig, env: Env, judge: Env, folder: Path, report: Report) -> Trained:
    """See `state_job.Job`. A run that was stopped begins anew."""
    demonstrations = StateDemonstrations.read(Path(options.demos))
    learning = AdversarialLoop(env, options.reward, options.policy, config, demonstrations, seed=options.seed)
    learning.run(lambda metrics: report(metrics, learning.loop.steps), judge=judge)
    return Trained(learning.loop.agent, learning.loop.steps)
