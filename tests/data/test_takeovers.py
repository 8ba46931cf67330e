"""Takeovers as spans and as a mask, and the steps before them."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from rewardbot.data.takeovers import TAKEOVERS, spans, steps_before, steps_taken_over
from rewardbot.errors import DataError
from rewardbot.types import EpisodeInfo

MASKS = st.lists(st.booleans(), max_size=40).map(lambda mask: np.array(mask, np.bool_))


def info(*taken: object) -> EpisodeInfo:
    return EpisodeInfo("e", "lift", "sim_arm", "policy", extra={TAKEOVERS: list(taken)})


def test_mask_of_two_takeovers() -> None:
    assert steps_taken_over(info([0, 2], (3, 4)), 5).tolist() == [True, True, False, True, False]


def test_nobody_took_over() -> None:
    assert not steps_taken_over(EpisodeInfo("e", "lift", "sim_arm", "policy"), 3).any()


@given(MASKS)
def test_spans_are_the_inverse(mask: np.ndarray) -> None:
    assert steps_taken_over(info(*spans(mask)), len(mask)).tolist() == mask.tolist()


@pytest.mark.parametrize("span", [[2, 2], [-1, 1], [0, 6], [1], [1, 2, 3], "ab", 3, [0.0, 2.5], [True, 2], None, {"0": 2}])
def test_nonsense(span: object) -> None:
    with pytest.raises(DataError, match=r"Episode e .*takeover"):
        steps_taken_over(info(span), 5)


@pytest.mark.parametrize("found", [5, "[0, 2]", {"start": 0}, None])
def test_no_list_at_all(found: object) -> None:
    with pytest.raises(DataError, match="Episode e has the takeover"):
        steps_taken_over(EpisodeInfo("e", "lift", "sim_arm", "policy", extra={TAKEOVERS: found}), 5)


def steps(text: str) -> list[bool]:
    return [letter != "." for letter in text]


@pytest.mark.parametrize(("taken", "before"), [
    ("....oo..", "..xx...."),
    (".oo.....", "x......."),
    ("oo......", "........"),
    ("..o.o...", "xx.x...."),
    ("......oo", "....xx.."),
    ("........", "........"),
])
def test_the_two_steps_before(taken: str, before: str) -> None:
    assert steps_before(np.array(steps(taken)), 2).tolist() == steps(before)


@given(MASKS, st.integers(0, 5))
def test_steps_before_are_the_policys_own_and_near_a_takeover(mask: np.ndarray, count: int) -> None:
    found = steps_before(mask, count)
    for step in range(len(mask)):
        soon = any(not mask[start - 1 : start].any() and mask[start] for start in range(step + 1, min(len(mask), step + count + 1)))
        assert found[step] == (soon and not mask[step])
