"""Clips of real bags."""

from __future__ import annotations

import queue
import threading
from pathlib import Path

import numpy as np
import pytest

from rewardbot.data.episodes import read_episode
from rewardbot.errors import DataError
from rewardbot.feedback.feedback import Query
from rewardbot.feedback.messages import Question
from rewardbot.gui.clips import AHEAD, LARGEST, Clip, ClipShelf, _reduced, read_clip
from rewardbot.types import Segment
from tests.gui.bags import make_bags


@pytest.fixture(scope="module")
def bags(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    return make_bags(tmp_path_factory.mktemp("bags"), 2)


def asked(id: str, *bags: Path, order: tuple[int, ...] = (0, 1), start: int = 0) -> Question:
    options = tuple(Segment(bag.name, start, start + 5) for bag in bags)
    return Question(Query(id, "pair", options, order), tuple(map(str, bags)))


def test_a_clip_is_the_part_of_the_episode_that_its_segment_names(bags: list[Path]) -> None:
    clip, whole = read_clip(bags[1], Segment("e1", 3, 9)), read_episode(bags[1])
    assert clip.times == pytest.approx([0.0, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6])
    assert set(clip.frames) == {"front", "wrist"}
    for camera, frames in clip.frames.items():
        np.testing.assert_array_equal(frames, whole.images[camera][3:10])


@pytest.mark.parametrize(("segment", "said"), [
    (Segment("e0", 3, 13), "has 12 steps; steps 3 to 13"), (Segment("e1", 0, 2), "holds episode 'e0', not 'e1'")])
def test_what_is_not_there_is_told(bags: list[Path], segment: Segment, said: str) -> None:
    with pytest.raises(DataError, match=said):
        read_clip(bags[0], segment)


def test_large_pictures_are_reduced_in_shape() -> None:
    assert _reduced(np.zeros((720, 1280, 3), np.uint8)).shape == (LARGEST * 720 // 1280, LARGEST, 3)


def test_clips_come_by_place_and_the_next_ones_are_ready(bags: list[Path]) -> None:
    done: queue.Queue[tuple[str, str]] = queue.Queue()
    shelf = ClipShelf(lambda *what: done.put(what))
    shelf.want([asked("a", *bags, order=(1, 0)), asked("b", *bags, start=2)])
    assert [done.get(timeout=30) for _ in range(2)] == [("a", ""), ("b", "")]
    clips = shelf.clips("a")
    assert clips is not None and [clip.segment.episode_id for clip in clips] == ["e1", "e0"]
    shelf.want([asked("b", *bags, start=2)])
    assert shelf.clips("a") is None and shelf.clips("b") is not None
    shelf.close()


def test_damaged_and_missing_bags_are_named_and_the_next_question_comes(bags: list[Path], tmp_path: Path) -> None:
    damaged = make_bags(tmp_path, 1)[0]
    (file,) = damaged.glob("*.mcap")
    file.write_bytes(file.read_bytes()[: file.stat().st_size // 2])
    done: queue.Queue[tuple[str, str]] = queue.Queue()
    shelf = ClipShelf(lambda *what: done.put(what))
    shelf.want([asked("a", damaged, bags[1]), asked("b", tmp_path / "gone", bags[0]), asked("c", *bags)])
    told = dict(done.get(timeout=30) for _ in range(3))
    assert str(damaged) in told["a"] and "gone" in told["b"] and told["c"] == "" and shelf.clips("a") is None
    shelf.close()


def test_memory_is_bounded_and_no_more_than_a_few_are_read_ahead() -> None:
    read: list[str] = []
    some = threading.Event()

    def large(bag: Path, segment: Segment) -> Clip:
        read.append(segment.episode_id)
        some.set()
        return Clip(segment, (0.0,), {"front": np.zeros((1, 100, 100, 3), np.uint8)})

    many = [asked(f"q{n}", Path(f"/x{n}"), Path(f"/y{n}")) for n in range(9)]
    shelf = ClipShelf(lambda *what: None, read=large, max_bytes=100_000)
    shelf.want(many)
    assert some.wait(30)
    shelf.close()
    assert len(read) <= 4, "two questions of 60 kB each"
    shelf = ClipShelf(lambda *what: None, read=large)
    shelf.want(many)
    shelf.close()
    assert len(shelf._wanted) == AHEAD + 1
