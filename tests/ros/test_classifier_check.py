"""The classifier's verdicts are kept by who acted: what ended while learning is no part of the evaluation."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any, cast

import numpy as np
import pytest

from rewardbot.data.decode import EpisodeEvent
from rewardbot.robots.robot import load_contract
from rewardbot.ros import classifier_check
from rewardbot.ros.classifier_check import ClassifierCheck
from rewardbot.ros.scores import Score
from rewardbot.types import EpisodeInfo, Source


def test_an_episode_of_learning_that_ends_late_is_not_counted_as_evaluation(monkeypatch: pytest.MonkeyPatch) -> None:
    scores: list[Score] = []
    node = SimpleNamespace(create_subscription=lambda *_, **__: None)
    job = SimpleNamespace(scores=SimpleNamespace(scores=scores), node=node, polled=None)
    check = ClassifierCheck(cast(Any, job), load_contract())
    check._classifier = cast(Any, SimpleNamespace(probability=lambda images: 1.0, threshold=0.5))
    monkeypatch.setattr(classifier_check, "take_all", lambda subscription: [])
    monkeypatch.setattr(classifier_check, "deserialize_message", lambda cdr, kind: cdr)
    monkeypatch.setattr(classifier_check.decode, "image", lambda message, camera: np.zeros((64, 64, 3), np.uint8))

    def end(stamp: int, source: Source, success: bool) -> None:
        for images in check._images.values():
            images[stamp] = b""
        scores.append(Score(EpisodeEvent("end", stamp, EpisodeInfo(f"e{stamp}", "lift", "sim_arm", source)), success))

    end(1, "policy", True)
    check.work()
    end(2, "policy", False)  # still under way when learning was over
    end(3, "evaluation", True)
    check.work()
    assert check.rates("evaluation").false_positive_rate is None and check.rates("evaluation").false_negative_rate == 0.0
    assert check.rates("policy").false_positive_rate == 1.0
    assert check.rates("policy", 1).false_negative_rate is None
