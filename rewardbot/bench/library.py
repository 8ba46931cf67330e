"""Imitation and inverse reinforcement learning beside the expert, a clone and chance: on grids, in control, on the arm."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from rewardbot.bench._library_control import control
from rewardbot.bench._library_tabular import tabular
from rewardbot.training.bench import BenchOptions, BenchResult, Cell, Report, Target

SEEDS = (0, 1, 2)

Part = Callable[[Sequence[int], bool, Report], tuple[list[dict[str, Cell]], list[Target]]]

PARTS: tuple[tuple[Part, float], ...] = ((tabular, 0.02), (control, 0.98))
"""Each with its share of the time."""


def run(options: BenchOptions, report: Report) -> BenchResult:
    """One part after the other, all seeds of each."""
    seeds = options.seeds or (SEEDS[:1] if options.quick else SEEDS)
    rows: list[dict[str, Cell]] = []
    targets: list[Target] = []
    before = 0.0
    for part, share in PARTS:

        def tell(done: float, detail: str, before: float = before, share: float = share) -> None:
            report(before + share * done, detail)

        found, promised = part(seeds, options.quick, tell)
        rows, targets, before = rows + found, targets + promised, before + share
    return BenchResult(seeds, rows, targets)
