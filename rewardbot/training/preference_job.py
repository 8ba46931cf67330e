"""`rewardbot train --env NAME --reward preference`: what rewards from preferences need of a job from state vectors."""

from __future__ import annotations

import dataclasses
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from rewardbot.config import merge
from rewardbot.errors import DataError, unknown_name
from rewardbot.feedback.alarm import RewardFrozen
from rewardbot.feedback.queries import SCORES
from rewardbot.training.preferences import PreferenceLoop, PreferenceLoopConfig, check, settings_of
from rewardbot.training.run_card import leave
from rewardbot.training.state_job import Report, Trained
from rewardbot.training.state_loop import Env
from rewardbot.training.state_options import StateOptions
from rewardbot.training.state_teachers import WAITING, asked
from rewardbot.training.state_teachers import check as check_teacher
from rewardbot.types import Metrics


def resolve(options: StateOptions, settings: Mapping[str, Any]) -> PreferenceLoopConfig:
    """See `state_job.Job`. Options of the command line come after the file's settings."""
    check_teacher(options)
    if options.strategy not in SCORES:
        raise unknown_name("query strategy", options.strategy, SCORES)
    if isinstance(settings.get("asking", {}), Mapping):  # with which its kinds and spread must go together
        settings = merge(settings, {"asking": {"strategy": options.strategy}})
    config = settings_of(options.reward, settings, where=options.file)
    first = min(config.asking.schedule.first, max(1, options.answers // 5))
    waiting = config.asking.schedule.waiting if options.teacher == "simulated" else WAITING
    schedule = dataclasses.replace(config.asking.schedule, budget=options.answers, first=first, waiting=waiting)
    config = dataclasses.replace(
        config, look=config.look or options.watch, loop=dataclasses.replace(config.loop, steps=options.steps),
        asking=dataclasses.replace(config.asking, schedule=schedule))
    check(options.reward, config)
    return config


def train(options: StateOptions, config: PreferenceLoopConfig, env: Env, judge: Env, folder: Path, report: Report) -> Trained:
    """See `state_job.Job`."""
    with asked(options, folder, _say) as (teacher, show):
        learning = PreferenceLoop(env, options.reward, config, folder, teacher=teacher, show=show, seed=options.seed, say=_say)

        def told(metrics: Metrics) -> None:
            report(metrics, learning.loop.steps)

        try:
            learning.run(told, judge=judge)
            _leave(learning, folder, options.env)
        except RewardFrozen as error:
            go_on = f"When you have looked, go on with it:\n  rewardbot train --resume {folder}"
            raise RewardFrozen(error.what, next_step=go_on) from None
        finally:
            learning.save()
            learning.close()
    if not learning.asking.answered:
        _say(f"Nobody has answered ({learning.asking.skipped} questions were skipped): the policy has explored, and learned nothing.")
    return Trained(learning.loop.agent, learning.loop.steps, learning.asking.answered, learning.asking.skipped)


def _leave(learning: PreferenceLoop, folder: Path, task: str) -> None:
    try:
        leave(learning, folder, task)
    except DataError as error:
        _say(f"There is no card of the reward: {error}")


def _say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)
