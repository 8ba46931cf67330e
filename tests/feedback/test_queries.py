"""Scores of questions against values computed by hand, and what the wrappers make of them."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from rewardbot.errors import ConfigError, DataError
from rewardbot.feedback import queries
from rewardbot.feedback.feedback import Given, Kind, Query, Ranking, Skip
from rewardbot.types import Segment

RNG = np.random.default_rng(0)

# Two members, three candidates, two answers: they differ on the first, both toss a coin on the second, agree on the third.
P = np.array([[[0.9, 0.1], [0.5, 0.5], [0.8, 0.2]], [[0.1, 0.9], [0.5, 0.5], [0.8, 0.2]]])
LN2, H9, H8 = math.log(2.0), 0.32508297, 0.50040242  # entropies of (1/2, 1/2), (.9, .1) and (.8, .2) in nats


@pytest.mark.parametrize(("name", "expected"), [
    ("disagreement", [0.32, 0.0, 0.0]),
    ("entropy", [LN2, LN2, H8]),
    ("mutual_information", [LN2 - H9, 0.0, 0.0]),
    ("volume_removal", [0.5, 0.5, 0.32]),
    ("thompson", [0.8, 0.0, 0.0]),
])
def test_scores_by_hand(name: str, expected: list[float]) -> None:
    np.testing.assert_allclose(queries.SCORES[name](P, RNG), expected, atol=1e-7)


def test_three_answers_by_hand() -> None:
    p = np.array([[[1.0, 0.0, 0.0]], [[0.0, 1.0, 0.0]], [[0.0, 0.0, 1.0]]])
    expected_of = {"disagreement": 2 / 3, "mutual_information": math.log(3), "volume_removal": 2 / 3, "thompson": 1.0}
    for name, expected in expected_of.items():
        np.testing.assert_allclose(queries.SCORES[name](p, RNG), [expected], atol=1e-12)


def test_volume_removal_wants_the_smallest_sum_of_squares() -> None:
    """The sign that is easily turned round: of a sure and an open question it asks the open one."""
    p = np.array([[[0.99, 0.01], [0.4, 0.6]]])
    assert queries.choose("volume_removal", p, 1, RNG) == [1]


def test_uniform_asks_everything_in_the_end() -> None:
    chosen = [queries.choose("uniform", P, 1, RNG)[0] for _ in range(300)]
    assert all(70 <= chosen.count(candidate) <= 130 for candidate in range(3))


def test_thompson_draws_two_members_for_each_question() -> None:
    """Members 0 and 1 differ on the first candidate, 2 from both on the second only."""
    p = np.array([[[1.0, 0.0], [1.0, 0.0]], [[0.0, 1.0], [1.0, 0.0]], [[0.5, 0.5], [0.0, 1.0]]])
    first = [queries.choose("thompson", p, 2, RNG)[0] for _ in range(300)]
    assert 70 <= first.count(0) <= 130, "one pair of three"
    assert sorted(queries.choose("thompson", p, 5, RNG)) == [0, 1]


probabilities = arrays.arrays(np.float64, st.tuples(st.integers(2, 4), st.integers(1, 5), st.integers(2, 4)),
                              elements=st.floats(0.01, 1.0)).map(lambda raw: raw / raw.sum(axis=-1, keepdims=True))


@given(probabilities, st.sampled_from(sorted(queries.SCORES)), st.integers(1, 6))
def test_a_choice_is_of_different_candidates_and_blind_to_the_names_of_answers(p: np.ndarray, name: str, n: int) -> None:
    queries.check(p)
    chosen = queries.choose(name, p, n, np.random.default_rng(0))
    assert len(chosen) == len(set(chosen)) == min(n, p.shape[1])
    scores, turned = (queries.SCORES[name](q, np.random.default_rng(0)) for q in (p, p[..., ::-1]))
    assert (scores >= 0.0).all()
    np.testing.assert_allclose(scores, turned, atol=1e-12)


@given(probabilities)
def test_an_answer_tells_no_more_than_its_entropy(p: np.ndarray) -> None:
    assert (queries.mutual_information(p, RNG) <= queries.entropy(p, RNG) + 1e-12).all()


@pytest.mark.parametrize(("p", "said"), [
    (np.full((2, 3), 0.5), r"shape \(2, 3\)"),
    (np.zeros((2, 0, 2)), r"shape \(2, 0, 2\)"),
    (np.array([[[0.5, 0.5], [np.nan, 0.5]]]), "candidate 1(.|\n)*member 0(.|\n)*NaN"),
    (np.array([[[0.5, 0.6]]]), "candidate 0"),
    (np.array([[[-0.5, 1.5]]]), "candidate 0"),
])
def test_what_is_no_probability_is_refused(p: np.ndarray, said: str) -> None:
    with pytest.raises(DataError, match=said):
        queries.choose("entropy", p, 1, RNG)


def test_wrong_names_and_too_few_members() -> None:
    with pytest.raises(ConfigError, match=r"named 'disagrement'(.|\n)*Did you mean 'disagreement'"):
        queries.choose("disagrement", P, 1, RNG)
    with pytest.raises(ConfigError, match="two or more"):
        queries.choose("thompson", P[:1], 1, RNG)


def test_k_center_spreads_over_the_best() -> None:
    # On a line: the best, its neighbour, one far away, one between, and a bad one still farther.
    features = np.array([[0.0], [0.1], [10.0], [4.0], [99.0]])
    scores = np.array([1.0, 0.9, 0.8, 0.7, 0.1])
    assert queries.k_center(scores, features, 3, pool=10) == [0, 4, 2]
    assert queries.k_center(scores, features, 2, pool=2) == [0, 2], "of the four best"
    assert queries.k_center(scores, features, 3, pool=1) == [0, 2, 1], "of the three best, again from the best on"
    assert sorted(queries.k_center(scores, features, 9)) == [0, 1, 2, 3, 4]


def test_a_diverse_batch_does_not_ask_the_same_twice() -> None:
    # The second is the first again, the third is at a right angle, the fourth at 60 degrees to the first.
    vectors = np.array([[1.0, 0.0], [2.0, 0.0], [0.0, 1.0], [0.5, math.sqrt(0.75)]])
    scores = np.array([1.0, 0.99, 0.5, 0.8])
    # After the first: 0 of the second, .5 of the third, .8 (1 - .25) = .6 of the fourth.
    assert queries.batch_diverse(scores, vectors, 2) == [0, 3]
    # A tie of nothing left goes to the first.
    assert queries.batch_diverse(scores, vectors, 4) == [0, 3, 1, 2]
    assert queries.batch_diverse(np.zeros(2), np.zeros((2, 3)), 2) == [0, 1]


def test_deviations_of_questions_that_tell_each_other_point_one_way() -> None:
    p = np.array([[[0.9, 0.1], [0.8, 0.2], [0.6, 0.4]], [[0.1, 0.9], [0.2, 0.8], [0.6, 0.4]]])
    first, second, third = queries.deviations(p)
    np.testing.assert_allclose(first, [0.4, -0.4, -0.4, 0.4])
    assert first @ second == pytest.approx(np.linalg.norm(first) * np.linalg.norm(second)) and not third.any()


def test_the_kind_of_question_that_tells_most_per_second() -> None:
    information: dict[Kind, np.ndarray] = {"pair": np.array([0.6, 0.1]), "rating": np.array([0.5]), "ranking": np.array([1.2, 2.4])}
    seconds: dict[Kind, float] = {"pair": 5.0, "rating": 2.0, "ranking": 16.0}
    # .12 and .02, .25, .075 and .15 nats per second.
    assert queries.by_rate(information, seconds, 3) == [("rating", 0), ("ranking", 1), ("pair", 0)]


def test_seconds_are_those_of_this_operator_and_skips_cost_too() -> None:
    clips = (Segment("a", 0, 5), Segment("b", 0, 5))
    asked = {str(number): Query(str(number), "pair", clips, (0, 1)) for number in range(8)}

    def said(number: int, seconds: float) -> Ranking | Skip:
        by = Given("anna", str(number), seconds=seconds)
        return Skip(by) if number > 4 else Ranking(clips, (0, 1), by)

    responses = [said(number, seconds) for number, seconds in enumerate([2.0, 2.0, 3.0, 4.0, 3600.0, 1.0, 5.0, 3.0])]
    found = queries.operator_seconds(asked, responses)
    assert found["pair"] == pytest.approx(3.0 * 8 / 5) and found["rating"] == queries.SECONDS["rating"]
    assert queries.operator_seconds(asked, responses[1:])["pair"] == queries.SECONDS["pair"], "four answers are too few"
