"""The smoke version of the part of `rewardbot bench library` on the arm."""

from __future__ import annotations

import math
from pathlib import Path

import pytest

from rewardbot.bench import _kept, _library_push
from rewardbot.bench._library_push import CLASSIFIERS, LEARNER, METHODS, learner_of, push
from rewardbot.training.bench import BenchOptions


def test_every_method_has_its_row_and_what_is_done_is_not_done_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_kept, "revision", lambda: "one")
    told: list[float] = []
    rows, targets = push([0], BenchOptions(quick=True, run_dir=str(tmp_path)), lambda share, detail: told.append(share))
    success = {row["method"]: row["true success"] for row in rows}
    assert set(success) == {"expert", "random", "bc", "gail", "airl", "vice", "goal_classifier"} and not targets
    assert all(isinstance(share, float) and 0.0 <= share <= 1.0 for share in success.values())
    assert told == sorted(told) and told[-1] == 1.0

    def again(*_: object) -> None:
        raise AssertionError("it was done")

    monkeypatch.setattr(_library_push, "success", again)
    assert push([0], BenchOptions(quick=True, run_dir=str(tmp_path)), lambda share, detail: None) == (rows, targets)


def test_entropy_pays_less_than_a_success_from_the_beginning() -> None:
    """From drawing each of four actions uniformly, which is worth log 2 nat each, to the entropy that the temperature aims at."""
    assert set(CLASSIFIERS) < set(METHODS)
    for method in METHODS:
        sac = learner_of(method, LEARNER).sac
        paid = sac.first_temperature * 4 * (math.log(2.0) - sac.entropy_per_action)
        assert (paid < 0.5) == (method in CLASSIFIERS), "the others' rewards are log-odds, of any size"
