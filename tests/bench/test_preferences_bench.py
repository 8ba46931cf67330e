"""The comparison of rewards from preferences: its smoke version, and how its targets are counted."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from rewardbot.bench import preferences
from rewardbot.bench.preferences import METHODS, RANKINGS, TRIALS, Trial, config_of, jobs_of, needed, targets
from rewardbot.training.bench import BenchOptions, run_bench
from rewardbot.training.preferences import check
from rewardbot.training.state_loop import Spaces, make_env

TRIAL = Trial("Pendulum-v1", 100, {}, 0.95, (20, 50))


def test_the_smoke_version_runs_every_method(tmp_path: Path) -> None:
    path = tmp_path / "found.json"
    run_bench("preferences", BenchOptions(json=str(path), quick=True))
    found = json.loads(path.read_text())
    assert {row["method"] for row in found["rows"]} == {"true reward", *METHODS}
    assert {row["answers"] for row in found["rows"]} == {0, 2, 6}
    assert [target["target"] for target in found["targets"]] == [">= 0.95", ">= 0.95", "<= 0.6"]


def test_the_yardsticks_come_first() -> None:
    assert jobs_of(TRIAL)[:2] == [("chance", 0), ("true reward", 0)]
    assert jobs_of(TRIAL)[2:9] == [(method, 100) for method in METHODS]
    assert jobs_of(TRIAL)[9:11] == [("uniform", 20), ("uniform", 50)]


def test_answers_that_are_needed() -> None:
    shares = {("t", "uniform", 20): [0.2, 0.4], ("t", "uniform", 50): [0.85, 0.97], ("t", "uniform", 100): [1.0, 1.0],
              ("t", "disagreement", 20): [0.9, 0.9], ("t", "mutual_information", 100): [0.1, 0.1]}
    assert [needed("t", strategy, TRIAL, shares) for strategy in preferences.STRATEGIES] == [50, 20, None]
    shares["t", RANKINGS, 100] = [1.0, 1.2]
    share, ranked, fewer = targets({"t": TRIAL}, shares, 2)
    assert (share.value, share.met) == (1.0, True) and "(uniform)" in share.name
    assert (ranked.value, ranked.met) == (1.1, True), "it has a row of its own"
    assert fewer.value == pytest.approx(0.4) and fewer.met


def test_what_was_not_reached_is_not_met() -> None:
    share, _, fewer = targets({"t": TRIAL}, {("t", "uniform", 100): [0.96]}, 2)
    assert (share.value, share.met) == (None, False), "one of two seeds is missing"
    assert (fewer.value, fewer.met) == (None, False)


@pytest.mark.parametrize("task", list(TRIALS))
def test_settings_fit_every_method(task: str) -> None:
    trial = TRIALS[task]
    for method, (reward, strategy) in METHODS.items():
        config = config_of(trial, method, trial.answers)
        check(reward, config)
        assert (config.asking.strategy, config.asking.schedule.budget) == (strategy, trial.answers)
    env = make_env(trial.env)
    Spaces.of(env)
    env.close()
