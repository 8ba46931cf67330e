"""The interval agrees with published values, the table with the summary."""

from __future__ import annotations

import io

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.console import Console

from rewardbot.training.summary import result_table, wilson


@pytest.mark.parametrize(("successes", "episodes", "low", "high"), [
    (81, 263, 0.2553, 0.3662),  # Newcombe 1998, table I, method 3
    (15, 148, 0.0624, 0.1605),
    (0, 20, 0.0, 0.1611),
    (1, 29, 0.0061, 0.1718),
    (20, 20, 0.8389, 1.0),
])
def test_wilson(successes: int, episodes: int, low: float, high: float):
    assert wilson(successes, episodes) == pytest.approx((low, high), abs=5e-5)


@given(st.integers(1, 10_000).flatmap(lambda n: st.tuples(st.integers(0, n), st.just(n))))
def test_the_interval_holds_the_rate(counts: tuple[int, int]):
    low, high = wilson(*counts)
    assert 0.0 <= low <= counts[0] / counts[1] <= high <= 1.0


def test_nothing_is_known_without_episodes():
    assert wilson(0, 0) == (0.0, 1.0)


def test_table():
    console = Console(width=120, record=True, file=io.StringIO())
    console.print(result_table({"rl": 0.97, "bc": 0.6, "other": 0.1}, 100))
    text = console.export_text()
    assert "97/100" in text and "91.5% to 99.0%" in text and "over 100 fresh episodes" in text
    assert text.index("behaviour cloning") < text.index("RL on the learned reward") < text.index("other")
