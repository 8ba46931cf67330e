"""The demonstrations that `--demos` names: one set of all of them, which fit each other and the environment.

    FILE     what `rewardbot eval RUN --demos FILE` made
    N        for the arm: so many that its simulated operator shows now
    FOLDER   for the arm: of recorded demonstrations, which are simulated again to see them from the state
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch

from rewardbot.config import user_path
from rewardbot.data.state_demonstrations import StateDemonstrations
from rewardbot.data.transitions import Transitions
from rewardbot.errors import DataError
from rewardbot.rewards.goal_states import check_goals
from rewardbot.training.state_loop import Env, Spaces, name_of


def read_shown(named: Sequence[str], env: Env, *, seed: int = 0) -> StateDemonstrations:
    """All of `named`, at least one; the same from the same seed.

    Raises:
        ConfigError: a number or a folder, and the environment is not the arm's.
        DataError: a file that is not there, damaged or something else, or of other sizes or bounds than `env`; a folder without
            demonstrations that can be used.
        RewardbotError: the simulated operator hardly ever succeeds.
    """
    sizes, sets = Spaces.of(env), [_read(one, env, seed) for one in named]
    for one in sets:
        one.check(name_of(env), sizes.states, sizes.low, sizes.high)
    return replace(sets[0], episodes=[episode for one in sets for episode in one.episodes])


def check_enough(reward: str, shown: StateDemonstrations) -> None:
    """Checks that a reward can be learned from so many, before a run begins.

    Raises:
        DataError: it cannot.
    """
    if reward in ("t_rex", "b_rex"):
        check_ranked(shown)
    if reward in ("vice", "goal_classifier"):
        check_goals(len(shown.episodes))


def check_ranked(shown: StateDemonstrations) -> None:
    """Checks that their returns are an order.

    Raises:
        DataError: one has no better one.
    """
    if (different := len(set(shown.returns))) < 2:
        raise DataError(f"{len(shown.episodes)} demonstrations with {different} return cannot be ranked.",
                        valid="At least two, of which one is better.", next_step="Join demonstrations of several runs: --demos A,B.")


def _read(name: str, env: Env, seed: int) -> StateDemonstrations:
    if not (count := name.isdecimal()) and not user_path(name).is_dir():
        return StateDemonstrations.read(Path(name))
    from rewardbot.training.shown_by_arm import by_operator, recorded  # MuJoCo

    return by_operator(int(name), env, seed=seed) if count else recorded(user_path(name), env)


def with_recorded_reward(shown: StateDemonstrations) -> Transitions:
    """All steps with the environment's own reward: for learning from that offline, and for nothing else."""
    steps = shown.transitions()
    steps.reward.copy_(torch.from_numpy(np.concatenate([episode.rewards for episode in shown.episodes])))
    return steps
