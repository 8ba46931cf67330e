"""Takeovers as spans and as a mask."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from rewardbot.data.takeovers import TAKEOVERS, spans, steps_taken_over
from rewardbot.errors import DataError
from rewardbot.types import EpisodeInfo


def info(*taken: object) -> EpisodeInfo:
    return EpisodeInfo("e", "lift", "sim_arm", "policy", extra={TAKEOVERS: list(taken)})


def test_mask_of_two_takeovers() -> None:
    assert steps_taken_over(info([0, 2], [3, 4]), 5).tolist() == [True, True, False, True, False]


def test_nobody_took_over() -> None:
    assert not steps_taken_over(EpisodeInfo("e", "lift", "sim_arm", "policy"), 3).any()


@given(st.lists(st.booleans(), max_size=40))
def test_spans_are_the_inverse(mask: list[bool]) -> None:
    found = spans(np.array(mask, np.bool_))
    assert steps_taken_over(info(*found), len(mask)).tolist() == mask


@pytest.mark.parametrize("span", [[2, 2], [-1, 1], [0, 6], [1], "ab", 3])
def test_nonsense(span: object) -> None:
    with pytest.raises(DataError):
        steps_taken_over(info(span), 5)
