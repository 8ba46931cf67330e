"""The smoke version of `rewardbot bench takeover` runs and keeps the contract of its file; its figures by hand."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from rewardbot import cli
from rewardbot.bench import takeover
from rewardbot.bench.takeover import ARMS, PATIENCE, QUICK, Arm, Clock, Trial, targets
from rewardbot.training.rates import Evaluation


def test_quick_bench_writes_what_is_promised(tmp_path: Path) -> None:
    file = tmp_path / "takeover.json"
    cli.run(["bench", "takeover", "--json", str(file), "--quick", "--run-dir", str(tmp_path)])
    result = json.loads(file.read_text())
    assert result["name"] == "takeover" and result["seeds"] == [0]
    assert [(row["task"], row["arm"]) for row in result["rows"]] == [("lift", arm) for arm in ARMS]
    helped, alone, imitated = result["rows"]
    per_minute = [row["takeovers a minute, early"] + row["midway"] + row["late"] for row in (helped, alone, imitated)]
    assert per_minute[0] > 0 and per_minute[1] == 0 and per_minute[2] > 0
    limits = [row["given up after"] for row in result["rows"]]
    first = (helped["minutes"] or QUICK.limit_s / 60.0) * PATIENCE
    assert all(limit is None or limit == pytest.approx(min(QUICK.limit_s / 60.0, most)) for limit, most in
               zip(limits, (1.0, first, first), strict=True))
    assert all(row["all steps"] >= 25 and (row["minutes"] is None) == (row["takeovers"] is None) for row in result["rows"])
    assert len({row["BC"] for row in result["rows"]}) == 1 and all(0.0 <= row["success"] <= 1.0 for row in result["rows"])
    assert {target["name"] for target in result["targets"]} == {
        "lift: minutes until 95% with takeovers / without", "lift: takeovers per minute, last third / first"}


def test_takeovers_per_minute_of_each_third() -> None:
    """Six episodes of 30 steps at 10 Hz: a third is a tenth of a minute."""
    found = Arm(600.0, takeovers=[2, 1, 1, 0, 0, 1], steps=180)
    assert [found.per_minute(third, 10.0) for third in range(3)] == pytest.approx([30.0, 10.0, 10.0])
    assert [Arm(600.0).per_minute(third, 10.0) for third in range(3)] == [0.0, 0.0, 0.0]
    assert Arm(600.0, takeovers=[1], steps=30).per_minute(2, 10.0) == pytest.approx(20.0), "of one episode all is late"


def outcome(arm: str, *minutes: float | None, takeovers: tuple[int, ...] = ()) -> list[dict[str, Any]]:
    """Lines of an arm that mastered its task after so many minutes, or not in ten, on one seed after the other."""
    found = [Arm(600.0, list(takeovers), 60, 0, 600.0, 1.0, None if after is None else (60.0 * after, 5, 40)) for after in minutes]
    return [{"task": "lift", "seed": seed, "arm": arm, **one.cells(10.0)} for seed, one in enumerate(found)]


def test_what_was_needed_is_what_was_there_when_it_was_enough() -> None:
    found = Arm(600.0, takeovers=[2, 1], steps=50, helped=12, learn_s=30.0)
    found.judge(0.94)
    assert found.mastered is None and found.success == 0.94
    found.judge(0.95)
    assert found.mastered == (30.0, 3, 12) and found.seconds == 30.0 and Arm(600.0).seconds == 600.0
    watched = [replace(found, learn_s=seconds).enough_watched for seconds in (30.0, 44.9, 45.0)]
    assert watched == [False, False, True] and not Arm(600.0, learn_s=500.0).enough_watched


@pytest.mark.parametrize(("helped", "alone", "ratio"), [
    ((1.0, 3.0), (8.0, 8.0), 0.25),
    ((1.0, 3.0), (8.0, None), 2.0 / 9.0),  # as if at the limit
    ((1.0, None), (8.0, 8.0), None),
])
def test_the_ratio_of_minutes(helped: tuple[float | None, ...], alone: tuple[float | None, ...], ratio: float | None) -> None:
    minutes, falling = targets([*outcome("takeovers", *helped, takeovers=(4, 1, 1)), *outcome("nobody helps", *alone),
                                *outcome("HG-DAgger", None, None)])
    assert minutes.value == (ratio if ratio is None else pytest.approx(ratio))
    assert minutes.met == (ratio is not None) and falling.value == pytest.approx(0.25) and falling.met


def test_the_time_that_is_left_follows_the_pace(monkeypatch: pytest.MonkeyPatch) -> None:
    """Two jobs that usually take five and fifteen minutes; the first takes twice as long."""
    now, told = [1000.0], list[tuple[float, str]]()
    monkeypatch.setattr("rewardbot.bench.takeover.time.monotonic", lambda: now[0])
    clock = Clock(lambda share, what: told.append((share, what)), [300.0, 900.0])
    clock.tell(0, 0.0, "a")
    now[0] += 60.0
    clock.tell(0, 0.05, "b")  # too little to judge by
    now[0] += 540.0
    clock.tell(1, 0.0, "c")
    assert told == [(0.0, "a; about 20 min left"), (15.0 / 1200.0, "b; about 20 min left"), (0.25, "c; about 30 min left")]


@pytest.mark.parametrize(("fails", "last", "rate", "episodes"), [
    ((3,), False, 2 / 3, 3),  # the first failure tells that it is no use to look on
    ((3, 50), True, 0.99, 3 + 100),  # but an arm that is given up is described
    ((20,), False, 0.99, 10 + 100),
    ((11, 12, 13, 14, 15, 16), False, 0.0, 10 + 6),  # the sixth of a hundred
    ((11, 12, 13, 14, 15, 16), True, 0.94, 10 + 100)])
def test_a_policy_is_tried_until_it_is_known_whether_it_has_mastered_the_task(
    monkeypatch: pytest.MonkeyPatch, fails: tuple[int, ...], last: bool, rate: float, episodes: int
) -> None:
    """Which of all episodes fail, counted from 1."""
    done, streams = [0], set[int]()

    def evaluate(robot: object, policy: object, *, actor: str, episodes: int, stream: int, most_failures: int | None) -> Evaluation:
        streams.add(stream)
        successes = failures = 0
        while successes + failures < episodes and (most_failures is None or failures <= most_failures):
            done[0] += 1
            failures += done[0] in fails
            successes += done[0] not in fails
        return Evaluation.of(successes, successes + failures)

    monkeypatch.setattr(takeover, "evaluate", evaluate)
    nothing: Any = None
    found = takeover._success(nothing, nothing, Trial(3, 60.0, 5.0), 1, last=last)
    assert (found, done[0]) == (pytest.approx(rate), episodes) and len(streams) == (1 if episodes < 10 else 2)
