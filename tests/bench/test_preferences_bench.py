"""The comparison of rewards from preferences: its smoke version, and how its targets are counted."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from rewardbot.bench import _kept
from rewardbot.bench.preferences import (
    CHANCE,
    METHODS,
    RANKINGS,
    STRATEGIES,
    TRIALS,
    TRUE,
    Job,
    Result,
    Trial,
    config_of,
    jobs_of,
    known_already,
    needed,
    targets,
)
from rewardbot.training.bench import BenchOptions, run_bench
from rewardbot.training.preferences import check
from rewardbot.training.state_loop import Spaces, make_env

TRIAL = Trial("Pendulum-v1", 100, {}, 0.95, (20, 50))


def bench(folder: Path) -> dict[str, Any]:
    return run_bench("preferences", BenchOptions(run_dir=str(folder), quick=True))


def test_the_smoke_version_runs_every_method_and_goes_on_where_it_was(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_kept, "revision", lambda: "one")  # somebody may commit meanwhile
    found = bench(tmp_path)
    assert {row["method"] for row in found["rows"]} == {"true reward", *METHODS}
    assert {row["answers"] for row in found["rows"]} == {0, 2, 6}
    assert [target["target"] for target in found["targets"]] == [">= 0.95", ">= 0.95", "<= 0.6"]
    files = sorted((tmp_path / "preferences").iterdir())
    assert len(files) == 2 + len(METHODS) + len(STRATEGIES)
    written = {file: file.stat().st_mtime_ns for file in files}
    gone = next(file for file in files if file.name.startswith("pendulum-surf-6-0"))
    gone.unlink()
    again = bench(tmp_path)
    for row in found["rows"] + again["rows"]:
        assert row.pop("minutes") >= 0.0
    assert again["rows"] == found["rows"], "what was made anew came out the same"
    assert {file for file in files if file.stat().st_mtime_ns != written[file]} == {gone}


def test_the_yardsticks_come_first_and_fewer_answers_last() -> None:
    jobs = jobs_of("t", TRIAL, (3, 4))
    assert [(job.method, job.answers, job.seed) for job in jobs[:4]] == [
        ("chance", 0, 3), ("chance", 0, 4), ("true reward", 0, 3), ("true reward", 0, 4)]
    assert [(job.method, job.answers) for job in jobs[4:18:2]] == [(method, 100) for method in METHODS]
    assert [(job.method, job.answers, job.seed) for job in jobs[18:22]] == [
        ("uniform", 20, 3), ("uniform", 20, 4), ("uniform", 50, 3), ("uniform", 50, 4)]


def test_more_answers_are_not_tried_where_fewer_did() -> None:
    def known(job: Job, *values: float) -> bool:
        found = {Job("t", method, 0, seed): Result(value) for method, value in ((CHANCE, 0.0), (TRUE, 10.0)) for seed in (0, 1)}
        found |= {Job("t", job.method, 20, seed): Result(value) for seed, value in enumerate(values)}
        return known_already(job, TRIAL, found)

    more, whole = Job("t", "uniform", 50, 1), Job("t", "uniform", 100, 1)
    assert known(more, 9.5, 8.8) and not known(more, 9.5, 8.0), "the mean counts"
    assert not known(more) and not known(whole, 9.9, 9.9), "all answers are always tried"


def test_answers_that_are_needed() -> None:
    shares = {("t", "uniform", 20): [0.2, 0.4], ("t", "uniform", 50): [0.85, 0.97], ("t", "uniform", 100): [1.0, 1.0],
              ("t", "disagreement", 20): [0.9, 0.9], ("t", "mutual_information", 100): [0.1, 0.1]}
    assert [needed("t", strategy, TRIAL, shares) for strategy in STRATEGIES] == [50, 20, None]
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
