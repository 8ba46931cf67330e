"""Episodes seen from anywhere."""

from __future__ import annotations

import queue
from pathlib import Path
from typing import Any

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from rewardbot.feedback.feedback import Query
from rewardbot.feedback.messages import Question
from rewardbot.gui.free_camera import SIDE, FreeCamera, Pose
from rewardbot.types import Segment
from tests.gui.bags import make_bags
from tests.ros.recorded import record


def asked(*bags: Path) -> Question:
    options = tuple(Segment(bag.name, 2, 8) for bag in bags)
    return Question(Query("q", "pair" if len(bags) == 2 else "rating", options, tuple(range(len(bags)))[::-1]), tuple(map(str, bags)))


def test_a_simulated_clip_is_drawn_from_where_one_looks(tmp_path: Path) -> None:
    drawn: queue.Queue[Any] = queue.Queue()
    camera = FreeCamera(lambda *what: drawn.put(what), lambda *what: drawn.put(what))
    question, pictures = asked(*record(tmp_path, 2)), []
    for frames, pose in (((0, 0), Pose()), ((5, 5), Pose()), ((5, 5), Pose().turned(200, 0))):
        camera.want(question, frames, pose)
        first, second = drawn.get(timeout=60), drawn.get(timeout=60)
        assert [first[:2], second[:2]] == [("q", 0), ("q", 1)], "by place"
        pictures.append(first[2])
    camera.close()
    assert pictures[0].shape == (SIDE, SIDE, 3) and pictures[0].std() > 5
    assert not np.array_equal(pictures[0], pictures[1]), "the hand has moved"
    assert np.abs(pictures[1].astype(int) - pictures[2]).mean() > 5, "the camera has"


def test_what_was_not_simulated_is_told(tmp_path: Path) -> None:
    told: queue.Queue[Any] = queue.Queue()
    camera = FreeCamera(lambda *what: told.put(what), lambda *what: told.put(what))
    camera.want(asked(make_bags(tmp_path, 1)[0]), (0,), Pose())
    query, why = told.get(timeout=60)
    camera.close()
    assert query == "q" and "was not simulated" in why


@given(st.lists(st.tuples(st.integers(-900, 900), st.integers(-900, 900), st.integers(-20, 20)), max_size=5))
def test_it_never_looks_from_below_or_from_too_far(moves: list[tuple[int, int, int]]) -> None:
    pose = Pose()
    for right, down, steps in moves:
        pose = pose.turned(right, down).nearer(steps)
    assert 0.0 <= pose.azimuth < 360.0 and -89.0 <= pose.elevation <= -5.0 and 0.3 <= pose.distance <= 4.0
