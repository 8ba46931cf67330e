"""The demonstrations that `--demos` names: one set of all files, which fit each other and the environment."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch

from rewardbot.data.state_demonstrations import StateDemonstrations
from rewardbot.data.transitions import Transitions
from rewardbot.training.state_loop import Env, Spaces, name_of


def read_shown(files: Sequence[str], env: Env) -> StateDemonstrations:
    """All of `files`, at least one.

    Raises:
        DataError: a file that is not there, damaged or something else, or of other sizes or bounds than `env`.
    """
    sizes, sets = Spaces.of(env), [StateDemonstrations.read(Path(file)) for file in files]
    for one in sets:
        one.check(name_of(env), sizes.states, sizes.low, sizes.high)
    return replace(sets[0], episodes=[episode for one in sets for episode in one.episodes])


def with_recorded_reward(shown: StateDemonstrations) -> Transitions:
    """All steps with the environment's own reward: for learning from that offline, and for nothing else."""
    steps = shown.transitions()
    steps.reward.copy_(torch.from_numpy(np.concatenate([episode.rewards for episode in shown.episodes])))
    return steps
