"""Clips as they are drawn: in their shape, greyed when they have ended, and with a ring when they have the focus."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PyQt5.QtCore import QRect, QSize

from rewardbot.gui import theme
from rewardbot.gui.clips import Clip
from rewardbot.gui.preference_parts import ClipView, _cells
from rewardbot.types import Segment

pytestmark = pytest.mark.gui

SIDES = st.integers(16, 640)


@settings(deadline=None, max_examples=100)
@given(st.lists(st.tuples(SIDES, SIDES), min_size=1, max_size=4), st.tuples(st.integers(100, 2000), st.integers(100, 2000)))
def test_pictures_keep_their_shape_and_stand_beside_each_other(sizes: list[tuple[int, int]], room: tuple[int, int]) -> None:
    whole = QRect(3, 5, *room)
    cells = _cells([QSize(*size) for size in sizes], whole)
    for (width, height), cell in zip(sizes, cells, strict=True):
        by = cell.width() / width
        assert abs(cell.height() - by * height) <= 1.0 + height / width, "less than a pixel of its width"
        assert whole.adjusted(-1, -1, 1, 1).contains(cell)
    for number, cell in enumerate(cells):
        assert not any(cell.intersects(other) for other in cells[:number])


@pytest.fixture
def view(qtbot: Any) -> ClipView:
    """Of an orange clip, 400 by 300 pixels large."""
    frames = np.full((3, 32, 48, 3), (240, 120, 0), np.uint8)
    found = ClipView(theme.DARK, 16, lambda: None)
    qtbot.addWidget(found)
    found.resize(400, 300)
    found.show_clip(Clip(Segment("a", 0, 2), (0.0, 0.1, 0.2), {"front": frames}))
    found.show_frame(0, over=False)
    return found


def test_a_clip_that_has_ended_is_grey(view: ClipView) -> None:
    def colour(over: bool) -> tuple[int, ...]:
        view.show_frame(2, over=over)
        return view.grab().toImage().pixelColor(200, 150).getRgb()[:3]

    assert colour(False) == (240, 120, 0)
    assert np.abs(np.array(colour(True)) - (240, 120, 0)).max() > 60, "the ground shows through"


def test_what_has_the_focus_has_a_ring(view: ClipView, qtbot: Any) -> None:
    def ring() -> int:
        """Pixels of its colour."""
        shown = view.grab().toImage()
        return sum(shown.pixelColor(x, y).name() == theme.DARK.colours["good"] for x in range(400) for y in (100, 150, 200))

    view.show()
    view.clearFocus()
    assert ring() == 0
    view.activateWindow()
    view.setFocus()
    qtbot.waitUntil(view.hasFocus)
    assert ring() >= 6, "on both sides of the picture"
