"""Matching true success with the ends of episodes, and observations by stamp."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

from rewardbot.data.decode import EpisodeEvent
from rewardbot.ros.joiner import StampJoiner
from rewardbot.ros.scores import OBSERVED, ScoreKeeper
from rewardbot.types import EpisodeInfo


def end(run: int, **extra: int) -> EpisodeEvent:
    return EpisodeEvent("end", 0, EpisodeInfo("a", "lift", "sim_arm", "evaluation", extra={"run": run, **extra}), steps=25)


def successes(scores: ScoreKeeper) -> list[bool | None]:
    return [score.success for score in scores.scores]


def test_the_truth_of_the_last_observation_counts_even_when_later_ones_have_come() -> None:
    scores = ScoreKeeper()
    for number, (sent, value) in enumerate([(10, False), (20, True), (40, False)]):  # 40: the next episode's first observation
        scores.truth(sent, value, number)
    scores.ended(30, end(1))
    assert successes(scores) == [True] and scores.count(1) == 1


def test_in_real_time_the_end_tells_which_observation_was_the_last() -> None:
    scores = ScoreKeeper()
    for number, (sent, value) in enumerate([(10, True), (20, False)]):  # 20: the robot ticked on while the end was on its way
        scores.truth(sent, value, number)
    scores.ended(30, end(1, **{OBSERVED: 11}))
    assert successes(scores) == [True]


def test_the_truth_of_a_robot_before_is_not_that_of_the_one_that_was_started_again() -> None:
    scores, second = ScoreKeeper(), 10**9
    scores.truth(1 * second, True, 900)
    scores.ended(5 * second, end(1, **{OBSERVED: 4 * second}))  # nothing was heard of the new one
    scores.truth(6 * second, True, 7)  # its numbers begin again; those before were lost
    scores.ended(7 * second, end(1, **{OBSERVED: 6 * second + 1}))
    assert successes(scores) == [None, True]


def test_without_truth_there_is_no_score() -> None:
    scores = ScoreKeeper()
    scores.ended(5, end(1))
    scores.truth(10, True, 7)
    scores.ended(20, end(2))
    assert successes(scores) == [None, True] and scores.count(1) == scores.count(2) == 1


def test_a_lost_truth_is_never_replaced_by_an_older_one() -> None:
    scores = ScoreKeeper()
    for sent, value, number in [(10, True, 1), (40, False, 4), (50, True, 5)]:  # 20 and 30 were lost
        scores.truth(sent, value, number)
    scores.ended(35, end(1))
    scores.ended(45, end(1))
    scores.ended(55, end(1))
    assert successes(scores) == [None, False, True]


def message(stamp: int) -> Any:
    return SimpleNamespace(header=SimpleNamespace(stamp=SimpleNamespace(sec=0, nanosec=stamp)))


def test_a_whole_is_told_once_all_parts_have_the_same_stamp() -> None:
    joiner = StampJoiner(["a", "b"])
    assert joiner.add("a", message(1)) is None
    assert joiner.add("a", message(2)) is None
    found = joiner.add("b", message(2))
    assert found is not None and found[0] == 2 and set(found[1]) == {"a", "b"}
    assert joiner.add("b", message(1)) is None, "what is older than an answered whole is forgotten"


def test_a_repeated_whole_is_told_again() -> None:
    joiner = StampJoiner(["a", "b"])
    for _ in range(2):
        joiner.add("a", message(1))
        assert joiner.add("b", message(1)) is not None


def test_incomplete_stamps_do_not_pile_up() -> None:
    joiner = StampJoiner(["a", "b"], keep=3)
    for stamp in range(1, 100):
        joiner.add("a", message(stamp))
    assert joiner.add("b", message(1)) is None
    assert joiner.add("b", message(99)) is not None


def test_a_clock_that_goes_back_is_followed_at_once() -> None:
    joiner = StampJoiner(["a", "b"])
    for stamp in range(1000, 1010):
        joiner.add("a", message(stamp))  # incomplete, of the robot before
    joiner.add("a", message(1))
    assert joiner.missing() == "b"
    found = joiner.add("b", message(1))
    assert found is not None and found[0] == 1
    assert joiner.add("b", message(1009)) is None, "what came before the answered whole is forgotten"
