"""Tables of keys."""

from __future__ import annotations

import pytest

from rewardbot.errors import ConfigError
from rewardbot.teleop.bindings import DRIVING, GAMEPAD, KEYBOARD, SERVICES, SPACEMOUSE, Binding, Bindings


@pytest.mark.parametrize("table", [KEYBOARD, GAMEPAD, SPACEMOUSE])
def test_every_device_can_drive_in_all_directions_and_grip(table: Bindings) -> None:
    hands = {row.action for row in table.rows}
    assert {"forward", "left", "up", "open", "close"} <= hands


@pytest.mark.parametrize("table", [KEYBOARD, GAMEPAD])
def test_whoever_has_the_keys_can_conduct_episodes(table: Bindings) -> None:
    assert set(SERVICES) <= {row.action for row in table.rows}
    assert {row.action for row in table.rows} <= {*SERVICES, *DRIVING}


def test_esc_is_the_stop_of_the_robot() -> None:
    (row,) = [row for row in KEYBOARD.rows if row.key == "Esc"]
    assert SERVICES[row.action] == "stop" and row.description.startswith("Stop")


def test_two_actions_on_one_key_are_refused() -> None:
    with pytest.raises(ConfigError, match=r"'w' is bound to 'forward' and 'open'"):
        Bindings((Binding("w", "forward", "forward"), Binding("w", "open", "open")))
    with pytest.raises(ConfigError, match=r"'w' is bound to 'forward' and 'success'"):
        KEYBOARD.rebound("success=w")


def test_keys_may_be_changed_and_swapped() -> None:
    changed = {row.action: row.key for row in KEYBOARD.rebound("success=n, failure=y,again=").rows}
    assert changed["success"] == "n" and changed["failure"] == "y" and "again" not in changed
    descriptions = {row.action: row.description for row in KEYBOARD.rows}
    assert all(row.description == descriptions[row.action] for row in KEYBOARD.rebound("success=p").rows)


@pytest.mark.parametrize(("change", "says"), [("success", "binds nothing"), ("sucess=p", "Did you mean 'success'")])
def test_a_change_that_says_nothing_is_refused(change: str, says: str) -> None:
    with pytest.raises(ConfigError, match=says):
        KEYBOARD.rebound(change)
    with pytest.raises(ConfigError, match="no action named 'fly'"):
        Bindings((Binding("w", "fly", "fly"),))


def test_the_help_has_a_line_for_each_key() -> None:
    lines = KEYBOARD.help().splitlines()
    assert len(lines) == len(KEYBOARD.rows) and "Esc        Stop: the arm holds until it is cleared" in lines
