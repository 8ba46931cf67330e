"""The smoke version of the part of `rewardbot bench library` on continuous control."""

from __future__ import annotations

from pathlib import Path

import pytest

from rewardbot.bench import _kept, _library_control
from rewardbot.bench._library_control import ENOUGH, control
from rewardbot.training.bench import BenchOptions


def test_every_method_has_its_row_every_promise_its_target_and_the_expert_is_kept(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(_kept, "revision", lambda: "one")
    told: list[float] = []
    options = BenchOptions(quick=True, run_dir=str(tmp_path))
    rows, targets = control([0], options, lambda share, detail: told.append(share))
    assert {row["world"] for row in rows} == {"Pendulum-v1"}
    shares = {row["method"]: row["share of the expert"] for row in rows}
    assert set(shares) == {"expert", "random", "bc", "gail", "airl", "gcl"}
    assert shares["expert"] == 1.0 and shares["random"] == 0.0
    assert [target.name.split(":")[0] for target in targets] == ["Pendulum-v1"] * 2
    assert all(target.target == f">= {ENOUGH:g}" for target in targets)
    assert told == sorted(told) and told[-1] == 1.0
    kept = {file.name for file in (tmp_path / "library").iterdir()}
    assert len(kept) == 1 + len(shares) and any(name.startswith("expert-") for name in kept)

    def again(*_: object) -> None:
        raise AssertionError("it was done")

    monkeypatch.setattr(_library_control, "imitated", again)
    assert control([0], options, lambda share, detail: None)[0] == rows
    assert {file.name for file in (tmp_path / "library").iterdir()} == kept
