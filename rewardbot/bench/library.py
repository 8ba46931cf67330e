"""Imitation and inverse reinforcement learning beside the expert, a clone and chance: on grids, in control, on the arm.

The experts of continuous control are kept in `library` in the folder of `run_dir`, and learn only once.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from rewardbot.bench._library_control import control
from rewardbot.bench._library_push import push
from rewardbot.bench._library_tabular import tabular
from rewardbot.bench._library_transfer import transfer
from rewardbot.training.bench import BenchOptions, BenchResult, Cell, Report, Target

SEEDS = (0, 1, 2)

Part = Callable[[Sequence[int], BenchOptions, Report], tuple[list[dict[str, Cell]], list[Target]]]

PARTS: tuple[tuple[Part, float], ...] = ((tabular, 0.02), (transfer, 0.01), (control, 0.62), (push, 0.35))
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

        found, promised = part(seeds, options, tell)
        rows, targets, before = rows + found, targets + promised, before + share
    return BenchResult(seeds, rows, targets)
