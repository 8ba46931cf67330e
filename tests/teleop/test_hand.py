"""From keys to what the hand says."""

from __future__ import annotations

import math
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rewardbot.teleop.bindings import GAMEPAD, KEYBOARD, SPACEMOUSE, Bindings
from rewardbot.teleop.hand import DEADBAND, Hand, Reading


def reading(table: Bindings, **keys: float) -> Reading:
    hand = Hand(table)
    hand.update({key.replace("_", " "): value for key, value in keys.items()})
    return hand.read()


def test_keys_are_full_axes_and_opposite_ones_cancel() -> None:
    assert reading(KEYBOARD, w=1, d=1, r=1).motion.tolist() == [1.0, -1.0, 1.0]
    assert reading(KEYBOARD, w=1, s=1).motion.tolist() == [0.0, 0.0, 0.0]


def test_on_a_keyboard_whatever_moves_is_the_dead_mans_switch_and_so_is_space() -> None:
    assert reading(KEYBOARD, w=1).held and reading(KEYBOARD, e=1).held and reading(KEYBOARD, Space=1).held
    assert not reading(KEYBOARD, y=1).held and not reading(KEYBOARD).held


def test_a_gamepad_has_one_and_without_it_its_sticks_do_nothing() -> None:
    assert not reading(GAMEPAD, axis_1=1.0, button_0=1).held
    driving = reading(GAMEPAD, axis_1=1.0, axis_0=-1.0, axis_4=-1.0, button_4=1)
    assert driving.held and driving.motion.tolist() == [1.0, -1.0, -1.0]


def test_a_spacemouse_takes_over_when_it_is_touched() -> None:
    assert not reading(SPACEMOUSE, x=0.05).held
    touched = reading(SPACEMOUSE, x=-0.55)
    assert touched.held and touched.motion == pytest.approx([-0.5, 0.0, 0.0])


@given(st.floats(-1.0, 1.0))
def test_sticks_begin_softly_beyond_the_middle_and_reach_the_full_speed(value: float) -> None:
    moved = reading(SPACEMOUSE, y=value).motion[1]
    assert moved == pytest.approx(math.copysign(max(0.0, (abs(value) - DEADBAND) / (1 - DEADBAND)), value))


@given(st.lists(st.sets(st.sampled_from(["w", "e", "q", "y", "]"]))))
def test_each_press_counts_once_whenever_one_looks(states: list[set[str]]) -> None:
    hand = Hand(KEYBOARD)
    for down in states:
        hand.update(dict.fromkeys(down, 1.0))
    pressed = hand.read().pressed
    for key, action in {"e": "close", "q": "open", "y": "success", "]": "faster"}.items():
        edges = sum(key in after and key not in before for before, after in pairwise([set(), *states]))
        assert pressed.count(action) == edges
    assert hand.read().pressed == ()


@pytest.mark.parametrize("value", [float("nan"), float("inf"), -float("inf")])
def test_what_is_no_number_is_no_motion(value: float) -> None:
    assert not reading(SPACEMOUSE, x=value).held


def test_an_axis_can_be_a_button() -> None:
    hand = Hand(GAMEPAD)
    for value in (0.3, 0.7, 1.0, 0.0):
        hand.update({"axis 7+": value})
    assert hand.read().pressed == ("faster",)


def test_a_device_that_is_gone_holds_nothing_and_when_it_is_back_the_switch_must_be_let_go_first() -> None:
    hand = Hand(KEYBOARD)
    hand.update({"w": 1.0})
    hand.release()
    assert not hand.read().held
    hand.update({"w": 1.0})
    assert not hand.read().held
    hand.update({})
    hand.update({"w": 1.0})
    assert hand.read().held
