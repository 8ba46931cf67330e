"""A driver's five weights from thirty answers; the sign of volume removal, and its weakness; the smoke version of the bench."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np

from rewardbot import cli
from rewardbot.bench.driving import HALF, STRATEGIES, UNSURE, Course, ask

SEEDS = range(3)


def test_chosen_questions_find_the_weights_and_the_sign_matters() -> None:
    last = {strategy: np.mean([ask(strategy, seed).cosines[-1] for seed in SEEDS]) for strategy in STRATEGIES}
    assert last["volume removal"] >= 0.98 and last["mutual information"] >= 0.98
    assert last["random"] < last["volume removal"] - 0.01
    assert last["volume removal, inverted"] < last["random"] - 0.05


def test_of_an_unsure_driver_volume_removal_asks_what_nobody_can_answer() -> None:
    def courses(strategy: str, left_out: float = 0.0) -> list[Course]:
        return [ask(strategy, seed, UNSURE, left_out) for seed in SEEDS]

    def last(found: list[Course]) -> float:
        return float(np.mean([course.cosines[-1] for course in found]))

    plain, informed, apart = courses("volume removal"), courses("mutual information"), courses("volume removal", HALF)
    assert last(informed) > last(plain) and last(apart) > last(plain)
    sure = [np.mean([course.certain.mean() for course in found]) for found in (plain, informed, apart)]
    assert sure[0] < min(sure[1:]) - 0.03, "its questions are those whose answers are nearest to chance"


def test_quick_bench_writes_what_is_promised(tmp_path: Path) -> None:
    file = tmp_path / "driving.json"
    cli.run(["bench", "driving", "--json", str(file), "--quick"])
    result = json.loads(file.read_text())
    assert result["name"] == "driving" and result["seeds"] == [0]
    assert [row["driver"] for row in result["rows"]] == ["sure"] * 4 + ["unsure"] * 5
    assert all(-1.0 <= row["least"] <= row["cosine"] <= 1.0 and 0.5 <= row["driver's certainty"] <= 1.0 for row in result["rows"])
    assert [target["target"] for target in result["targets"]] == [">= 0.98"] * 2 + [">= 0"] * 2
