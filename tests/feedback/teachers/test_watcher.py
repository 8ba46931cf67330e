"""A simulated person marks each run of truly unsafe steps, in the ledger as the windows put it there."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from rewardbot.errors import DataError
from rewardbot.feedback.feedback import Query, Skip, UnsafeInterval
from rewardbot.feedback.ledger import Ledger
from rewardbot.feedback.teachers.recorded import Recorded
from rewardbot.feedback.teachers.watcher import Watcher, runs
from rewardbot.types import Segment

CLIP = Segment("e", 10, 16)


@given(st.lists(st.booleans(), max_size=20))
def test_runs_are_what_is_true(true: list[bool]) -> None:
    found = np.zeros(len(true), bool)
    for start, stop in runs(np.array(true, bool)):
        assert not found[start - 1 : start].any() and not found[stop : stop + 1].any()
        found[start:stop] = True
    assert found.tolist() == true


def ask(tmp_path: Path, truth: list[int]) -> list[object]:
    with Ledger(tmp_path / "ledger.sqlite") as ledger:
        teacher = Recorded(Watcher(lambda clip: np.array(truth, bool)), ledger)
        teacher.ask(Query("u1", "interval", (CLIP,), (0,)))
        teacher.poll()
        return list(ledger.history().responses.values())


def test_the_first_interval_answers_and_further_ones_are_added(tmp_path: Path) -> None:
    first, second = ask(tmp_path, [0, 1, 1, 0, 0, 1])
    assert isinstance(first, UnsafeInterval) and isinstance(second, UnsafeInterval)
    assert (first.segment, first.given.query) == (Segment("e", 11, 13), "u1")
    assert (second.segment, second.given.query, second.given.annotator) == (Segment("e", 15, 16), "", "simulated")


def test_nothing_unsafe_is_skipped(tmp_path: Path) -> None:
    (answer,) = ask(tmp_path, [0] * 6)
    assert isinstance(answer, Skip)


def test_other_questions_and_other_truths_are_refused() -> None:
    watcher = Watcher(lambda clip: np.zeros(3, bool))
    with pytest.raises(DataError, match="is asked for a pair"):
        watcher.ask(Query("q", "pair", (CLIP, Segment("f", 0, 3)), (0, 1)))
    with pytest.raises(DataError, match=r"has shape \(3,\)(.|\n)*\(6,\)"):
        watcher.ask(Query("q", "interval", (CLIP,), (0,)))
