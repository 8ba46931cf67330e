"""Answer probabilities against values computed by hand and against each other."""

from __future__ import annotations

import itertools
import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from rewardbot.errors import ConfigError
from rewardbot.feedback import answers

utilities = arrays.arrays(np.float64, st.tuples(st.integers(1, 3), st.integers(2, 4)), elements=st.floats(-50.0, 50.0))


def test_pairs_by_hand() -> None:
    np.testing.assert_allclose(answers.pair(np.array([math.log(3.0), 0.0])), [0.75, 0.25])
    # Davidson: 4, 1 and 2 * sqrt(4 * 1) = 4 of 9.
    np.testing.assert_allclose(answers.pair(np.array([math.log(4.0), 0.0]), ties=2.0), [4 / 9, 1 / 9, 4 / 9])
    np.testing.assert_allclose(answers.pair(np.array([1e9, -1e9]), ties=0.5), [1.0, 0.0, 0.0])


def test_rankings_by_hand() -> None:
    # Strengths 3, 2, 1: (0, 1, 2) is 3/6 * 2/3, (2, 1, 0) is 1/6 * 2/5.
    found = dict(zip(itertools.permutations(range(3)), answers.ranking(np.log([3.0, 2.0, 1.0])), strict=True))
    assert found[0, 1, 2] == pytest.approx(1 / 3) and found[2, 1, 0] == pytest.approx(1 / 15)


@given(utilities, st.floats(-1e3, 1e3))
def test_rankings_are_probabilities_and_ignore_an_offset(utility: np.ndarray, offset: float) -> None:
    found = answers.ranking(utility)
    np.testing.assert_allclose(found.sum(axis=-1), 1.0)
    np.testing.assert_allclose(found, answers.ranking(utility + offset), atol=1e-9)


@given(arrays.arrays(np.float64, (3, 2), elements=st.floats(-50.0, 50.0)))
def test_a_ranking_of_two_is_a_pair(utility: np.ndarray) -> None:
    np.testing.assert_allclose(answers.ranking(utility), answers.pair(utility), atol=1e-12)


def test_too_many_clips_to_rank() -> None:
    with pytest.raises(ConfigError, match=r"6 clips(.|\n)*At most 5"):
        answers.ranking(np.zeros(6))


def test_ratings_by_hand() -> None:
    # Above the cut with 3 : 1 and 1 : 3.
    cuts = np.array([-math.log(3.0), math.log(3.0)])
    np.testing.assert_allclose(answers.rating(np.array([0.0]), cuts), [[0.25, 0.5, 0.25]])
    np.testing.assert_allclose(answers.rating(np.array(1e9), cuts), [0.0, 0.0, 1.0], atol=1e-12)
