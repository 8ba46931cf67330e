"""Colours of the desktop."""

from __future__ import annotations

from typing import Any

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
