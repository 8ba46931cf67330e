"""When how much is asked, by hand; and that no run asks more than its budget."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rewardbot.feedback.schedule import Schedule, due, wait_s, wanted

# After the 10 at once, 90 at a rate of T/(T + t) with T = 1: log(1 + t) / log 2 of them.
PLAIN = Schedule(budget=100, first=10, early=1.0, per_minute=1000.0, waiting=100)


@pytest.mark.parametrize(("progress", "expected"), [(0.0, 10.0), (2**0.5 - 1, 55.0), (1.0, 100.0), (-1.0, 10.0), (7.0, 100.0)])
def test_how_many_by_when(progress: float, expected: float) -> None:
    assert wanted(PLAIN, progress) == pytest.approx(expected)


@pytest.mark.parametrize(("progress", "minutes", "answered", "waiting", "expected"), [
    (0.0, 0.0, 0, 0, 10),
    (0.0, 0.0, 3, 7, 0),
    (1.0, 60.0, 60, 30, 10),
    (1.0, 60.0, 100, 0, 0),
    (1.0, 60.0, 103, 0, 0),
])
def test_how_many_now(progress: float, minutes: float, answered: int, waiting: int, expected: int) -> None:
    assert due(PLAIN, progress=progress, minutes=minutes, answered=answered, waiting=waiting) == expected


def test_no_faster_than_a_person() -> None:
    slow = Schedule(budget=100, first=10, early=1.0, per_minute=4.0, waiting=8)
    assert due(slow, progress=1.0, minutes=0.0, answered=10, waiting=0) == 0
    assert due(slow, progress=1.0, minutes=1.5, answered=10, waiting=0) == 6
    assert due(slow, progress=1.0, minutes=60.0, answered=10, waiting=0) == 8, "no more than may wait"
    assert due(slow, progress=1.0, minutes=60.0, answered=10, waiting=5) == 3


def test_earlier_means_more_in_the_first_half() -> None:
    halves = [wanted(Schedule(budget=100, first=0, early=early), 0.5) for early in (0.1, 0.5, 100.0)]
    assert halves[0] > halves[1] > halves[2] > 50.0 and halves[2] == pytest.approx(50.0, abs=0.2)


@given(st.builds(Schedule, st.integers(0, 300), st.integers(0, 50), st.floats(0.01, 10.0), st.floats(0.0, 100.0), st.integers(1, 40)),
       st.lists(st.tuples(st.floats(0.0, 0.2), st.floats(0.0, 1.0)), max_size=30))
def test_a_run_never_asks_more_than_its_budget(schedule: Schedule, turns: list[tuple[float, float]]) -> None:
    progress = minutes = 0.0
    answered = waiting = 0
    for step, share in turns:
        progress, minutes = progress + step, minutes + 10 * step
        asked = due(schedule, progress=progress, minutes=minutes, answered=answered, waiting=waiting)
        assert asked >= 0
        waiting += asked
        assert waiting <= schedule.waiting and answered + waiting <= schedule.budget
        came = int(share * waiting)
        answered, waiting = answered + came, waiting - came


@given(st.builds(Schedule, st.integers(1, 300), st.integers(0, 50), st.floats(0.01, 10.0), st.floats(0.1, 100.0)),
       st.floats(0.0, 1.0), st.floats(0.0, 30.0), st.integers(0, 299))
def test_how_long_the_next_question_takes(schedule: Schedule, progress: float, minutes: float, asked: int) -> None:
    """In a run of ten minutes that goes on all the time one is due after that, and none before."""
    asked = min(asked, schedule.budget - 1)

    def due_in(seconds: float) -> int:
        return due(schedule, progress=progress + seconds / 600.0, minutes=minutes + seconds / 60.0, answered=asked, waiting=0)

    wait = wait_s(schedule, progress=progress, minutes=minutes, asked=asked, run_s=600.0)
    assert due_in(wait + 1e-3) >= 1
    assert wait == 0.0 or due_in(0.99 * wait - 1e-3) == 0
