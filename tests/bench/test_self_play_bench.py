"""The smoke version of `rewardbot bench self_play`."""

from __future__ import annotations

from pathlib import Path

import pytest

from rewardbot.bench import _kept
from rewardbot.bench.self_play import ENOUGH, GOALS, run
from rewardbot.training.bench import BenchOptions
from rewardbot.training.self_play import SelfPlay


def test_all_who_set_goals_have_their_row_and_what_is_done_is_not_done_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(_kept, "revision", lambda: "one")
    told: list[float] = []
    options = BenchOptions(quick=True, run_dir=str(tmp_path))
    result = run(options, lambda share, detail: told.append(share))
    assert [row["goals"] for row in result.rows] == ["none: chance", *GOALS]
    assert all(0.0 <= float(row["true success"] or 0.0) <= 1.0 for row in result.rows)
    assert ["last goals [m]" in row for row in result.rows] == [False, True, True, False]
    assert [(target.target, target.value is not None) for target in result.targets] == [(f">= {ENOUGH:g}", True), (">= 1", True)]
    assert told == sorted(told) and told[-1] == 1.0

    def again(*_: object) -> None:
        raise AssertionError("it was done")

    monkeypatch.setattr(SelfPlay, "advance", again)
    monkeypatch.setattr(SelfPlay, "practise", again)
    assert run(options, lambda share, detail: None) == result
