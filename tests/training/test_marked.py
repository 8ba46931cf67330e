"""Which steps are unsafe and which are safe after what somebody marked, and ledgers of which nothing can be learned."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from rewardbot.data.transitions import Transitions
from rewardbot.errors import DataError
from rewardbot.feedback.feedback import Given, Query, Rating, Skip, UnsafeInterval
from rewardbot.feedback.ledger import Ledger
from rewardbot.training.kept_clips import KeptClips
from rewardbot.training.marked import CLIPS, marked, read_marked
from rewardbot.types import Segment
from tests.training.point import Point

ALL, CLIP = Segment("a", 0, 20), Segment("a", 5, 11)


def steps(clip: Segment) -> Transitions:
    """State and action of step t are t."""
    time = torch.arange(clip.start, clip.stop, dtype=torch.float32)
    return Transitions(time[:, None].repeat(1, 5), 1, 1)


def unsafe(start: int, stop: int, query: str = "") -> UnsafeInterval:
    return UnsafeInterval(Segment("a", start, stop), "too fast", Given("ann", query))


def ledger(tmp_path: Path) -> Ledger:
    found = Ledger(tmp_path / "ledger.sqlite")
    found.ask(Query("i", "interval", (CLIP,), (0,)), Query("j", "interval", (Segment("b", 0, 4),), (0,)),
              Query("p", "pair", (ALL, Segment("b", 0, 20)), (0, 1)), Query("r", "rating", (CLIP,), (0,)))
    return found


def test_the_rest_of_the_clip_is_safe_and_so_is_one_in_which_nothing_was_unsafe(tmp_path: Path) -> None:
    with ledger(tmp_path) as found:
        found.answer(unsafe(6, 8, "i"))
        found.answer(Skip(Given("ann", "j")))
        found.answer(unsafe(10, 11))  # nobody asked for a second one
        said = marked(found.history(), steps)
    assert said is not None
    assert said.steps.state[:, 0].tolist() == [5, 6, 7, 8, 9, 10, 0, 1, 2, 3]
    assert said.unsafe.tolist() == [False, True, True, False, False, True, False, False, False, False]


def test_what_was_marked_beside_another_question_belongs_to_its_clip(tmp_path: Path) -> None:
    with ledger(tmp_path) as found:
        found.answer(unsafe(15, 17))
        said = marked(found.history(), steps)
    assert said is not None and len(said.unsafe) == 20 and said.steps.state[said.unsafe][:, 0].tolist() == [15, 16]


def test_what_led_there_may_count_as_unsafe_too(tmp_path: Path) -> None:
    with ledger(tmp_path) as found:
        found.answer(unsafe(6, 8, "i"))
        found.answer(unsafe(10, 11))
        said = marked(found.history(), steps, lead=1)
    assert said is not None and said.unsafe.tolist() == [True, True, True, False, True, True]


def test_what_was_undone_does_not_count(tmp_path: Path) -> None:
    with ledger(tmp_path) as found:
        found.undo(found.answer(unsafe(6, 8, "i")), "ann")
        assert marked(found.history(), steps) is None


def test_an_empty_ledger_and_one_without_intervals(tmp_path: Path) -> None:
    with Ledger(tmp_path / "empty.sqlite"), ledger(tmp_path) as found:
        found.answer(Rating(CLIP, 3, Given("ann", "r")))
    (tmp_path / CLIPS).mkdir()
    with pytest.raises(DataError, match=r"Nobody marked anything unsafe in .*empty.sqlite: it holds 0 answers(.|\n)*B marks"):
        read_marked(tmp_path / "empty.sqlite", Point())
    with pytest.raises(DataError, match="it holds 1 answers of other kinds"):
        read_marked(tmp_path / "ledger.sqlite", Point())
    with pytest.raises(DataError, match="There is no ledger"):
        read_marked(tmp_path / "none.sqlite", Point())


def test_clips_that_are_missing_or_hold_nan_or_are_of_another_environment(tmp_path: Path) -> None:
    with ledger(tmp_path) as found:
        found.answer(unsafe(6, 8, "i"))
    path = tmp_path / "ledger.sqlite"
    with pytest.raises(DataError, match=r"no clips of Point beside the ledger(.|\n)*as a run leaves it"):
        read_marked(path, Point())
    clips = KeptClips(tmp_path / CLIPS)
    (tmp_path / CLIPS).mkdir()
    with pytest.raises(DataError, match="cannot be read: No such file"):
        read_marked(path, Point())
    given = steps(CLIP)
    given.rows[2, 0] = torch.nan
    clips.keep(CLIP, given)
    with pytest.raises(DataError, match=r"start=5, stop=11\) holds NaN"):
        read_marked(path, Point())
    KeptClips(tmp_path / CLIPS).keep(CLIP, Transitions(torch.zeros(6, 8), 2, 2))
    with pytest.raises(DataError, match=r"another environment than Point: 2 numbers of state and 2(.|\n)*1 of state and 1 of action"):
        read_marked(path, Point())
