"""A reward that fails its tests is not learned from: what `reward_tests` says, as a check for `RewardFitter`."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from rewardbot.data.library import Library
from rewardbot.rewards.base import Context
from rewardbot.rewards.comparisons import clips_of
from rewardbot.rewards.preference import PreferenceReward
from rewardbot.training.clips import BagClips
from rewardbot.training.reward_tests import gate, load_tests, run_tests
from rewardbot.types import Segment


def gate_of(path: Path, library: Library, clips: BagClips) -> Callable[[PreferenceReward], None]:
    """The check; it raises RewardRefused, or DataError for a test of what is not there.

    Args:
        path: the tests, a YAML file.
        library: the episodes that they name.
        clips: what the reward sees of them.

    Raises:
        ConfigError: the file cannot be read, or something in it is wrong.
    """
    tests = load_tests(path)

    def check(reward: PreferenceReward) -> None:
        def judge(segments: Sequence[Segment]) -> NDArray[np.float64]:
            seen = clips_of(segments, Context(clips.transitions), reward.config.sees, reward.device)
            return reward.returns(seen).double().cpu().numpy()

        gate(run_tests(tests, judge, {id: library.steps(id) for id in library.ids}, path))

    return check
