"""What comes later is drawn beside what was there, and when there is no room, instead of the oldest that came later."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor

from rewardbot.data.pool import Pool

FIXED = torch.tensor([[-1.0], [-2.0]])


def column(first: int, last: int) -> Tensor:
    return torch.arange(first, last, dtype=torch.float32)[:, None]


def drawn(pool: Pool) -> set[float]:
    return set(pool.sample(2000, torch.Generator().manual_seed(0))[:, 0].tolist())


def test_it_grows() -> None:
    pool = Pool(FIXED, room=3)
    assert len(pool) == 2 and drawn(pool) == {-1.0, -2.0} and pool.added.shape == (0, 1)
    pool.add(column(0, 2))
    assert len(pool) == 4 and drawn(pool) == {-1.0, -2.0, 0.0, 1.0}
    pool.add(column(0, 0))
    assert len(pool) == 4


@given(st.lists(st.integers(0, 7), max_size=8))
def test_the_newest_stay_in_order(counts: list[int]) -> None:
    pool, come = Pool(FIXED, room=4), 0
    for count in counts:
        pool.add(column(come, come + count))
        come += count
    assert pool.added[:, 0].tolist() == list(range(max(0, come - 4), come))
    assert torch.equal(pool.fixed, FIXED) and len(pool) == 2 + min(4, come)


@given(st.integers(0, 9), st.sets(st.integers(-2, 9)))
def test_what_is_removed_is_never_drawn_again_and_the_rest_stays_in_order(come: int, gone: set[int]) -> None:
    pool = Pool(FIXED, room=5)
    pool.add(column(0, come))
    pool.remove(torch.tensor(sorted(gone), dtype=torch.float32)[:, None])
    assert pool.added[:, 0].tolist() == [number for number in range(max(0, come - 5), come) if number not in gone]
    assert torch.equal(pool.fixed, FIXED)
    pool.add(column(20, 21))
    assert pool.added[-1, 0] == 20 and drawn(pool) == {-1.0, -2.0, *pool.added[:, 0].tolist()}


def test_the_seed_decides_what_is_drawn() -> None:
    pool = Pool(FIXED)
    pool.add(column(0, 50))
    first, again, other = (pool.sample(20, torch.Generator().manual_seed(seed)) for seed in (1, 1, 2))
    assert torch.equal(first, again) and not torch.equal(first, other)


def test_each_row_is_as_likely() -> None:
    pool = Pool(FIXED)
    pool.add(column(0, 8))
    counts = torch.bincount(2 + pool.sample(20_000, torch.Generator().manual_seed(0))[:, 0].long())
    assert counts.min() > 1800 and counts.max() < 2200 and len(counts) == 10


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="no GPU")
def test_a_gpu_draws_the_same_rows() -> None:
    pool = Pool(FIXED.cuda(), room=3)
    pool.add(column(0, 5).cuda())
    generator = torch.Generator("cuda").manual_seed(0)
    assert set(pool.sample(2000, generator)[:, 0].tolist()) == {-1.0, -2.0, 2.0, 3.0, 4.0}
