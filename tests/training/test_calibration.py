"""Held-out answers: accuracy, calibration by hand, and a split that repetitions do not see through."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch

from rewardbot.errors import DataError
from rewardbot.feedback.feedback import Given, Ranking
from rewardbot.rewards.preference import PreferenceConfig, PreferenceReward
from rewardbot.training.calibration import Foretold, calibration_error, cross_validate, promised, reliability, trust
from rewardbot.types import Segment
from tests.rewards.synthetic import episodes

CONFIG = PreferenceConfig(sees=("features",), members=2, layers=0, steps=60, rate=0.1)
CLIPS = [Segment("e", n, n + 1) for n in range(60)]


def foretold(confidence: list[float], agreed: list[float], weight: list[float] | None = None) -> Foretold:
    return Foretold(np.array(confidence), np.array(agreed), np.array(weight or [1.0] * len(agreed)), ("x",) * len(agreed))


def test_calibration_by_hand() -> None:
    """Bins [.5, .6), ... [.9, 1]: .52 and .58 with one of two right: |.55 - .5|; .95 three times with two: |.95 - 2/3|."""
    found = foretold([0.52, 0.58, 0.95, 0.95, 0.95], [1, 0, 1, 1, 0])
    bins = reliability(found)
    assert [(round(one.low, 1), round(one.high, 1), one.count) for one in bins] == [(0.5, 0.6, 2.0), (0.9, 1.0, 3.0)]
    assert [one.confidence for one in bins] == pytest.approx([0.55, 0.95])
    assert [one.agreed for one in bins] == pytest.approx([0.5, 2 / 3])
    assert calibration_error(bins) == pytest.approx((2 * 0.05 + 3 * (0.95 - 2 / 3)) / 5)
    assert [one.count for one in reliability(foretold([0.6, 1.0], [1, 1], [2.0, 0.5]))] == [2.0, 0.5]


def test_trust_by_hand() -> None:
    """Sure by .4 and right half of the time is worth nothing; sure by .4 and right always is .5 / .4, which is no more than 1."""
    assert trust(foretold([0.9, 0.9], [1, 0])) == 0.0 and trust(foretold([0.9, 0.9], [1, 1])) == 1.0
    # (.4 * .5 * 3 - .4 * .5) / (4 * .16) = .625: three of four.
    slope = trust(foretold([0.9] * 4, [1, 1, 1, 0]))
    assert slope == pytest.approx(0.625) and promised(np.array([0.9]), slope) == pytest.approx(0.75)
    assert trust(foretold([0.5], [1])) == 0.0 and trust(foretold([0.9], [0])) == 0.0


def test_accuracy_by_hand() -> None:
    rate, low, high, count = foretold([0.9] * 11, [1] * 8 + [0, 0, 0.5]).accuracy()
    assert (rate, count) == (0.8, 10.0) and low == pytest.approx(0.4902, abs=1e-4) and high == pytest.approx(0.9433, abs=1e-4)
    assert foretold([0.9], [1]).accuracy("x")[0] == 1.0 and math.isnan(foretold([0.9], [1]).accuracy("y")[0])


def answers(seed: int, count: int, random: bool) -> tuple[torch.Tensor, list[Ranking]]:
    draw = np.random.default_rng(seed)
    steps = torch.from_numpy(draw.normal(size=(60, 3))).float()
    good = steps @ torch.tensor([3.0, -3.0, 1.0])
    found = []
    for _ in range(count):
        i, j = map(int, draw.choice(60, 2, replace=False))
        first = draw.random() < 0.5 if random else bool(good[i] - good[j] > draw.logistic())
        found.append(Ranking((CLIPS[i], CLIPS[j]), (0, 1) if first else (1, 0), Given("x")))
    return steps, found


def test_cross_validation_tells_a_good_reward_from_noise() -> None:
    reward = PreferenceReward(CONFIG, 3)
    for random, expected in ((False, 0.85), (True, 0.5)):
        steps, given = answers(0, 120, random)
        told = cross_validate(reward, given, episodes({"e": steps}), folds=3)
        rate, low, high, count = told.accuracy()
        assert count == 120 and low < expected < high and rate == pytest.approx(expected, abs=0.1)
        assert (trust(told) > 0.8) is not random
    assert reward.version == 0, "it is left alone"


def test_a_repetition_tells_nothing() -> None:
    """Each of 30 pairs is answered three times alike, and by chance, and can be learned by heart: nothing to do with the others."""
    won = np.random.default_rng(1).integers(2, size=30)
    given = [Ranking((CLIPS[2 * n], CLIPS[2 * n + 1]), (0, 1) if won[n] else (1, 0)) for n in range(30) for _ in range(3)]
    told = cross_validate(PreferenceReward(CONFIG, 60), given, episodes({"e": 3.0 * torch.eye(60)}), folds=3)
    assert len(told.agreed) == 90 and told.accuracy()[0] < 0.8


def test_rankings_are_pairs_and_too_few_are_refused() -> None:
    steps, given = answers(2, 12, False)
    ranking = Ranking(tuple(CLIPS[:3]), (0, 1, 1), Given("y"))
    told = cross_validate(PreferenceReward(CONFIG, 3), [*given, ranking], episodes({"e": steps}), folds=2)
    own = [n for n, name in enumerate(told.annotators) if name == "y"]
    assert len(own) == 3 and told.weight[own] == pytest.approx([2 / 3] * 3) and sorted(told.agreed[own]).count(0.5) == 1
    with pytest.raises(DataError, match="answers to 1 comparison"):
        cross_validate(PreferenceReward(CONFIG, 3), given[:1] * 5, episodes({"e": steps}))
