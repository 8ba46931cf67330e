"""DAgger and HG-DAgger as loops, and what the first repairs: errors of behaviour cloning that grow with the square of the horizon."""

from __future__ import annotations

import importlib.util
from itertools import islice, pairwise
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest

from rewardbot.policies.dagger import aggregate, dagger, geometric
from rewardbot.policies.hg_dagger import hg_dagger

ROOT = Path(__file__).resolve().parents[2]
HORIZONS = (10, 20, 40, 80)
BLUR = 0.002


def load(path: Path) -> ModuleType:
    """A file that is in no package."""
    spec = importlib.util.spec_from_file_location(path.stem.lstrip("0123456789_"), path)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


rope = load(Path(__file__).with_name("tightrope.py"))


# The loops, with policies that are the data they were fitted to.


def test_each_policy_is_fitted_to_all_that_was_collected_with_those_before() -> None:
    collected: list[tuple[tuple[int, ...], float]] = []

    def collect(policy: tuple[int, ...], beta: float) -> list[int]:
        collected.append((policy, beta))
        return [len(policy)]

    policies = list(aggregate([7, 7], tuple, collect, geometric(0.5, 2)))
    assert policies == [(7, 7), (7, 7, 2), (7, 7, 2, 3)]
    assert collected == [((7, 7), 0.5), ((7, 7, 2), 0.25)], "none is collected that nobody learns from"


def test_the_best_on_validation_is_returned() -> None:
    loss = {1: 0.5, 2: 0.1, 3: 0.3}
    assert dagger([0], tuple, lambda policy, beta: [0], lambda policy: loss[len(policy)], geometric(0.0, 2)) == (0, 0)


def test_who_was_in_control_is_all_that_hg_dagger_learns() -> None:
    supervised: list[tuple[int, ...]] = []

    def supervise(policy: tuple[int, ...]) -> list[int]:
        supervised.append(policy)
        return [8] if len(supervised) == 2 else []  # the first round needed no help

    assert list(islice(hg_dagger([7], tuple, supervise), 4)) == [(7,), (7,), (7, 8), (7, 8)]
    assert supervised == [(7,), (7,), (7, 8)]


# The tightrope.


def cost(horizon: int, seed: int, rounds: int) -> float:
    walk = rope.Tightrope(horizon, BLUR, seed)
    policy = dagger(walk.demonstrate(50), rope.most_frequent, walk.collect, walk.cost, geometric(0.5, rounds))
    return walk.cost(policy)


@pytest.mark.parametrize("seed", range(3))
def test_the_cost_of_bc_grows_with_the_square_of_the_horizon_and_that_of_dagger_with_the_horizon(seed: int) -> None:
    """By hand: the k-th step is below with 1 - (1 - eps)^k in BC, and eps / (1 + eps) on average in DAgger."""
    cloned = [cost(horizon, seed, rounds=0) for horizon in HORIZONS]
    corrected = [cost(horizon, seed, rounds=5) for horizon in HORIZONS]
    assert cloned == pytest.approx([sum(1 - (1 - BLUR) ** step for step in range(1, horizon + 1)) for horizon in HORIZONS])
    assert corrected == pytest.approx([BLUR / (1 + BLUR) * horizon for horizon in HORIZONS], rel=1e-3)
    squared, linear = ([float(np.log2(after / before)) for before, after in pairwise(of)] for of in (cloned, corrected))
    assert min(squared) > 1.8 and max(linear) < 1.1, (squared, linear)
