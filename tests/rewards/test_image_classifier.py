"""The classifier of labelled pictures: told apart what it has not seen, and honest about it."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from rewardbot.errors import DataError
from rewardbot.rewards import image_classifier
from rewardbot.rewards.goal_classifier import DeployedClassifier
from rewardbot.rewards.image_classifier import ImageClassifierConfig, cross_validate, fit, folds_of, relit
from tests.goal_scene import GoalScene

CONFIG = ImageClassifierConfig(steps=150)
SHORT = dataclasses.replace(CONFIG, steps=3)


def pictures(seed: int, bursts: int, each: int) -> tuple[dict[str, np.ndarray], np.ndarray, np.ndarray]:
    """Images, labels and burst numbers of one session."""
    scene = GoalScene(seed)
    images = [picture for burst in range(bursts) for picture in scene.burst(burst % 2 == 0, each)]
    numbers = np.repeat(np.arange(bursts), each)
    return {"front": np.stack(images)}, numbers % 2 == 0, numbers


def test_it_tells_the_goal_in_pictures_of_another_session() -> None:
    images, labels, _ = pictures(1, 8, 8)
    found = fit(CONFIG, images, labels)
    fresh, truth, _ = pictures(2, 40, 2)
    right = (found.probability(fresh) > 0.5) == truth
    assert min(right[truth].mean(), right[~truth].mean()) > 0.8
    assert not found.training and all(np.isfinite(found.probability(fresh)))


def test_the_same_pictures_give_the_same_classifier_and_leave_torch_alone() -> None:
    images, labels, _ = pictures(0, 4, 3)
    torch.manual_seed(5)
    expected = torch.rand(1)
    torch.manual_seed(5)
    one, other = fit(SHORT, images, labels), fit(SHORT, images, labels)
    assert torch.equal(torch.rand(1), expected)
    assert np.array_equal(one.probability(images), other.probability(images))


def test_the_deployed_classifier_is_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    images, labels, _ = pictures(0, 4, 3)
    found = fit(SHORT, images, labels)
    deployed = DeployedClassifier(found.to_bytes({"task": "", "cameras": {"front": (64, 64)}}))
    expected = found.probability(images)
    assert [deployed.probability({"front": image}) for image in images["front"]] == pytest.approx(expected.tolist(), abs=1e-6)
    monkeypatch.setattr(image_classifier, "AT_ONCE", 5)
    assert found.probability(images) == pytest.approx(expected, abs=1e-6), "in pieces"


@pytest.mark.parametrize(("kind", "missing"), [(True, "without"), (False, "with")])
def test_one_kind_alone_teaches_nothing(kind: bool, missing: str) -> None:
    images, _, _ = pictures(0, 2, 3)
    with pytest.raises(DataError, match=f"no picture {missing} the goal"):
        fit(SHORT, images, np.full(6, kind))


def test_a_burst_is_judged_by_one_that_has_not_seen_it(monkeypatch: pytest.MonkeyPatch) -> None:
    images, labels, bursts = pictures(0, 7, 3)
    trained_on: list[np.ndarray] = []
    original = fit

    def watch(config, some, *arguments):
        trained_on.append(some["front"])
        return original(config, some, *arguments)

    monkeypatch.setattr(image_classifier, "fit", watch)
    probabilities = cross_validate(SHORT, images, labels, bursts)
    folds = folds_of(SHORT, labels, bursts)
    assert len(trained_on) == 3 and probabilities.shape == (21,) and (probabilities > 0).all()
    for fold, seen in enumerate(trained_on):
        assert np.array_equal(seen, images["front"][folds != fold])


@given(st.lists(st.booleans(), min_size=4, max_size=24), st.integers(1, 4))
@settings(max_examples=60, deadline=None)
def test_folds_keep_bursts_whole_and_train_on_both_kinds(kinds: list[bool], each: int) -> None:
    labels, bursts = np.repeat(kinds, each), np.repeat(np.arange(len(kinds)), each)
    if min(sum(kinds), len(kinds) - sum(kinds)) < 2:
        with pytest.raises(DataError, match="none can be held out"):
            folds_of(CONFIG, labels, bursts)
        return
    folds = folds_of(CONFIG, labels, bursts)
    assert all(len(set(folds[bursts == burst])) == 1 for burst in range(len(kinds)))
    for fold in range(folds.max() + 1):
        for part in (folds == fold, folds != fold):
            assert set(labels[part]) == {True, False}


def test_what_the_caller_raises_ends_the_training() -> None:
    images, labels, bursts = pictures(0, 4, 3)
    told: list[float] = []

    def enough(share: float) -> None:
        told.append(share)
        if len(told) == 2:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        cross_validate(CONFIG, images, labels, bursts, enough)
    assert told == [1 / CONFIG.steps, 2 / CONFIG.steps]


def test_another_light_is_no_other_picture() -> None:
    torch.manual_seed(0)
    images = torch.full((200, 3, 2, 2), 128.0)
    assert torch.equal(relit(images, 0.0), images)
    changed = relit(images, 0.1)
    assert changed.std(0).mean() == pytest.approx(np.hypot(12.8, 25.5 / 4), rel=0.15)
    assert changed.min() >= 0 and changed.max() <= 255 and torch.equal(changed[..., 0], changed[..., 1])
