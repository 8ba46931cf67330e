"""Colours of the desktop."""

from __future__ import annotations

from itertools import product
from typing import Any

import numpy as np
import pytest
from PyQt5.QtGui import QColor, QPalette

from rewardbot.gui import theme

pytestmark = pytest.mark.gui


@pytest.mark.parametrize(("window", "expected"), [("#f0f0f0", theme.LIGHT), ("#202020", theme.DARK)])
def test_the_systems_colours_are_those_before_ours(qapp: Any, window: str, expected: theme.Looks) -> None:
    before = qapp.palette()
    palette = QPalette(before)
    palette.setColor(QPalette.ColorRole.Window, QColor(window))
    qapp.setProperty(theme._DESKTOP, None)
    qapp.setPalette(palette)
    try:
        assert theme.looks("system", qapp) is expected
        theme.apply(qapp, theme.DARK)
        theme.apply(qapp, theme.LIGHT)
        assert theme.looks("system", qapp) is expected
        assert theme.looks("light", qapp) is theme.LIGHT and theme.looks("dark", qapp) is theme.DARK
    finally:
        qapp.setProperty(theme._DESKTOP, None)
        qapp.setPalette(before)


def test_texts_can_be_read_in_both_looks() -> None:
    def luminance(colour: str) -> float:
        channels = np.array([int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)])
        return float(np.where(channels <= 0.04045, channels / 12.92, ((channels + 0.055) / 1.055) ** 2.4) @ (0.2126, 0.7152, 0.0722))

    for looks in (theme.DARK, theme.LIGHT):
        for colour, ground in product((*looks.colours.values(), looks.soft), (looks.ground, looks.raised)):
            light, dark = sorted((luminance(colour), luminance(ground)), reverse=True)
            assert (light + 0.05) / (dark + 0.05) >= 4.5, (colour, ground)
    assert len(set(theme.SIGNS.values())) == len(theme.SIGNS) == len(theme.DARK.colours), "colours are never the only sign"
