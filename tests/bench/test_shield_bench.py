"""The smoke version of `rewardbot bench shield`, and its targets by hand."""

from __future__ import annotations

from pathlib import Path

import pytest

from rewardbot.bench import _kept, shield
from rewardbot.bench.shield import run, targets
from rewardbot.training.bench import BenchOptions


def test_each_seed_is_learned_with_and_without_and_only_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_kept, "revision", lambda: "one")
    told: list[float] = []
    options = BenchOptions(quick=True, run_dir=str(tmp_path))
    result = run(options, lambda share, detail: told.append(share))
    assert [(row["seed"], row["shield"]) for row in result.rows] == [(6, False), (6, True)]
    assert [row["episodes shown"] for row in result.rows] == [0, 2] and result.rows[0]["refused per 1000"] == 0.0
    assert told == sorted(told) and told[-1] == 1.0

    def again(*_: object) -> None:
        raise AssertionError("it was done")

    monkeypatch.setattr(shield, "learned", again)
    assert run(options, lambda share, detail: None) == result


def test_targets_are_shares_of_what_there_is_without_a_shield() -> None:
    names = ("unsafe steps of learning", "unsafe steps per 1000", "true success")
    bare, behind = (dict(zip(names, values, strict=True)) for values in ((200, 0.0, 0.9), (50, 0.0, 0.81)))
    found = targets([{"shield": False, **bare}, {"shield": True, **behind}])
    assert [(target.value, target.met) for target in found] == [(0.25, True), (None, False), (pytest.approx(0.9), True)]
