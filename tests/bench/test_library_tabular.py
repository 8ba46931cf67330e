"""The smoke version of the part of `rewardbot bench library` on grids, and that its parts come together."""

from __future__ import annotations

import pytest

from rewardbot.bench import library
from rewardbot.bench._library_tabular import METHODS, tabular
from rewardbot.training.bench import BenchOptions, Target


def test_every_method_has_its_row() -> None:
    told: list[float] = []
    rows, targets = tabular([0], BenchOptions(quick=True), lambda share, detail: told.append(share))
    shares = {row["method"]: row["share of the expert"] for row in rows}
    assert set(shares) == set(METHODS) and not targets
    assert shares["expert"] == 1.0 and shares["random"] == 0.0
    assert all(share <= 1.0 + 1e-9 for share in shares.values()) and shares["maxent_irl"] > shares["bc"]
    assert told == sorted(told) and told[-1] == 1.0


def test_parts_come_one_after_the_other(monkeypatch: pytest.MonkeyPatch) -> None:
    told: list[float] = []

    def part(seeds, options, report):
        report(0.5, "")
        return [{"seed": seeds[0]}], [Target.at_least("a", 1.0, 0.5)]

    monkeypatch.setattr(library, "PARTS", ((part, 0.2), (part, 0.8)))
    found = library.run(BenchOptions(quick=True), lambda share, detail: told.append(share))
    assert len(found.rows) == len(found.targets) == 2 and told == pytest.approx([0.1, 0.6])
