"""`rewardbot train --env NAME --reward true`, or one that is found from demonstrations beforehand: with any policy that learns."""

from __future__ import annotations

import dataclasses
import logging
import warnings
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from rewardbot.config import overlaid, setting
from rewardbot.training.advancing import advance_to
from rewardbot.training.kept_state import CHECKPOINT
from rewardbot.training.offline_loop import OfflineConfig, OfflineLoop
from rewardbot.training.on_policy_loop import OnPolicyConfig, OnPolicyLoop
from rewardbot.training.settled import Settled, SettledRewardConfig, find
from rewardbot.training.shown import read_shown, with_recorded_reward
from rewardbot.training.state_job import Report, Trained
from rewardbot.training.state_loop import Env, StateLoop, StateLoopConfig, evaluate, patient, start_seeds
from rewardbot.training.state_options import StateOptions

TRUE = "true"
_log = logging.getLogger(__name__)


@dataclasses.dataclass(frozen=True)
class SettledConfig:
    """How reward and policy learn, one after the other."""

    loop: StateLoopConfig = setting(StateLoopConfig(shown=0.5), "of soft actor-critic")
    on_policy: OnPolicyConfig = setting(OnPolicyConfig(), "of proximal policy optimisation")
    offline: OfflineConfig = setting(OfflineConfig(), "of implicit and conservative Q-learning")
    reward: SettledRewardConfig = setting(SettledRewardConfig(), "of a reward from demonstrations")
    report_every: int = setting(1000, "environment steps, or offline updates, between two points of the curve", min=1)
    evaluations: int = setting(5, "episodes behind each of them", min=1)


def resolve(options: StateOptions, settings: Mapping[str, Any]) -> SettledConfig:
    """See `state_job.Job`. Options of the command line come after the file's settings."""
    config = SettledConfig()
    if options.reward == "goal_classifier":
        config = dataclasses.replace(config, loop=patient(config.loop))
    config = overlaid(config, settings, where=options.file)
    return dataclasses.replace(config, **{name: dataclasses.replace(getattr(config, name), steps=options.steps)
                                          for name in ("loop", "on_policy", "offline")})


def train(options: StateOptions, config: SettledConfig, env: Env, judge: Env, folder: Path, report: Report) -> Trained:
    """See `state_job.Job`. The reward of a run that is gone on with is found again: it is the same."""
    found = None if options.reward == TRUE else _found(options, config.reward, env)
    learning = _loop(options, config, env, found)
    fitted = {f"reward_{name}": value for name, value in found.metrics.items()} if found else {}

    def tell() -> None:
        returns = evaluate(judge, learning.best, start_seeds(options.seed, config.evaluations), longest=config.loop.longest)
        now = {name: float(value) for name, value in learning.metrics.items()}
        report({"true_return": float(np.mean(returns)), **fitted, **now}, learning.steps)

    advance_to(learning, options.steps, tell, every=config.report_every, checkpoint=folder / CHECKPOINT)
    return Trained(learning.agent, learning.steps)


def _found(options: StateOptions, config: SettledRewardConfig, env: Env) -> Settled:
    """The reward; few effective samples are said in one line."""
    with warnings.catch_warnings():
        warnings.showwarning = lambda message, *where, **more: _log.warning(str(message))
        return find(options.reward, config, read_shown(options.demos, env, seed=options.seed), env, seed=options.seed)


def _loop(options: StateOptions, config: SettledConfig, env: Env, found: Settled | None) -> StateLoop | OnPolicyLoop | OfflineLoop:
    """The policy, which learns from the reward that was found, or from the environment's own."""
    reward = found.reward if found else None
    if options.policy == "sac":
        shown = read_shown(options.demos, env, seed=options.seed).transitions() if found else None
        return StateLoop(env, config.loop, reward=reward, seed=options.seed, shown=shown)
    if options.policy == "ppo":
        return OnPolicyLoop(env, config.on_policy, reward=reward, seed=options.seed)
    assert options.policy in ("iql", "cql")
    steps = with_recorded_reward(read_shown(options.demos, env, seed=options.seed))
    if found:
        steps.reward.copy_(found.reward(steps))
    return OfflineLoop(options.policy, config.offline, steps, seed=options.seed)
