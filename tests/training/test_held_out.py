"""Held-out accuracy by bursts, against values computed by hand, and what is refused."""

from __future__ import annotations

import numpy as np
import pytest

from rewardbot.data.success_images import LEAST
from rewardbot.rewards.image_classifier import ImageClassifierConfig, cross_validate
from rewardbot.training.held_out import LEAST_BURSTS, HeldOut, judge, lacking, objection
from rewardbot.training.summary import wilson
from tests.goal_scene import GoalScene


def session(*bursts: tuple[bool, int]) -> tuple[np.ndarray, np.ndarray]:
    """Labels and burst numbers of (label, pictures) in turn."""
    labels = np.concatenate([np.full(count, kind) for kind, count in bursts])
    return labels, np.repeat(np.arange(len(bursts)), [count for _, count in bursts])


def test_bursts_count_and_not_their_pictures() -> None:
    """Goal: 1 of 1 and 2 of 4 right, mean 3/4. Not: 10 of 10. Mean 7/8 over 4 * 2 * 1 / 3 trials."""
    labels, bursts = session((True, 1), (True, 4), (False, 10))
    probabilities = np.array([0.9, 0.9, 0.9, 0.1, 0.1] + [0.2] * 10)
    found = judge(probabilities, labels, bursts)
    assert found.accuracy == pytest.approx(0.875)
    assert (found.low, found.high) == pytest.approx(wilson(0.875 * 8 / 3, 8 / 3))


def test_calling_everything_the_same_is_chance_however_many_there_are_of_it() -> None:
    labels, bursts = session((True, 10), *[(False, 10)] * 30)
    found = judge(np.zeros(len(labels)), labels, bursts)
    assert found.accuracy == 0.5 and not found.useful


def test_the_fewest_bursts_that_are_enough_show_more_than_chance() -> None:
    for count in (1, LEAST_BURSTS):
        labels, bursts = session(*[(True, 20), (False, 20)] * count)
        assert judge(labels.astype(float), labels, bursts).useful == (count == LEAST_BURSTS)


@pytest.mark.parametrize(("bursts", "said"), [
    ([(True, 50)], "no picture without the goal"),
    ([(False, 50)], "no picture with the goal"),
    ([(True, LEAST - 1), (False, 50)], f"{LEAST - 1} pictures with the goal: at least {LEAST}"),
    ([(True, 50), (False, 1)], f"1 picture without the goal: at least {LEAST}"),
    ([(True, 50), (False, 50)], "All pictures with the goal are from 1 burst: at least 3"),
    ([(True, 5), (False, 50), (True, 5), (False, 50), (True, 5)], "without the goal are from 2 bursts"),
])
def test_too_little_is_named(bursts: list[tuple[bool, int]], said: str) -> None:
    assert said in lacking(*session(*bursts))


def test_enough_is_enough() -> None:
    assert lacking(np.zeros(0, bool), np.zeros(0, int)) == "There is no picture with the goal yet."
    assert lacking(*session(*[(True, 5), (False, 5)] * LEAST_BURSTS)) == ""


def test_labels_without_a_meaning_are_refused_and_those_with_one_are_not() -> None:
    scene = GoalScene(1)
    kinds = [burst % 2 == 0 for burst in range(6)]
    images = {"front": np.stack([picture for kind in kinds for picture in scene.burst(kind, 8)])}
    bursts, labels = np.repeat(np.arange(6), 8), np.repeat(kinds, 8)
    config = ImageClassifierConfig(steps=120)
    found = judge(cross_validate(config, images, labels, bursts), labels, bursts)
    assert found.useful and found.accuracy > 0.8 and objection(found) == ""
    shuffled = np.random.default_rng(0).permutation(labels)
    control = judge(cross_validate(config, images, shuffled, bursts), shuffled, bursts)
    assert not control.useful and "not above chance" in objection(control) and str(control) in objection(control)


def test_what_may_only_lack_pictures_is_told_from_what_lacks_a_meaning() -> None:
    assert "A few more bursts" in objection(HeldOut(0.87, 0.47, 0.98))
    assert "Is the goal visible" in objection(HeldOut(0.6, 0.3, 0.85))


def test_in_words() -> None:
    assert str(HeldOut(0.971, 0.78, 1.0)) == "97% (78% to 100%)"
