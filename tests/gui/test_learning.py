"""What the learning view draws."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from PyQt5.QtWidgets import QLabel

from rewardbot.data.decode import EpisodeEvent
from rewardbot.feedback.messages import Questions
from rewardbot.feedback.people import People, Person
from rewardbot.gui import theme
from rewardbot.gui.learning import Learning
from rewardbot.gui.learning_view import LearningView
from rewardbot.gui.silence import SILENT_S
from rewardbot.types import EpisodeInfo
from tests.gui.desk import question

pytestmark = pytest.mark.gui


class Told:
    """A learning model and its clock."""

    def __init__(self) -> None:
        self.now = 60.0
        self.learning = Learning(lambda: self.now)

    def ended(self, id: str, success: bool | None, source: Any = "policy", kind: Any = "end") -> None:
        self.learning.episode(EpisodeEvent(kind, 1, EpisodeInfo(id, "lift", "sim_arm", source, success=success)))

    def row(self, name: str) -> tuple[str, str]:
        return next((text, level) for label, text, level in self.learning.rows() if label == name)


def test_success_is_the_share_of_the_last_episodes_and_a_later_verdict_counts() -> None:
    told = Told()
    told.ended("a", True)
    told.now += 60.0
    told.ended("b", False)
    told.ended("c", None)
    told.ended("d", True, "demonstration")
    assert told.learning.curve("success") == ([0.0, 1.0], [1.0, 0.5])
    told.ended("b", True, kind="verdict")
    assert told.learning.curve("success")[1] == [1.0, 0.5, 1.0]


def test_rates_silence_safety_and_alarm() -> None:
    told = Told()
    told.learning.metrics("sim_node", {"rate_hz": 10.0, "stopped": 0.0})
    told.learning.metrics("learner_node", {"rate_hz": 50.0, "reward": 0.25})
    told.learning.metrics("preference_node", {"reward_version": 4.0, "reward_answers": 12.0, "meter": 0.31, "alarm": ""})
    assert told.row("sim_node") == ("10.0 Hz", "plain")
    assert told.row("Stop") == ("not stopped", "good") and told.row("alarm") == ("none", "good")
    assert told.row("reward") == ("version 4, from 12 answers", "plain")
    assert told.row("enough?") == ("bound on the regret 0.31", "plain")
    assert told.learning.curve("reward") == ([0.0], [0.25])
    told.now += SILENT_S + 0.5
    told.learning.metrics("sim_node", {"stopped": 1.0, "rate_hz": 0.0, "waiting_for": "policy_node"})
    told.learning.metrics("preference_node", {"alarm": "the reward may be exploited"})
    assert told.row("learner_node") == ("silent for 2 s", "warning") and told.row("Stop") == ("Stopped", "bad")
    assert told.row("sim_node") == ("0.0 Hz, waits for policy_node", "warning")
    assert told.row("alarm") == ("the reward is frozen", "bad"), "the window says why"


def test_of_recorded_bags_no_robot_and_no_alarm_is_told_of() -> None:
    learning = Learning(robot=False)
    learning.desk({"words": "3 of 20 questions are answered.", "reward_version": 0.0})
    learning.people(People((Person("ann", 3), Person("bob", 2)), 0.5, (), 1))
    assert learning.rows() == [
        ("questions", "none", "plain"), ("desk", "3 of 20 questions are answered.", "plain"),
        ("people", "2 answer, agreement 0.50, 1 conflict", "plain"), ("reward", "none yet", "plain")]


def test_the_queue_and_the_rewards_of_its_clips() -> None:
    told = Told()
    told.learning.questions(Questions("desk", (question("a", rewards=True), question("b"), question("c", "rating"))))
    assert told.row("questions") == ("2 pair, 1 rating", "plain") and len(told.learning.rewards) == 20


def test_it_is_drawn(qtbot: Any) -> None:
    told = Told()
    told.learning.questions(Questions("desk", (question("a", rewards=True),)))
    told.learning.metrics("classifier_node", {"goal_probability": 0.83})
    told.learning.people(People((Person("ann", 3), Person("bob", 2)), 0.5, (), 1))
    told.learning.desk({"accuracy": 0.7})
    told.ended("a", True)
    told.ended("b", False)
    view = LearningView(told.learning, theme.LIGHT)
    qtbot.addWidget(view)
    view.show()
    view.camera.show_pixels(np.full((48, 64, 3), 200, np.uint8))
    view.refresh()
    said = "\n".join(label.text() for label in view.findChildren(QLabel))
    assert "1 pair" in said and view.camera.accessibleName().endswith("0.83")
    assert not view._plots["success"].isHidden() and view._plots["reward"].isHidden() and not view._histogram.isHidden()
    told.learning.metrics("learner_node", {"reward": 0.1})
    for node in ("learner_node", "policy_node", "practice_node", "preference_node", "preference_window", "recorder_node", "sim_node"):
        told.learning.metrics(node, {"rate_hz": 10.0, "words": "The robot collects episodes, and questions begin with two.",
                                     "reward": 0.2, "accuracy": 0.8, "reward_version": 3.0, "meter": 0.3, "alarm": ""})
    view.resize(400, 698)  # what is left of a window of 720 pixels
    view.refresh()
    qtbot.waitUntil(lambda: all(view.rect().contains(label.geometry()) for label in view.findChildren(QLabel)))
    picture = view.grab().toImage()
    assert picture.width() == view.width()
