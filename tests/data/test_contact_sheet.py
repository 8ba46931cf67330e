"""Which moments are shown where, and that a takeover shows in colour and in words."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from rewardbot.data import contact_sheet
from rewardbot.data.contact_sheet import CELL, captioned, moments, sheet, stack
from rewardbot.types import Episode

ORANGE = np.array(contact_sheet._HAND)


@given(steps=st.integers(1, 2000), columns=st.integers(2, 64))
def test_moments(steps: int, columns: int) -> None:
    shown = moments(steps, columns)
    assert shown[0] == 0 and shown[-1] == steps and shown == sorted(set(shown)) and len(shown) == min(columns, steps + 1)
    assert np.ptp(np.diff(shown)) <= 1


@pytest.fixture
def episode(make_episode: Callable[..., Episode]) -> Episode:
    """Each image has the colour of its step: no orange in it."""
    made = make_episode(steps=5)
    images = {name: np.broadcast_to(np.arange(6, dtype=np.uint8).reshape(6, 1, 1, 1) * 20, of.shape).copy()
              for name, of in made.images.items()}
    return replace(made, images=images)


def orange(picture: np.ndarray) -> np.ndarray:
    return (picture == ORANGE).all(-1)


def with_takeover(episode: Episode, *spans: list[int]) -> Episode:
    return replace(episode, info=replace(episode.info, extra={"takeovers": list(spans)}))


def test_a_row_per_camera_and_a_column_per_moment(episode: Episode) -> None:
    picture = sheet(episode, columns=3)
    width = contact_sheet._GAP + 3 * (CELL + contact_sheet._GAP)
    heights = [round(CELL * 8 / 10), CELL]  # of the cameras, 10x8 and 8x8
    assert picture.shape[1] == width and picture.dtype == np.uint8
    y = contact_sheet._TITLE
    for height in heights:
        for column, step in enumerate((0, 2, 5)):
            x = contact_sheet._GAP + column * (CELL + contact_sheet._GAP)
            assert (picture[y + height // 2, x + CELL // 2] == step * 20).all()
        y += height + contact_sheet._GAP
    assert not orange(picture).any()
    assert stack([picture, sheet(episode, columns=2)]).shape == (2 * picture.shape[0], width, 3)


def test_takeovers_show(episode: Episode) -> None:
    plain, taken = sheet(episode, columns=6), sheet(with_takeover(episode, [1, 3]), columns=6)
    assert plain.shape == taken.shape
    columns = [contact_sheet._GAP + column * (CELL + contact_sheet._GAP) for column in range(6)]
    frames = [orange(taken)[contact_sheet._TITLE : -40, x - 3 : x + CELL + 3].any() for x in columns]
    assert frames == [False, True, True, False, False, False]
    line = orange(taken)[-contact_sheet._GAP - contact_sheet._LINE // 2]
    share = np.flatnonzero(line) / taken.shape[1]
    assert share.min() == pytest.approx(1 / 5, abs=0.02) and share.max() == pytest.approx(3 / 5, abs=0.02)
    between = sheet(with_takeover(episode, [1, 2]), columns=2)
    assert orange(between).any(), "the line tells of a takeover between the moments that are shown"


def test_a_frame_of_a_film(episode: Episode) -> None:
    episode, frame = with_takeover(episode, [1, 2]), np.zeros((64, 128, 3), np.uint8)
    shown = [captioned(frame, episode, step, scale=2) for step in range(6)]
    assert {picture.shape for picture in shown} == {(128 + 2 * contact_sheet._LABEL + 2, 256, 3)}
    assert [orange(picture).any() for picture in shown] == [False, True, False, False, False, False]
    verdicts = {np.asarray(captioned(frame, replace(episode, info=replace(episode.info, success=success)), 0)).tobytes()
                for success in (True, False, None)}
    assert len(verdicts) == 3
