"""The alarm: by hand, and on rewards that are hacked and that are not."""

from __future__ import annotations

import json
import math
from collections.abc import Callable

import numpy as np
import pytest

from rewardbot.errors import DataError
from rewardbot.feedback.alarm import Alarm, AlarmConfig, RewardFrozen, fresh, risen
from rewardbot.feedback.asking import CHECK
from rewardbot.feedback.feedback import Given, Query, Rating, Side, answer_pair
from rewardbot.feedback.records import History, Record
from rewardbot.types import Segment

LOW, HIGH = np.arange(10.0), np.arange(10.0) + 100.0
NO_MARGIN = AlarmConfig(margin=0.0)


def test_the_evidence_by_hand() -> None:
    """Where .75 should agree, an answer that does not counts (1 - .75 s) / .25 = 3.1, 2.2 and 1.6 for s = .3, .6 and .8.

    Then one that does: (4.1 * .3 + 3.2 * .6 + 2.6 * .8) / 3 = 1.7433. c is 200 / .05 = 4000.
    """
    alarm = Alarm(NO_MARGIN)
    assert alarm.update([], 0.75, LOW, HIGH).evidence == 0.0
    assert alarm.update([0.0], 0.75, LOW, HIGH).evidence == pytest.approx(math.log(2.3) / math.log(4000))
    reading = alarm.update([1.0], [0.75], LOW, HIGH)
    assert reading.evidence == pytest.approx(math.log(1.743333) / math.log(4000))
    assert (reading.state, reading.answers, reading.agreed, reading.expected) == ("sound", 2, 1.0, 1.5)
    assert (reading.before, reading.now) == (4.5, 104.5)
    assert Alarm(NO_MARGIN).update([0.5], 0.75, LOW, HIGH).evidence == pytest.approx(  # half of 3.1 + .3, 2.2 + .6 and 1.6 + .8
        math.log((1.7 + 1.4 + 1.2) / 3) / math.log(4000))


def test_it_rings_when_both_hold_and_until_it_is_cleared() -> None:
    """With c = 4 / .5 = 8: after two wrong answers of three R is above it for the first time: (1 + 1.743) * about 2.3."""
    config = AlarmConfig(false_alarms=0.5, within=4, margin=0.0)
    alarm = Alarm(config)
    assert alarm.update([1.0, 1.0, 0.0], 0.75, LOW, HIGH).state == "sound"
    alarm.check()
    doubtful = alarm.update([0.0, 0.0], 0.75, HIGH, LOW)
    assert doubtful.state == "doubtful" and "ask more" in str(doubtful) and not alarm.ringing
    reading = alarm.update([0.0], 0.75, LOW, HIGH)
    assert reading.state == "ringing" and alarm.ringing and (reading.answers, reading.agreed, reading.expected) == (4, 0.0, 3.0)
    assert str(reading) == (
        "The policy has found a way to please the reward and not you: the learned return rose from 4.5 to 104, while 0 of the last 4 "
        "fresh answers agree with the reward, 3.0 should. The reward is frozen. Watch the newest episodes, answer questions about "
        "them, and clear the alarm when the reward agrees with you again.")
    assert alarm.update([1.0] * 50, 0.75, HIGH, LOW) == reading, "good answers alone do not end it"
    with pytest.raises(RewardFrozen, match="0 of the last 4") as caught:
        alarm.check()
    assert caught.value.exit_code == 2
    restarted = Alarm(config)
    restarted.load(json.loads(json.dumps(alarm.to_mapping())))
    assert restarted.ringing and restarted.update([], 0.75, LOW, HIGH) == reading and restarted.to_mapping() == alarm.to_mapping()
    alarm.clear()
    assert not alarm.ringing and alarm.update([], 0.75, LOW, HIGH).evidence == 0.0
    alarm.check()


def test_whether_the_return_rose() -> None:
    """A difference of 2 with variances of 2 over 2 episodes each: 2 / 2^.5 = 1.414 standard errors."""
    before, now = np.array([0.0, 2.0]), np.array([2.0, 4.0])
    assert risen(before, now, 1.4) and not risen(before, now, 1.42) and not risen(now, before, 0.0)
    assert not risen(before[:1], now, 0.0) and not risen(before, np.zeros(0), 0.0)


@pytest.mark.parametrize(("agreed", "expected", "now"), [([2.0], 0.8, HIGH), ([1.0], 1.2, HIGH), ([1.0], math.nan, HIGH),
                                                         ([1.0], 0.8, np.array([math.nan]))])
def test_what_cannot_be(agreed: list[float], expected: float, now: np.ndarray) -> None:
    alarm = Alarm()
    with pytest.raises(DataError, match=r"expected|finite"):
        alarm.update(agreed, expected, LOW, now)
    with pytest.raises(DataError, match="no state of an alarm"):
        alarm.load({"statistics": [1.0], "answers": [], "rung": None})
    assert alarm.to_mapping() == Alarm().to_mapping()


def rings_after(seed: int, agreement: Callable[[int, float], float], answers: int) -> int | None:
    """How many answers it takes, of some hard and some easy questions, in rounds of 10."""
    draw = np.random.default_rng(seed)
    alarm = Alarm()
    for number in range(0, answers, 10):
        expected = draw.choice([0.55, 0.7, 0.85, 0.95], 10)
        agreed = [float(draw.random() < agreement(number, share)) for share in expected]
        if alarm.update(agreed, expected.tolist(), LOW, HIGH).state == "ringing":
            return number + 10
    return None


def test_false_alarms_are_as_rare_as_promised() -> None:
    """Agreement at the worst that counts as sound, and a learned return that rises: 5% of 100 runs, 3 standard errors."""
    worst = [rings_after(seed, lambda number, share: share - 0.05, 200) is not None for seed in range(100)]
    assert np.mean(worst) < 0.05 + 3 * 0.022
    assert not any(rings_after(seed, lambda number, share: share, 200) for seed in range(20))


@pytest.mark.parametrize(("left", "within"), [(0.3, 20), (0.6, 50)])
def test_a_hacked_reward_is_found_soon(left: float, within: int) -> None:
    """Agreement falls after 100 answers to a share of what it was."""
    found = [rings_after(seed, lambda number, share: share * (1.0 if number < 100 else left), 300) for seed in range(20)]
    assert all(number is not None and number > 100 for number in found)
    assert np.median([number for number in found if number]) <= 100 + within


def test_fresh_answers_of_a_ledger() -> None:
    """Only pairs drawn by chance of which the reward that asked had said what it expects; the clip shown left is the second one."""
    history = History()

    def add(annotator: str, entry: object) -> None:
        history.add(Record(history.last + 1, 0.0, annotator, entry))  # type: ignore[arg-type]

    clips = (Segment("a", 0, 5), Segment("b", 0, 5))
    said: list[tuple[tuple[float, ...], Side]] = [
        ((0.8, 0.2), "right"), ((0.8, 0.2), "left"), ((0.1, 0.3, 0.6), "left"), ((0.6, 0.4), "equal"), ((), "left"),
        ((0.9, 0.1), "skip")]
    for n, (predicted, side) in enumerate(said):
        for strategy in (CHECK if n % 2 else "uniform", "disagreement", "uniform k_center"):
            query = Query(f"q{n} {strategy}", "pair", clips, (1, 0), predicted=predicted, strategy=strategy)
            add("", query)
            add("x", answer_pair(query, side, Given("x", query.id)))
    add("x", Rating(clips[0], 3, Given("x")))
    assert fresh(history) == ([0.8, 0.8, pytest.approx(0.75), 0.6], [1.0, 0.0, 1.0, 0.5])
