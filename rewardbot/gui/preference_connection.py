"""Between the graph and the preference window: questions, receipts and how things are go in; requests and Stop go out."""

from __future__ import annotations

import sys
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from diagnostic_msgs.msg import DiagnosticArray
from PyQt5.QtWidgets import QApplication
from sensor_msgs.msg import Image, JointState
from std_msgs.msg import String

from rewardbot.config import setting
from rewardbot.data import decode
from rewardbot.errors import DataError
from rewardbot.feedback.messages import CLEAR as CALM
from rewardbot.feedback.messages import (
    PEOPLE,
    QUESTIONS,
    RECEIPTS,
    REQUESTS,
    Questions,
    Receipt,
    Request,
    people_from_text,
)
from rewardbot.gui import preference_words, theme
from rewardbot.gui.bridge import Bridge, Topic, Wiring
from rewardbot.gui.clips import ClipShelf
from rewardbot.gui.learning import Learning
from rewardbot.gui.learning_view import LearningView
from rewardbot.gui.people_view import PeopleView
from rewardbot.gui.preference_options import LabelOptions, annotator
from rewardbot.gui.preference_session import PreferenceSession
from rewardbot.gui.preference_widget import PreferenceWidget
from rewardbot.gui.running import BEFORE_STOP_S, Running
from rewardbot.robots.robot import CameraContract, load_contract
from rewardbot.ros import convert, qos

METRICS, STOP, CLEAR = "metrics", "stop", "clear_stop"
WATCHED = {"preference_node": "desk", "learner_node": "learner", "policy_node": "policy", "sim_node": "robot"}
"""Node -> what a person calls it when it says nothing. The last is not there where the robot is a real one: its joint states are."""

EXPECTED = ("desk", "learner", "policy")
"""Who should be heard from the beginning."""


@dataclass(frozen=True)
class WindowSettings(theme.LookSettings):
    """Read-only parameters."""

    robot: str = setting("sim_arm", "robot contract in config/robots; its first camera is in the learning view")
    annotator: str = setting("", "who answers (default: you, by your login)")


def connect() -> tuple[Bridge[WindowSettings], Callable[[theme.Looks], PreferenceWidget]]:
    """The bridge, and what makes the window when that is started."""
    bridge = Bridge("preference_window", WindowSettings, _wire)
    return bridge, lambda looks: _window(bridge, looks)


def _wire(settings: WindowSettings) -> Wiring:
    cameras = load_contract(settings.robot).cameras
    return Wiring(
        listens=[Topic(QUESTIONS, String, qos.LATCHED), Topic(RECEIPTS, String, qos.EVENTS), Topic(PEOPLE, String, qos.LATCHED),
                 Topic(METRICS, DiagnosticArray, qos.EVENTS), Topic(decode.EPISODE, DiagnosticArray, qos.EVENTS),
                 Topic(decode.JOINT_STATES, JointState, qos.IMAGES_NEWEST),
                 *(Topic(decode.camera_topic(name), Image, qos.IMAGES_NEWEST) for name in cameras)],
        speaks=[Topic(REQUESTS, String, qos.EVENTS)], calls=[STOP, CLEAR, CALM])


@dataclass(frozen=True)
class _Ears:
    """Who is told what is heard; `camera` is that of the topic `camera_topic`."""

    window: PreferenceWidget
    session: PreferenceSession
    learning: Learning
    people: PeopleView
    view: LearningView
    running: Running
    camera_topic: str
    camera: CameraContract

    def hear(self, topic: str, message: Any) -> None:
        """Passes a message on; what is wrong with it is told to the operator."""
        try:
            self._pass_on(topic, message)
        except DataError as error:
            self.window.notice(str(error), "bad")

    def _pass_on(self, topic: str, message: Any) -> None:
        if topic == QUESTIONS:
            questions = Questions.from_text(message.data)
            self.learning.questions(questions)
            self.window.message.emit(questions)
        elif topic == RECEIPTS:
            self.window.message.emit(Receipt.from_text(message.data))
        elif topic == PEOPLE:
            found = people_from_text(message.data)
            self.learning.people(found)
            self.people.show_people(found)
        elif topic == METRICS:
            for node, values in convert.metrics_of(message).items():
                _tell(self.session, self.learning, node, values)
        elif topic == decode.EPISODE:
            event = decode.episode_event(message)
            self.learning.episode(event)
            self.running.episode(event)
        elif topic == decode.JOINT_STATES:
            self.running.observed(decode.stamp_ns(message))
            self.session.heard("robot", watch=True)
        elif topic == self.camera_topic and self.view.isVisible():
            self.view.camera.show_pixels(decode.image(message, self.camera))


def _window(bridge: Bridge[WindowSettings], looks: theme.Looks) -> PreferenceWidget:
    settings, application = bridge.settings, QApplication.instance()
    assert application is not None
    contract = load_contract(settings.robot)
    window, learning, running = PreferenceWidget(looks, scale=settings.scale), Learning(), Running(contract.control_hz)

    def send(request: Request) -> None:
        bridge.publish(REQUESTS, String(data=request.to_text()))

    session = PreferenceSession(
        annotator(LabelOptions(annotator=settings.annotator)), send,
        stop=lambda: bridge.call(STOP), clear=lambda: bridge.call(CLEAR), calm=lambda: bridge.call(CALM),
        just_now=lambda: running.last(BEFORE_STOP_S), watched=EXPECTED)
    shelf, view = ClipShelf(window.clip_done.emit), LearningView(learning, looks, round(13 * settings.scale))
    window.beside("learning", view)
    people = PeopleView(looks, round(13 * settings.scale))
    window.beside("people", people)
    people.chosen.connect(window.look_at)
    window.begin(session, shelf)
    first, camera = next(iter(contract.cameras.items()), ("", CameraContract()))
    ears = _Ears(window, session, learning, people, view, running, decode.camera_topic(first), camera)

    def answer(service: str, success: bool, text: str) -> None:
        session.robot.answered({STOP: "stop", CLEAR: "clear"}.get(service, "calm"), success)
        window.notice(text, "plain" if success else "bad")

    def leave() -> None:
        shelf.close()
        if text := preference_words.unconfirmed(session):
            print(text, file=sys.stderr, flush=True)

    bridge.heard.connect(lambda topic, message: ears.hear(topic, message))  # of a method Qt would not keep the object
    bridge.answered.connect(answer)
    application.aboutToQuit.connect(leave)
    return window


def _tell(session: PreferenceSession, learning: Learning, node: str, values: dict[str, float | str]) -> None:
    learning.metrics(node, values)
    if node in WATCHED:
        session.heard(WATCHED[node], watch=True)
    session.safety.metrics(node, values)
    if node == "preference_node":
        session.desk(values)
