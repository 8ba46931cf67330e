"""The simulated teacher: how likely each answer is, by hand; each flaw per query and only once."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from rewardbot.errors import ConfigError, DataError
from rewardbot.feedback.feedback import Query, Ranking, Rating, Skip
from rewardbot.feedback.teachers.simulated import Simulated, SimulatedConfig, ranking, rating
from rewardbot.types import Segment

A, B, C = np.array([1.0, 0.0, 0.0]), np.array([0.0, 0.0, 2.0]), np.array([0.0, 0.0, 1.25])
FIRST, SECOND, EQUAL, SKIP = (0, 1), (1, 0), (0, 0), None
LN3 = math.log(3.0)


def config(**flaws: float) -> SimulatedConfig:
    return SimulatedConfig(**flaws)  # type: ignore[arg-type]


@pytest.mark.parametrize(("flaws", "clips", "expected"), [
    ({}, (A, B), {SECOND: 1.0}),
    ({}, (B, A), {FIRST: 1.0}),
    ({}, (A, A.copy()), {EQUAL: 1.0}),
    ({"rationality": 0.0}, (A, B), {FIRST: 0.5, SECOND: 0.5}),
    ({"rationality": LN3}, (A, B), {FIRST: 0.25, SECOND: 0.75}),
    ({"mistake": 0.1}, (A, B), {FIRST: 0.1, SECOND: 0.9}),
    ({"rationality": LN3, "mistake": 0.1}, (A, B), {FIRST: 0.25 * 0.9 + 0.75 * 0.1, SECOND: 0.75 * 0.9 + 0.25 * 0.1}),
    # Seen with weights 1/4, 1/2, 1: 0.25 and 1.25; all alike would be 1 and 1.25.
    ({"rationality": LN3, "myopia": 0.5}, (A, C), {FIRST: 0.25, SECOND: 0.75}),
    # Only the last step: a clip that was good before is worth nothing.
    ({"myopia": 0.0}, (np.array([9.0, 0.0]), np.array([0.0, 0.1])), {SECOND: 1.0}),
    ({"skip": 2.1}, (A, B), {SKIP: 1.0}),
    ({"skip": 2.0, "mistake": 1.0}, (A, B), {FIRST: 1.0}),
    ({"equal": 1.0, "mistake": 0.5}, (A, B), {EQUAL: 1.0}),
    ({"equal": 0.9}, (A, B), {SECOND: 1.0}),
    # Equal by the sums, as myopic as they are.
    ({"equal": 0.3, "myopia": 0.5}, (A, C), {EQUAL: 1.0}),
])
def test_a_pair(flaws: dict[str, float], clips: tuple[Any, Any], expected: dict[Any, float]) -> None:
    found = ranking(config(**flaws), clips)
    assert {said: share for said, share in found.items() if share > 0.0} == pytest.approx(expected)


def test_a_ranking() -> None:
    clips = [np.array([value]) for value in (LN3, math.log(2.0), 0.0)]
    found = ranking(config(rationality=1.0, mistake=0.1), clips)
    # Plackett and Luce with strengths 3, 2, 1: 3/6 * 2/3 of the true order, 1/6 * 2/5 of its opposite.
    assert found[0, 1, 2] == pytest.approx(0.9 / 3 + 0.1 / 15) and sum(found.values()) == pytest.approx(1.0)
    assert ranking(config(equal=0.5), clips) == pytest.approx({(0, 0, 1): 1.0, (1, 1, 0): 0.0})


@pytest.mark.parametrize(("flaws", "rewards", "expected"), [
    ({}, [0.5, 0.5], {4: 1.0}),
    ({}, [-3.0], {1: 1.0}),
    ({}, [1.0, 2.0], {7: 1.0}),
    ({"mistake": 1.0}, [-3.0], {7: 1.0}),
    ({"worst": 0.0, "best": 5.0}, [0.0, 3.0], {3: 1.0}),
    ({"worst": 0.0, "best": 5.0, "myopia": 0.5}, [0.0, 3.0], {4: 1.0}),  # seen as 2, on a cut
    ({"skip": 1.0}, [0.4, 0.5], {None: 1.0}),
])
def test_a_rating(flaws: dict[str, float], rewards: list[float], expected: dict[Any, float]) -> None:
    found = {said and said[0]: share for said, share in rating(config(**flaws), np.array(rewards)).items() if share > 0.0}
    assert found == expected


def test_a_noisy_rating() -> None:
    """Cuts 0, 1, ..., 5 seen from 0: half above the first, a quarter above the second with odds 1 : 3, a tenth above the third."""
    found = rating(config(rationality=LN3, worst=0.0, best=5.0), np.zeros(4))
    assert [found[level,] for level in (1, 2, 3)] == pytest.approx([0.5, 0.25, 0.25 - 0.1])
    assert sum(found.values()) == pytest.approx(1.0)


def segment(number: int) -> Segment:
    return Segment("e", number, number + 1)


def by_number(clip: Segment) -> np.ndarray:
    return np.arange(clip.start, clip.stop, dtype=float)


def query(number: int) -> Query:
    return Query(f"q{number}", "pair", (segment(number), segment(number + 1)), (0, 1))


def test_mistakes_are_made_at_the_same_rate_in_every_round() -> None:
    """Not once more for each round of questions, which would make .1 to .01 after a second one."""
    teacher = Simulated(by_number, config(mistake=0.1))
    wrong = []
    for start in range(0, 4000, 500):
        for number in range(start, start + 500):
            teacher.ask(query(number))
        answers = teacher.poll()
        assert len(answers) == 500 and teacher.poll() == []
        wrong.append(sum(isinstance(answer, Ranking) and answer.ranks == FIRST for answer in answers) / 500)
    assert np.mean(wrong) == pytest.approx(0.1, abs=4 * math.sqrt(0.09 / 4000))
    assert all(abs(share - 0.1) < 4 * math.sqrt(0.09 / 500) for share in wrong)


@given(st.permutations(range(20)))
def test_an_answer_depends_on_the_question_alone(order: list[int]) -> None:
    def answers(numbers: list[int]) -> dict[str, object]:
        teacher = Simulated(by_number, config(rationality=0.5, mistake=0.2), seed=3, clock=lambda: 1.0)
        for number in numbers:
            teacher.ask(query(number))
        return {answer.given.query: answer for answer in teacher.poll()}

    assert answers(order) == answers(list(range(20)))


def test_two_teachers_differ_by_their_seeds() -> None:
    said = []
    for seed in (0, 1):
        teacher = Simulated(by_number, config(rationality=0.0), seed=seed, name=f"s{seed}")
        for number in range(30):
            teacher.ask(query(number))
        said.append([answer.ranks for answer in teacher.poll() if isinstance(answer, Ranking)])
    assert said[0] != said[1]


def test_what_it_says_and_when() -> None:
    teacher = Simulated(by_number, config(skip=0.5, worst=0.0, best=3.0), clock=lambda: 12.0)
    teacher.ask(Query("r", "rating", (segment(2),), (0,)))
    teacher.ask(Query("s", "rating", (segment(0),), (0,)))
    first, second = teacher.poll()
    assert isinstance(first, Rating) and first.level == 5 and isinstance(second, Skip)
    assert (first.given.annotator, first.given.query, first.given.answered) == ("simulated", "r", 12.0)


@pytest.mark.parametrize(("rewards", "asked", "said"), [
    (by_number, Query("m", "mark", (segment(0),), (0,)), "asked for a mark(.|\n)*pair, ranking, rating"),
    (lambda clip: np.array([np.nan]), query(0), "true rewards of(.|\n)*1 finite numbers"),
    (lambda clip: np.zeros(3), query(0), "1 finite numbers"),
])
def test_what_it_cannot_answer(rewards: Any, asked: Query, said: str) -> None:
    teacher = Simulated(rewards)
    with pytest.raises(DataError, match=said):
        teacher.ask(asked)
    assert teacher.poll() == []


def test_a_scale_without_length() -> None:
    with pytest.raises(ConfigError, match="worst < best"):
        SimulatedConfig(worst=1.0, best=1.0)
