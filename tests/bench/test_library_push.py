"""The smoke version of the part of `rewardbot bench library` on the arm."""

from __future__ import annotations

from rewardbot.bench._library_push import push
from rewardbot.training.bench import BenchOptions


def test_every_method_has_its_row() -> None:
    told: list[float] = []
    rows, targets = push([0], BenchOptions(quick=True), lambda share, detail: told.append(share))
    success = {row["method"]: row["true success"] for row in rows}
    assert set(success) == {"expert", "random", "bc", "gail", "airl", "vice", "goal_classifier"} and not targets
    assert all(isinstance(share, float) and 0.0 <= share <= 1.0 for share in success.values())
    assert told == sorted(told) and told[-1] == 1.0
