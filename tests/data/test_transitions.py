"""The replay of state vectors: a batch's parts belong together, the oldest go first, and mistakes are refused."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from rewardbot.data.transitions import TransitionReplay
from rewardbot.errors import DataError


def fill(replay: TransitionReplay, count: int) -> None:
    """Transition k is told by each of its numbers."""
    for k in range(count):
        state = np.array([k, k + 0.1, k + 0.2])
        replay.add(state, np.array([k + 0.3, k + 0.4]), k + 0.5, state + 1000, terminated=k % 2 == 1)


def test_parts_belong_together_and_the_newest_are_kept() -> None:
    replay = TransitionReplay(10, 3, 2)
    fill(replay, 25)
    assert len(replay) == 10
    batch = replay.sample(400)
    k = batch.state[:, 0]
    assert set(k.tolist()) == set(range(15, 25))
    torch.testing.assert_close(batch.state_action, k[:, None] + torch.tensor([0.0, 0.1, 0.2, 0.3, 0.4]))
    torch.testing.assert_close(batch.reward, k + 0.5)
    torch.testing.assert_close(batch.continues, 1.0 - k % 2)
    torch.testing.assert_close(batch.next_state, batch.state + 1000)


def test_only_what_was_added_is_sampled_and_uniformly() -> None:
    replay = TransitionReplay(1000, 3, 2)
    fill(replay, 4)
    counts = torch.bincount(replay.sample(40_000).state[:, 0].long())
    assert len(replay) == len(counts) == 4
    assert counts.min() > 9_600 and counts.max() < 10_400  # 10,000 +- 87


def test_the_seed_decides() -> None:
    replays = [TransitionReplay(100, 3, 2, seed=seed) for seed in (0, 0, 1)]
    for replay in replays:
        fill(replay, 50)
    first, again, other = (replay.sample(32).state for replay in replays)
    assert torch.equal(first, again) and not torch.equal(first, other)


def test_mistakes() -> None:
    replay = TransitionReplay(10, 3, 2)
    with pytest.raises(DataError, match="empty"):
        replay.sample(1)
    with pytest.raises(DataError, match=r"\(4,\), \(1,\), \(3,\)"):  # as long as it should be, all together
        replay.add(np.zeros(4), np.zeros(1), 0.0, np.zeros(3), terminated=False)
    for reward, value in ((float("nan"), 0.0), (0.0, float("inf"))):
        with pytest.raises(DataError, match="NaN or infinite"):
            replay.add(np.full(3, value), np.zeros(2), reward, np.zeros(3), terminated=False)
    assert len(replay) == 0
