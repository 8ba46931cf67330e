"""The preference window in each of its states, and pictures of it: simulated episodes, real bags, a real ledger.

    .venv/bin/python examples/05_preference_window.py                  # into docs/preferences
    .venv/bin/python examples/05_preference_window.py FOLDER           # elsewhere

No screen is needed, and no ROS.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

os.environ.setdefault("QT_QPA_PLATFORM", "offscreen")

import numpy as np
from PIL import Image
from PyQt5.QtCore import Qt
from PyQt5.QtTest import QTest

from rewardbot.arguments import call
from rewardbot.data.decode import EpisodeEvent
from rewardbot.data.episodes import write_episode
from rewardbot.data.library import Library
from rewardbot.errors import RewardbotError
from rewardbot.feedback.alarm import Reading
from rewardbot.feedback.annotators import Annotators, judgements
from rewardbot.feedback.desk import Desk
from rewardbot.feedback.feedback import Given, Kind, Query, answer_pair
from rewardbot.feedback.ledger import Ledger
from rewardbot.feedback.people import people
from rewardbot.gui import theme
from rewardbot.gui.clips import ClipShelf
from rewardbot.gui.learning import Learning
from rewardbot.gui.learning_view import LearningView
from rewardbot.gui.people_view import PeopleView
from rewardbot.gui.preference_session import PreferenceSession
from rewardbot.gui.preference_widget import PreferenceWidget
from rewardbot.gui.silence import SILENT_S
from rewardbot.robots.mujoco import MujocoRobot
from rewardbot.robots.robot import load_contract
from rewardbot.robots.start_states import demonstration_stream, learning_stream
from rewardbot.training.collect import demonstrate, play
from rewardbot.types import EpisodeInfo, Segment

TASK, DEMONSTRATIONS, PLAYS, CLIP = "push", 3, 3, 25
SCALES = {"": 1, "_hidpi": 2}


class Scene:
    """A window with one question, its desk, and a clock that can be set on.

    Args:
        looks: colours.
        library: the episodes.
        folder: for the ledger.
        kind: of the question; None: there is none.
    """

    def __init__(self, looks: theme.Looks, library: Library, folder: Path, kind: Kind | None) -> None:
        self.later = self.stopped = 0.0
        self.window, self.library = PreferenceWidget(looks), library
        self.desk = Desk(Ledger(folder / f"{kind}-{id(self)}.db"), library.path, name="example", rewards_of=self._rewards)
        self.silent = False
        self.session = PreferenceSession(
            "ann", self._send, stop=lambda: None, clear=lambda: None, just_now=lambda: Segment("policy-7", 31, 51),
            watched=("learner", "policy"), clock=lambda: time.monotonic() + self.later)
        self.shelf = ClipShelf(self.window.clip_done.emit)
        self.learning = Learning(lambda: time.monotonic() + self.later)
        self.people = PeopleView(looks)
        self.window.beside("learning", LearningView(self.learning, looks))
        self.window.beside("people", self.people)
        self.people.chosen.connect(self.window.look_at)
        self.window.begin(self.session, self.shelf)
        if kind is not None:
            ids = library.ids
            count = {"pair": 2, "ranking": 3}.get(kind, 1)
            options = tuple(Segment(ids[number], 0, min(CLIP, library.steps(ids[number]))) for number in (0, 3, 1)[:count])
            predicted = (0.72, 0.28) if kind == "pair" else ()
            for name in ("q1", "q2"):
                self.desk.ledger.ask(Query(name, kind, options, tuple(range(count)), reward_version=7, strategy="disagreement",
                                           reason="the rewards that fit the answers so far disagree", predicted=predicted))
        self.desk.refresh()
        self.session.desk({"budget": 200.0, "answered": 61.0, "words": "The robot is collecting; next question in about 20 s"})
        self.session.questions(self.desk.questions())
        self.window.show()
        self.window.refresh()
        self.until(lambda: kind is None or (self.session.phase == "asking" and self.window.views[0].has_picture))
        QTest.qWait(300)

    def _rewards(self, segment: Segment) -> tuple[float, ...]:
        return tuple(0.02 * step * (1 if segment.episode_id.count("demonstration") else -0.4) + 0.2 * (step % 5 == 0)
                     for step in range(segment.stop - segment.start))

    def _send(self, request: object) -> None:
        if not self.silent:
            self.session.receipt(self.desk.take(request))  # type: ignore[arg-type]
            self.desk.refresh()
            self.session.questions(self.desk.questions())

    def until(self, true: Callable[[], bool]) -> None:
        """Lets the window work until it is so."""
        for _ in range(500):
            if true():
                return
            QTest.qWait(20)
        raise RewardbotError("The window has not come so far in 10 s.")

    def press(self, *keys: Qt.Key) -> None:
        """Keys, one after the other."""
        for key in keys:
            QTest.keyClick(self.window, key)

    def hears(self) -> None:
        """Everybody who is watched has said something."""
        for who in ("learner", "policy"):
            self.session.heard(who)
        self.session.safety.metrics("sim_node", {"stopped": self.stopped, "estop": "none (simulated)"})

    def close(self) -> None:
        """Takes the window away."""
        self.silent = False
        self.later += 2.0
        self.session.beat()  # what was not heard is sent again
        self.window.close()
        self.shelf.close()
        self.desk.ledger.close()


def _stale(scene: Scene) -> None:
    scene.silent = True
    scene.press(Qt.Key.Key_1)
    scene.later += SILENT_S + 2.0


def _answered(scene: Scene) -> None:
    scene.later += 5.0
    scene.press(Qt.Key.Key_1)
    scene.until(lambda: scene.session.phase == "asking" and scene.window.views[0].has_picture)


def _alarm(scene: Scene) -> None:
    reading = Reading("ringing", 1.0, 20, 9.0, 15.4, 3.1, 5.8)
    scene.session.desk({"budget": 200.0, "answered": 61.0, "alarm": str(reading)})


def _stopped(scene: Scene) -> None:
    scene.press(Qt.Key.Key_Escape)
    scene.session.robot.answered("stop", True)
    scene.stopped = 1.0


def _unsafe(scene: Scene) -> None:
    key = Qt.Key
    scene.session.choose(1)
    scene.press(key.Key_Home, *[key.Key_Right] * 2, key.Key_B, *[key.Key_Right] * 2, key.Key_B)


def _marking(scene: Scene) -> None:
    for _ in range(3):
        QTest.keyClick(scene.window, Qt.Key.Key_Left, Qt.KeyboardModifier.ControlModifier)


def _learning(scene: Scene) -> None:
    """What a graph would tell in some minutes; the figures are made up."""
    learning, rng = scene.learning, np.random.default_rng(0)
    told = {"words": "61 of 200 questions are answered.", "reward_version": 91.0, "reward_answers": 61.0, "meter": 0.18, "alarm": ""}
    for episode in range(60):
        scene.later += 12.0
        info = EpisodeInfo(f"policy-{episode}", TASK, "sim_arm", "policy", success=bool(rng.random() < episode / 50))
        learning.episode(EpisodeEvent("end", 1, info))
        learning.metrics("learner_node", {"rate_hz": 48.0, "reward": 0.1 + 0.01 * episode + 0.03 * rng.standard_normal()})
        learning.metrics("preference_node", {"rate_hz": 0.4, "reward_accuracy": 0.95 - 0.25 * 0.9**episode, **told})
    for node, rate in {"policy_node": 10.0, "recorder_node": 0.1, "practice_node": 0.0, "preference_window": 0.0}.items():
        learning.metrics(node, {"rate_hz": rate})
    learning.metrics("sim_node", {"rate_hz": 10.0, "stopped": 0.0, "estop": "none (simulated)"})
    learning.metrics("classifier_node", {"rate_hz": 10.0, "goal_probability": 0.83})
    learning.questions(scene.desk.questions())
    clips = scene.shelf.clips("q1")
    assert clips is not None
    scene.press(Qt.Key.Key_V)
    view = scene.window.findChild(LearningView)
    assert view is not None
    view.camera.show_pixels(clips[0].frames["front"][-1])
    view.refresh()


def _people(scene: Scene) -> None:
    """Three people answer about the same clips: the simulated teachers of `rewardbot label`, one of whom guesses a lot."""
    ledger, rng = scene.desk.ledger, np.random.default_rng(0)
    clips = [Segment(id, start, start + CLIP // 2) for id in scene.library.ids for start in (0, 5, 10)]
    for number in range(20):
        first, second = map(int, rng.choice(len(clips), 2, replace=False))
        for name, rationality in {"ann": 2.0, "bob": 1.0, "cyn": 0.2}.items():
            query = Query(f"{name}-{number}", "pair", (clips[first], clips[second]), (0, 1), to=name)
            ledger.ask(query)
            side = "left" if rng.random() < 1.0 / (1.0 + np.exp(rationality * (second - first) / 3.0)) else "right"
            ledger.answer(answer_pair(query, side, Given(name, query.id)))
    history = ledger.history()
    found = people(history, Annotators(judgements(history)), scene.library.path)
    scene.learning.people(found)
    scene.people.show_people(found)
    scene.press(Qt.Key.Key_P)


def _conflict(scene: Scene) -> None:
    _people(scene)
    QTest.keyClick(scene.people.list, Qt.Key.Key_Return)
    scene.until(lambda: scene.session.phase == "asking" and scene.window.views[0].has_picture)


def _free_camera(scene: Scene) -> None:
    scene.press(Qt.Key.Key_End, Qt.Key.Key_C)
    scene.until(lambda: all(view.is_free for view in scene.window.views))
    QTest.qWait(300)


STATES: dict[str, tuple[Kind | None, Callable[[Scene], None]]] = {
    "pair": ("pair", lambda scene: None),
    "answered": ("pair", _answered),
    "why": ("pair", lambda scene: scene.press(Qt.Key.Key_W)),
    "ranking": ("ranking", lambda scene: scene.press(Qt.Key.Key_2, Qt.Key.Key_T, Qt.Key.Key_1)),
    "rating": ("rating", lambda scene: None),
    "marking": ("mark", _marking),
    "unsafe_interval": ("pair", _unsafe),
    "waiting": (None, lambda scene: None),
    "stale": ("pair", _stale),
    "stopped": ("pair", _stopped),
    "alarm": ("pair", _alarm),
    "free_camera": ("pair", _free_camera),
    "learning": ("pair", _learning),
    "people": ("pair", _people),
    "conflict": ("pair", _conflict),
    "help": ("pair", lambda scene: scene.press(Qt.Key.Key_Question)),
}


def make_bags(folder: Path) -> None:
    """Some episodes that go well and some that do not."""
    contract = load_contract("sim_arm_128")
    robot = MujocoRobot(TASK, contract)
    demonstrate(robot, DEMONSTRATIONS, noise=0.3, stream=demonstration_stream(0), seed=0,
                take=lambda episode: write_episode(folder, episode, contract))
    play(robot, PLAYS, stream=learning_stream(0), take=lambda episode: write_episode(folder, episode, contract))
    robot.close()


def draw(bags: Path, out: Path, suffix: str) -> None:
    """Pictures of all states in both looks."""
    application = theme.make_application("preferences")
    library = Library([bags])
    library.refresh()
    with tempfile.TemporaryDirectory() as folder:
        for name, (kind, do) in STATES.items():
            for choice in ("dark", "light"):
                looks = theme.looks(choice, application)
                theme.apply(application, looks)
                scene = Scene(looks, library, Path(folder), kind)
                scene.hears()
                do(scene)
                if name != "stale":
                    scene.hears()
                scene.window.refresh()
                QTest.qWait(100)
                file = out / f"{name}_{choice}{suffix}.png"
                scene.window.grab().save(str(file))
                Image.open(file).convert("RGB").quantize(256, dither=Image.Dither.NONE).save(file, optimize=True)  # half the bytes
                scene.close()


def main(out: str = "docs/preferences", bags: str = "", suffix: str = "") -> None:
    """Records episodes and draws each size in a process of its own, since Qt reads the scale of a screen once."""
    if bags:
        draw(Path(bags), Path(out), suffix)
        return
    Path(out).mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as folder:
        make_bags(Path(folder))
        for suffix, scale in SCALES.items():
            subprocess.run([sys.executable, __file__, out, folder, suffix], check=True,
                           env={**os.environ, "QT_SCALE_FACTOR": str(scale)})


if __name__ == "__main__":
    call(main)
