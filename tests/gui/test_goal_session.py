"""Labelling without Qt: a synthetic stream of pictures, keys, undo, questions, and what is refused."""

from __future__ import annotations

import json
import os
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest

from rewardbot.data.success_images import read_other_images, read_success_images
from rewardbot.gui import goal_session
from rewardbot.gui.goal_questions import SHOWN
from rewardbot.gui.goal_session import CLASSIFIER, REPORT, GoalConfig, GoalSession, State
from rewardbot.rewards.goal_classifier import DeployedClassifier
from rewardbot.rewards.image_classifier import ImageClassifierConfig
from rewardbot.robots.robot import CameraContract, RobotContract
from rewardbot.training.labels import LabelStore
from tests.goal_scene import SIZE, GoalScene

CONTRACT = RobotContract(name="webcam", cameras={"webcam": CameraContract(SIZE, SIZE)})
QUICK = GoalConfig(pause_s=1.0, classifier=ImageClassifierConfig(steps=100))
MANY = GoalConfig(pause_s=1e6)
"""Trains once at most."""


class Person:
    """Holds keys and moves things; time goes on as the pictures say."""

    def __init__(self, folder: Path, config: GoalConfig = MANY, seed: int = 1) -> None:
        self.session = GoalSession(LabelStore(folder, CONTRACT), "webcam", config)
        self.scene, self.now = GoalScene(seed), 1_795_255_200.0

    @property
    def state(self) -> State:
        return self.session.state

    def done(self) -> State:
        """The state when everything that was asked for before has been done."""
        done = threading.Event()
        self.session._tasks.put(done.set)
        assert done.wait(20.0)
        self.session._tasks.put(done.set)  # behind it the state of the first is published
        return self.wait(lambda state: self.session._tasks.empty(), "the end of the queue")

    def wait(self, until: Callable[[State], bool], what: str) -> State:
        deadline = time.monotonic() + 60.0
        while not until(self.state):
            assert time.monotonic() < deadline, f"waited for {what}: {self.state}"
            time.sleep(0.002)
        return self.state

    def see(self, picture: np.ndarray, after_s: float = 0.25) -> None:
        self.now += after_s
        self.session.see({"webcam": picture}, self.now)
        self.done()

    def hold(self, goal: bool, count: int, label: bool | None = None) -> None:
        """Shows the goal, or not, and holds a key while `count` pictures are taken."""
        first, *rest = self.scene.burst(goal, count)
        self.see(first)
        self.session.press(goal if label is None else label)
        for picture in rest:
            self.see(picture)
        self.session.release()
        self.now += 3.0


def labelled(folder: Path, bursts: int, each: int, *, meant: bool = True) -> None:
    """Fills a folder as an earlier session would have; the labels say nothing if they are not `meant`."""
    store, scene = LabelStore(folder, CONTRACT), GoalScene(1)
    for burst in range(bursts):
        for number, picture in enumerate(scene.burst(burst % 2 == 0 or not meant, each)):
            store.add(burst % 2 == 0, {"webcam": picture}, 1_795_250_000.0 + 10 * burst + 0.25 * number)


@pytest.fixture
def person(tmp_path: Path) -> Iterator[Person]:
    found = Person(tmp_path)
    yield found
    found.session.close()
    assert not [thread for thread in threading.enumerate() if thread.name.startswith("goal ")]


def test_a_minute_gives_a_classifier_that_others_read(tmp_path: Path) -> None:
    person = Person(tmp_path, QUICK)
    for burst in range(8):
        person.hold(burst % 2 == 0, 7)
    state = person.wait(lambda state: state.checked == 56 and not state.training, "the check of all")
    assert (state.goal.pictures, state.goal.bursts, state.other.pictures, state.other.bursts) == (28, 4, 28, 4)
    assert state.held_out is not None and state.held_out.accuracy > 0.8 and state.refusal == ""
    person.session.save()
    assert person.done().saved and CLASSIFIER in person.state.said
    classifier = DeployedClassifier((tmp_path / CLASSIFIER).read_bytes())
    fresh = GoalScene(9)
    right = [(classifier.probability({"webcam": picture}) > classifier.threshold) == goal
             for goal in (True, False) * 15 for picture in fresh.burst(goal, 2)]
    assert np.mean(right) > 0.8
    assert json.loads((tmp_path / REPORT).read_text()) == {
        "robot": "webcam", "pictures": {"goal": 28, "not": 28}, "bursts": {"goal": 4, "not": 4},
        "held_out_accuracy": state.held_out.accuracy, "interval": [state.held_out.low, state.held_out.high], "threshold": 0.5}
    assert len(read_success_images(tmp_path, CONTRACT)["webcam"]) == len(read_other_images(tmp_path, CONTRACT)["webcam"]) == 28
    assert f"28 pictures with the goal, 28 without; {CLASSIFIER}, held-out accuracy" in person.session.close()


def test_labels_without_a_meaning_are_refused_with_a_reason(tmp_path: Path) -> None:
    labelled(tmp_path, 8, 5, meant=False)
    person = Person(tmp_path, QUICK)
    assert "not above chance" in person.wait(lambda state: state.checked == 40, "the check").refusal
    person.session.save()
    assert person.done().said.startswith("Not saved: Held-out accuracy") and person.state.level == "warning"
    assert "no classifier. Held-out accuracy" in person.session.close() and not (tmp_path / CLASSIFIER).exists()


def test_few_pictures_one_kind_and_one_burst_are_refused(person: Person) -> None:
    assert person.state.refusal == "There is no picture with the goal yet."
    person.hold(True, 12)
    assert person.done().refusal == "There is no picture without the goal yet."
    person.hold(False, 4)
    assert person.done().refusal == "4 pictures without the goal: at least 10 are needed."
    person.hold(False, 8)
    assert "with the goal are from 1 burst: at least 3" in person.done().refusal
    person.session.save()
    assert "Not saved: All pictures with the goal" in person.done().said


# Taking.


def test_pictures_are_taken_at_a_rate_and_at_once(person: Person) -> None:
    pictures = person.scene.burst(True, 22)
    person.see(pictures[0])
    person.session.press(True)
    assert person.done().goal.pictures == 1, "that which was seen when the key went down"
    for picture in pictures[1:]:
        person.see(picture, after_s=0.05)
    assert person.state.goal.pictures in (6, 7), "5 a second for 1.05 s"
    person.session.release()
    person.see(person.scene.burst(True, 1)[0])
    assert person.done().goal.pictures in (6, 7), "not after the key went up"


def test_what_does_not_change_is_taken_once_and_told(person: Person) -> None:
    picture = person.scene.burst(True, 1)[0]
    person.see(picture)
    for _ in range(2):
        person.session.press(True)
        for _ in range(3):
            person.see(np.clip(picture.astype(int) + 2, 0, 255).astype(np.uint8))
        person.session.release()
    assert person.done().goal.pictures == 1
    assert person.state.said == "The picture has not changed: move something." and person.state.level == "warning"
    person.session.press(False)
    assert person.done().other.pictures == 1, "of the other kind it is the first"


def test_a_key_without_a_picture(person: Person) -> None:
    person.session.press(True)
    assert person.done().said == "There is no picture to label yet." and person.state.goal.pictures == 0


def test_a_clock_that_jumps_back_stops_nothing(person: Person) -> None:
    pictures = person.scene.burst(True, 4)
    person.see(pictures[0])
    person.session.press(True)
    person.see(pictures[1])
    person.now -= 3600.0
    person.see(pictures[2])
    person.see(pictures[3])
    assert person.done().goal.pictures == 4


# Taking back.


def test_undo_takes_back_a_whole_hold_then_the_one_before_also_from_the_disk(person: Person, tmp_path: Path) -> None:
    person.hold(True, 3)
    person.hold(False, 4)
    person.session.press(True)  # nothing new to take: no step of its own
    person.session.release()
    person.session.undo()
    assert person.done().said == "1 picture with the goal taken back" or person.state.said == "4 pictures without the goal taken back"
    while person.state.goal.pictures or person.state.other.pictures:
        person.session.undo()
        person.done()
    person.session.undo()
    assert person.done().said == "There is nothing to take back."
    assert not list(tmp_path.rglob("*.png")) and person.state.refusal == "There is no picture with the goal yet."


def test_a_full_disk_is_told_and_nothing_is_counted(person: Person, monkeypatch: pytest.MonkeyPatch) -> None:
    person.hold(True, 2)

    def full(descriptor: int) -> None:
        raise OSError(28, os.strerror(28))

    with monkeypatch.context() as patch:
        patch.setattr(os, "fsync", full)
        person.hold(True, 1)
        assert "No space left" in person.done().said and person.state.level == "bad" and person.state.goal.pictures == 2
    person.hold(True, 2)
    assert person.done().goal.pictures == 4, "it goes on when there is room again"


# Questions.


@pytest.fixture
def asking(tmp_path: Path) -> Iterator[Person]:
    """Somebody with a poor classifier, which asks."""
    person = Person(tmp_path, GoalConfig(pause_s=1e6, classifier=ImageClassifierConfig(steps=2)))
    for goal in (True, False):
        person.hold(goal, 6)
    picture = person.scene.burst(True, 1)[0]
    person.wait(lambda state: not person.see(picture) and state.probability is not None, "a classifier")
    for burst in range(10):
        for picture in person.scene.burst(burst % 2 == 0, 2):
            person.see(picture, after_s=0.6)
    yield person
    person.session.close()


def test_it_asks_where_it_is_least_sure_and_takes_answers(asking: Person) -> None:
    questions = asking.done().questions
    assert len(questions) == SHOWN
    doubts = [question.certainty for question in questions]
    assert doubts == sorted(doubts) and doubts[-1] < 0.35
    before = asking.state.goal.pictures + asking.state.other.pictures
    asking.session.answer(questions[0].number, True)
    assert asking.done().said == "1 picture with the goal answered"
    asking.session.answer(questions[0].number, True)
    asking.session.answer(questions[1].number, None)
    state = asking.done()
    assert state.goal.pictures + state.other.pictures == before + 1, "once, and what is left out is no answer"
    assert not {questions[0].number, questions[1].number} & {question.number for question in state.questions}
    asking.session.undo()
    assert asking.done().said == "1 picture with the goal taken back"


def test_while_a_person_answers_no_question_changes_its_place(asking: Person) -> None:
    asking.session.answering(True)
    before = [question.number for question in asking.done().questions]
    asking.session.answer(before[2], False)
    for picture in asking.scene.burst(True, 6):
        asking.see(picture, after_s=0.6)
    after = [question.number for question in asking.done().questions]
    assert after[:5] == before[:2] + before[3:] and len(after) == SHOWN


def test_what_is_labelled_is_not_asked(tmp_path: Path) -> None:
    person = Person(tmp_path, GoalConfig(pause_s=1e6, classifier=ImageClassifierConfig(steps=2)))
    pictures = {goal: person.scene.burst(goal, 6) for goal in (True, False)}
    for goal, of in pictures.items():
        person.see(of[0])
        person.session.press(goal)
        for picture in of[1:]:
            person.see(picture)
        person.session.release()
    person.wait(lambda state: not person.see(pictures[True][0], 0.6) and state.probability is not None, "a classifier")
    for picture in pictures[False]:
        person.see(picture, 0.6)
    assert person.done().questions == ()
    person.session.close()


# The end.


def test_a_session_goes_on_where_it_was(tmp_path: Path) -> None:
    labelled(tmp_path, 4, 5)
    again = Person(tmp_path)
    state = again.done()
    assert (state.goal.pictures, state.other.pictures, state.goal.bursts, state.other.bursts) == (10, 10, 2, 2)
    again.session.undo()
    assert again.done().said == "There is nothing to take back.", "what another session made stays"
    assert again.session.close() == again.session.close()


def test_what_is_asked_for_before_the_check_is_saved_after_it_and_the_end_waits_for_that(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(goal_session, "FINISH_S", 60.0)
    labelled(tmp_path, 10, 4)
    person = Person(tmp_path, QUICK)
    person.session.save()
    assert person.done().said == "It will be saved when it has been checked." and not (tmp_path / CLASSIFIER).exists()
    assert f"{CLASSIFIER}, held-out accuracy" in person.session.close() and (tmp_path / CLASSIFIER).exists()


def test_closing_does_not_wait_for_a_training(tmp_path: Path) -> None:
    labelled(tmp_path, 2, 5)
    person = Person(tmp_path, GoalConfig(classifier=ImageClassifierConfig(steps=1_000_000)))
    person.wait(lambda state: state.training, "a training")
    began = time.monotonic()
    assert "no classifier" in person.session.close() and time.monotonic() - began < 5.0
