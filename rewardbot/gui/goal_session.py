"""What the window for labelling a goal does, without Qt: held keys make examples, these a classifier, and its doubts questions.

Nothing that a window calls here waits. One thread takes pictures, judges and stores them in turn; another trains. What there is
to be shown is in `state`, which is replaced as a whole.
"""

from __future__ import annotations

import json
import queue
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial

import numpy as np
from numpy.typing import NDArray

from rewardbot.config import setting
from rewardbot.errors import RewardbotError
from rewardbot.gui.goal_examples import Labelled, Side
from rewardbot.gui.goal_questions import Moment, Question, Questions
from rewardbot.gui.goal_training import Checked, Trainer
from rewardbot.gui.level import Level
from rewardbot.rewards.image_classifier import ImageClassifier, ImageClassifierConfig
from rewardbot.training.alike import is_new, outline
from rewardbot.training.held_out import HeldOut, lacking, objection
from rewardbot.training.labels import Example, LabelStore

CLASSIFIER, REPORT = "classifier.safetensors", "report.json"
EARLY = 0.9
"""Share of the time between two pictures after which one is taken: cameras are not punctual."""

FINISH_S = 8.0
"""How long the end of a session waits for a check that is under way [s]; less than a starter waits for its nodes."""

NONE = Side()
UNCHECKED = "The classifier has not been checked yet."
NAMES = {True: "with the goal", False: "without the goal"}


@dataclass(frozen=True)
class GoalConfig:
    """How pictures are taken and learned from."""

    rate: float = setting(5.0, "pictures a second while a key is held [Hz]", min=0.1, max=60.0)
    pause_s: float = setting(3.0, "shortest time between two trainings [s]", min=0.0)
    classifier: ImageClassifierConfig = setting(ImageClassifierConfig(), "the classifier")


@dataclass(frozen=True)
class State:
    """What there is to be shown.

    Attributes:
        goal, other: pictures with and without the goal.
        probability: of the goal in the newest picture; None without a classifier.
        held_out: accuracy on held-out bursts; None before the first check.
        checked: how many pictures that is from.
        refusal: why the classifier is of no use yet, in a sentence; empty if it is of use.
        training: a classifier is being trained or checked.
        questions: the pictures that it is least sure about.
        said, level: what has happened last, and how much that matters.
        count: of the things that have been said.
        saved: the classifier that was checked last is on the disk.
    """

    goal: Side = NONE
    other: Side = NONE
    probability: float | None = None
    held_out: HeldOut | None = None
    checked: int = 0
    refusal: str = ""
    training: bool = False
    questions: tuple[Question, ...] = ()
    said: str = ""
    level: Level = "plain"
    count: int = 0
    saved: bool = False


@dataclass(frozen=True)
class _Frame:
    images: Moment
    moment: float


class GoalSession:
    """See the module.

    Args:
        store: where the examples are; what it holds already counts.
        robot: name of the contract, for the report.
        config: see `GoalConfig`.
        changed: called in another thread whenever `state` is another.

    Attributes:
        state: the newest.
        held: the kind whose key is held, None when none is.
    """

    def __init__(
        self, store: LabelStore, robot: str, config: GoalConfig | None = None, *, changed: Callable[[], None] = lambda: None
    ) -> None:
        self._store, self._robot, self._config, self._changed = store, robot, config or GoalConfig(), changed
        self.state, self.held = State(), None
        self._frame: _Frame | None = None
        self._looking = self._answering = False
        self._taking: bool | None = None  # as `held`, in the thread
        self._labelled, self._questions = Labelled(store.examples), Questions()
        self._undo: list[list[Example]] = []
        self._taken_at = float("-inf")
        self._classifier: ImageClassifier | None = None
        self._checked: Checked | None = None
        self._asked_to_save = False
        self._tasks: queue.SimpleQueue[Callable[[], None] | None] = queue.SimpleQueue()
        self._trainer = Trainer(
            self._config.classifier, self._config.pause_s,
            trained=lambda classifier: self._tasks.put(partial(self._adopt, classifier)),
            checked=lambda checked: self._tasks.put(partial(self._adopt_check, checked)))
        self._publish()
        self._thread = threading.Thread(target=self._run, name="goal session", daemon=True)
        self._thread.start()

    # Called by the window ------------------------------------------------------------------------------------------------

    def see(self, images: Moment, moment: float) -> None:
        """The newest picture of each camera, of one moment [Unix s]."""
        self._frame = _Frame(images, moment)
        if not self._looking:  # one that is not looked at in time is not looked at
            self._looking = True
            self._tasks.put(self._look)

    def press(self, goal: bool) -> None:
        """The key of a kind went down: what is seen now is of that kind, and what comes until it goes up."""
        self.held = goal
        self._tasks.put(partial(self._begin, goal, self._frame))

    def release(self) -> None:
        """No key is held any more."""
        self.held = None
        self._tasks.put(self._end)

    def answer(self, number: int, goal: bool | None) -> None:
        """The picture of the question of that number is with or without the goal; None: it is left out."""
        self._tasks.put(partial(self._answer, number, goal))

    def answering(self, on: bool) -> None:
        """Whether a person is at the questions: then none of them changes its place."""
        self._answering = on

    def undo(self) -> None:
        """Takes back what the last key press or answer made."""
        self._tasks.put(self._take_back)

    def save(self) -> None:
        """Writes the classifier and a report beside the pictures, if it is of use."""
        self._tasks.put(self._save)

    def close(self) -> str:
        """Saves a classifier that is of use, ends both threads, and tells in a sentence what there is. May be called twice."""
        if self._thread.is_alive():
            self._trainer.close(0.0 if lacking(self._labelled.labels, self._labelled.bursts) else FINISH_S)
            self._tasks.put(self._last)
            self._tasks.put(None)
            self._thread.join()
        state = self.state
        found = f"{self._store.folder}: {state.goal.pictures} pictures with the goal, {state.other.pictures} without; "
        if state.saved and state.held_out and not state.refusal:
            return found + f"{CLASSIFIER}, held-out accuracy {state.held_out}"
        return found + f"no classifier. {state.refusal or state.said}"

    # In the thread -------------------------------------------------------------------------------------------------------

    def _run(self) -> None:
        while True:
            try:
                task = self._tasks.get(timeout=0.2)
            except queue.Empty:
                task = self._rest
            if task is None:
                return
            try:
                try:
                    task()
                except RewardbotError as error:
                    self._say(str(error), "bad")
                self._trainer.consider(self._labelled)
            except Exception:  # ours; the person must not label on in vain
                self._say("This session has broken down, see the terminal. What was labelled is on the disk.", "bad")
                raise
            finally:
                self._publish()

    def _rest(self) -> None:
        """Nothing was asked for; a training may be due."""

    def _look(self) -> None:
        self._looking = False
        frame, labelled = self._frame, self._labelled
        assert frame is not None
        probability = float(self._probabilities([frame.images])[0]) if self._classifier else None
        self.state = replace(self.state, probability=probability)
        if self._taking is not None:
            if self.held == self._taking and abs(frame.moment - self._taken_at) >= EARLY / self._config.rate:
                self._take(self._taking, frame)
        elif probability is not None:
            self._questions.offer(frame.images, frame.moment, probability, outline(frame.images), labelled.outlines())
            self._questions.choose(keep=self._answering)

    def _begin(self, goal: bool, frame: _Frame | None) -> None:
        self._taking = goal
        self._undo.append([])
        if frame is None:
            self._say("There is no picture to label yet.", "warning")
        else:
            self._take(goal, frame)

    def _end(self) -> None:
        self._taking = None

    def _take(self, goal: bool, frame: _Frame) -> None:
        self._taken_at = frame.moment
        if not is_new(outline(frame.images), self._labelled.outlines(goal)):
            self._say("The picture has not changed: move something.", "warning")
            return
        self._keep(goal, frame.images, frame.moment)
        self._say(f"{_pictures(len(self._undo[-1]), goal)} taken", "good")

    def _keep(self, goal: bool, images: Moment, moment: float) -> None:
        self._undo[-1].append(self._store.add(goal, images, moment))
        self._labelled.renew(self._store.examples)

    def _answer(self, number: int, goal: bool | None) -> None:
        question = self._questions.take(number)
        self._questions.choose(keep=self._answering)
        if question is not None and goal is not None:
            self._undo.append([])
            self._keep(goal, question.images, question.moment)
            self._say(f"{_pictures(1, goal)} answered", "good")

    def _take_back(self) -> None:
        while self._undo and not self._undo[-1]:
            self._undo.pop()
        if not self._undo:
            self._say("There is nothing to take back.", "plain")
            return
        gone = self._undo.pop()
        self._store.remove(gone)
        self._labelled.renew(self._store.examples)
        self._say(f"{_pictures(len(gone), gone[0].goal)} taken back", "plain")

    def _adopt(self, classifier: ImageClassifier) -> None:
        self._classifier = classifier
        self._questions.judge(self._probabilities)
        self._questions.choose(keep=self._answering)

    def _adopt_check(self, checked: Checked) -> None:
        self._checked = checked
        if self._asked_to_save:
            self._save()

    def _probabilities(self, moments: Sequence[Moment]) -> NDArray[np.float32]:
        assert self._classifier is not None
        return self._classifier.probability({camera: np.stack([moment[camera] for moment in moments]) for camera in moments[0]})

    # Out -----------------------------------------------------------------------------------------------------------------

    def _refusal(self) -> str:
        if reason := lacking(self._labelled.labels, self._labelled.bursts):
            return reason
        return objection(self._checked.held_out) if self._checked else UNCHECKED

    def _save(self) -> None:
        reason = self._refusal()
        self._asked_to_save = self._checked is None and reason == UNCHECKED
        if self._asked_to_save:
            self._say("It will be saved when it has been checked.", "plain")
        elif reason:
            self._say(f"Not saved: {reason}", "warning")
        else:
            self._write()
            self._say(f"{CLASSIFIER} and {REPORT} are in {self._store.folder}", "plain")

    def _last(self) -> None:
        if self._checked and not self._checked.saved and not self._refusal():
            self._write()

    def _write(self) -> None:
        checked = self._checked
        assert checked is not None
        cameras = {name: list(of.shape[:2]) for name, of in self._labelled.examples[0].images.items()}
        self._store.write(CLASSIFIER, checked.classifier.to_bytes({"task": "", "robot": self._robot, "cameras": cameras}))
        self._store.write(REPORT, json.dumps({"robot": self._robot, **checked.report()}, indent=2) + "\n")
        checked.saved = True

    def _say(self, text: str, level: Level) -> None:
        self.state = replace(self.state, said=text, level=level, count=self.state.count + 1)

    def _publish(self) -> None:
        checked, sides = self._checked, self._labelled.sides
        self.state = replace(
            self.state, goal=sides[True], other=sides[False], refusal=self._refusal(), training=self._trainer.busy,
            questions=self._questions.shown, held_out=checked.held_out if checked else None,
            checked=checked.pictures if checked else 0, saved=bool(checked and checked.saved))
        self._changed()


def _pictures(count: int, goal: bool) -> str:
    return f"{count} {'pictures' if count > 1 else 'picture'} {NAMES[goal]}"
