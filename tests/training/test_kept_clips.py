"""Clips that outlive the replay: the same numbers from the file, and errors that say which file."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from rewardbot.data.transitions import Transitions
from rewardbot.errors import DataError
from rewardbot.training.files import StorageError
from rewardbot.training.kept_clips import KeptClips
from rewardbot.types import Segment

CLIP = Segment("rewardbot/ReachState-v0-3-0-17", 2, 6)


def steps() -> Transitions:
    return Transitions(torch.randn(4, 2 * 3 + 2 + 2), 3, 2)


def test_a_clip_is_read_back_by_another_process(tmp_path: Path) -> None:
    given = steps()
    KeptClips(tmp_path / "clips").keep(CLIP, given)
    found = KeptClips(tmp_path / "clips").transitions(CLIP)
    assert torch.equal(found.rows, given.rows) and (found.states, found.actions) == (3, 2)
    assert [path.name for path in (tmp_path / "clips").iterdir()] == ["rewardbot%2FReachState-v0-3-0-17_2-6.safetensors"]


def test_what_a_killed_process_kept_and_did_not_ask_about_is_replaced(tmp_path: Path) -> None:
    KeptClips(tmp_path).keep(CLIP, steps())
    second, given = KeptClips(tmp_path), steps()
    second.keep(CLIP, given)
    second.keep(CLIP, steps())  # asked about twice in one process: it is the same clip
    assert torch.equal(KeptClips(tmp_path).transitions(CLIP).rows, given.rows)


def test_a_clip_that_is_not_there_or_damaged_is_named(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"_2-6\.safetensors cannot be read: No such file(.|\n)*rewardbot ledger"):
        KeptClips(tmp_path).transitions(CLIP)
    KeptClips(tmp_path).keep(CLIP, steps())
    (path,) = tmp_path.iterdir()
    path.write_bytes(path.read_bytes()[:-5])
    with pytest.raises(DataError, match="These are not the weights of a rewardbot clip"):
        KeptClips(tmp_path).transitions(CLIP)


def test_a_folder_that_cannot_be_made(tmp_path: Path) -> None:
    (tmp_path / "clips").write_text("a file")
    with pytest.raises(StorageError, match="Cannot write"):
        KeptClips(tmp_path / "clips").keep(CLIP, steps())
