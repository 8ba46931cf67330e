"""The smoke version of the part of `rewardbot bench library` on changed dynamics."""

from __future__ import annotations

import pytest

from rewardbot.bench._library_transfer import transfer
from rewardbot.training.bench import BenchOptions


def test_each_reward_has_its_row_and_its_target() -> None:
    rows, targets = transfer([0], BenchOptions(quick=True), lambda share, detail: None)
    assert {row["method"]: row["seed"] for row in rows} == {"expert": 0, "airl": 0, "gail": 0}
    assert next(row["share of the expert"] for row in rows if row["method"] == "expert") == pytest.approx(1.0)
    assert [target.target for target in targets] == [">= 0.9", "<= 0.5"]
