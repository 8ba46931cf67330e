"""The meter: by hand, and on problems whose true reward is known."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from rewardbot.errors import DataError
from rewardbot.feedback.meter import Meter, MeterConfig, losses, value_at_risk
from rewardbot.feedback.posterior import logistic

Array = NDArray[np.float64]


def test_losses_by_hand() -> None:
    present = np.array([3.0, 5.0, 0.0, 1.0])
    alternatives = np.array([[4.0, 0.0], [4.0, 1.0], [1.0, 2.0], [1.0, 1.0]])
    assert losses(present, alternatives).tolist() == [0.25, 0.0, 1.0, 1.0], "the last sample knows nothing"


@given(st.integers(1, 8), st.integers(1, 5), st.integers(0, 1000), st.floats(0.01, 100.0), st.floats(-100.0, 100.0))
def test_losses_know_no_scale_and_no_offset(samples: int, count: int, seed: int, scale: float, offset: float) -> None:
    present, alternatives = np.split(np.random.default_rng(seed).normal(size=(samples, 1 + count)), [1], axis=1)
    found = losses(present[:, 0], alternatives)
    assert ((found >= 0.0) & (found <= 1.0)).all()
    np.testing.assert_allclose(losses(scale * present[:, 0] + offset, scale * alternatives + offset), found, atol=1e-6)


def test_value_at_risk_by_hand() -> None:
    """P(Bin(59, .95) < 59) = 1 - .95^59 = .9515 and P(Bin(59, .95) < 58) = .8009; of two losses the larger covers .05^(1/2)."""
    assert value_at_risk(np.arange(59.0), 0.95, 0.95) == (58.0, 0.95)
    bound, level = value_at_risk(np.arange(58.0), 0.95, 0.95)
    assert bound == 57.0 and level == pytest.approx(0.05 ** (1 / 58)) and level < 0.95
    assert value_at_risk(np.array([0.3, 0.1]), 0.95, 0.95) == (0.3, pytest.approx(0.2236, abs=1e-4))
    # P(Bin(10, .5) < 8) = 968 / 1024 = .9453, P(Bin(10, .5) < 9) = 1013 / 1024 = .9893.
    assert value_at_risk(np.arange(10.0), 0.5, 0.95) == (8.0, 0.5) and value_at_risk(np.arange(10.0), 0.5, 0.94) == (7.0, 0.5)


def test_the_bound_of_a_quantile_holds_as_often_as_promised() -> None:
    draws = np.random.default_rng(0).random((1000, 100))
    assert np.mean([value_at_risk(row, 0.95, 0.95)[0] >= 0.95 for row in draws]) >= 0.95 - 3 * 0.007


def test_the_stop_rule() -> None:
    meter = Meter(MeterConfig(epsilon=0.1, fits=2))
    good, bad = (np.full(100, value) for value in (0.95, 0.5))
    known = np.tile([0.0, 1.0], (100, 1))
    shown = [meter.update(present, known) for present in (good, bad, good, good, bad, good)]
    assert [reading.in_a_row for reading in shown] == [1, 0, 1, 2, 0, 1]
    assert [reading.enough for reading in shown] == [False, False, False, True, False, False]
    assert shown[1].bound == shown[1].expected == 0.5
    assert str(shown[3]) == ("The policy loses at most 5% of what there is to gain, by 95% of the rewards that explain the answers, "
                             "and 5% on average. That is enough feedback.")
    assert Meter(meter.config, in_a_row=1).update(good, known).enough, "after a restart"


def test_an_ensemble_of_three_promises_little_and_never_stops_asking() -> None:
    meter = Meter()
    reading = [meter.update(np.ones(3), np.zeros((3, 4))) for _ in range(10)][-1]
    assert reading.bound == 0.0 and reading.level == pytest.approx(0.368, abs=1e-3) and not reading.enough


@pytest.mark.parametrize(("present", "alternatives"), [
    (np.zeros(0), np.zeros((0, 3))), (np.zeros(2), np.zeros((2, 0))), (np.zeros(2), np.zeros((3, 1))),
    (np.array([np.nan]), np.zeros((1, 1))), (np.zeros(1), np.array([[np.inf]])),
])
def test_what_cannot_be_read(present: Array, alternatives: Array) -> None:
    with pytest.raises(DataError, match=r"\(M, P\)|not finite"):
        losses(present, alternatives)


class Problem:
    """30 trajectories of three features, a true linear reward, and answers about random pairs of them."""

    def __init__(self, seed: int, answers: int, *, contradictory: bool = False) -> None:
        self.draw = np.random.default_rng(seed)
        self.features = self.draw.normal(size=(30, 3)) / 6**0.5
        self.w = 5.0 * self.draw.normal(size=3)
        pairs = np.array([self.draw.choice(30, 2, replace=False) for _ in range(answers)])
        self.differences = self.features[pairs[:, 0]] - self.features[pairs[:, 1]]
        chance = np.full(answers, 0.5) if contradictory else 1 / (1 + np.exp(-self.differences @ self.w))
        self.wins = (self.draw.random(answers) < chance).astype(float)

    def returns(self, answers: int) -> Array:
        """Under samples of the posterior after the first answers."""
        return logistic(self.differences[:answers], self.wins[:answers], np.ones(answers), 5.0, 60, self.draw) @ self.features.T

    def bound_and_truth(self, answers: int) -> tuple[float, float]:
        returns, true = self.returns(answers), self.features @ self.w
        best = returns.mean(0).argmax()
        return value_at_risk(losses(returns[:, best], returns), 0.95, 0.95)[0], float(losses(true[[best]], true[None])[0])


def test_the_bound_covers_the_true_regret_and_falls_with_answers() -> None:
    """Posteriors are right on average over the prior, so that 95% should be covered; 90% is 2.5 standard errors below."""
    problems = [Problem(seed, 60) for seed in range(40)]
    found = np.array([[problem.bound_and_truth(count) for problem in problems] for count in (4, 15, 60)])
    assert np.mean(found[..., 1] <= found[..., 0]) >= 0.9
    few, some, many = found[..., 0].mean(-1)
    assert few > some > many and many < 0.1


def test_contradictory_answers_are_never_enough() -> None:
    for seed in range(6):
        problem, meter = Problem(seed, 90, contradictory=True), Meter()
        for count in range(15, 91, 15):
            returns = problem.returns(count)
            assert not meter.update(returns[:, returns.mean(0).argmax()], returns).enough
