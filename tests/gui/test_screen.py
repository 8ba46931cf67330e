"""Windows that cannot be opened."""

from __future__ import annotations

import pytest

from rewardbot.errors import ConfigError
from rewardbot.gui.screen import check_screen

pytestmark = pytest.mark.gui


def test_with_a_screen_there_is_nothing_to_say(screen: str) -> None:
    check_screen()


@pytest.mark.parametrize("display", ["", ":4711"])
def test_without_a_screen_it_says_so_instead_of_dying(screen: str, monkeypatch: pytest.MonkeyPatch, display: str) -> None:
    monkeypatch.setenv("DISPLAY", display)
    with pytest.raises(ConfigError, match=f"DISPLAY is '{display}'"):
        check_screen()


def test_a_platform_without_a_screen_needs_none(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("QT_QPA_PLATFORM", "offscreen")
    monkeypatch.delenv("DISPLAY", raising=False)
    check_screen()
