"""Between the graph and the window for labelling a goal: pictures of one moment go to the session, Stop goes out."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from diagnostic_msgs.msg import DiagnosticArray
from PyQt5.QtWidgets import QApplication
from sensor_msgs.msg import Image

from rewardbot.config import setting, user_path
from rewardbot.data import decode
from rewardbot.errors import DataError
from rewardbot.gui import theme
from rewardbot.gui.bridge import Bridge, Topic, Wiring
from rewardbot.gui.goal_session import GoalConfig, GoalSession
from rewardbot.gui.goal_widget import GoalWidget
from rewardbot.robots.robot import RobotContract, load_contract
from rewardbot.ros import convert, qos
from rewardbot.training.labels import LabelStore

METRICS, STOP = "metrics", "stop"


@dataclass(frozen=True)
class WindowSettings(theme.LookSettings):
    """Read-only parameters."""

    robot: str = setting("webcam", "robot contract in config/robots; gives the cameras")
    folder: str = setting("runs/goal", "folder of the pictures; what it holds already counts")
    label: GoalConfig = setting(GoalConfig(), "how pictures are taken and learned from")


def connect() -> tuple[Bridge[WindowSettings], Callable[[theme.Looks], GoalWidget]]:
    """The bridge, and what makes the window when that is started."""
    opened: list[tuple[RobotContract, LabelStore]] = []

    def wire(settings: WindowSettings) -> Wiring:
        contract = load_contract(settings.robot)
        opened.append((contract, LabelStore(user_path(settings.folder), contract)))  # told as any wrong parameter is
        return Wiring(listens=[Topic(METRICS, DiagnosticArray, qos.EVENTS),
                               *(Topic(decode.camera_topic(name), Image, qos.IMAGES_NEWEST) for name in contract.cameras)],
                      calls=[STOP])

    bridge = Bridge("goal_window", WindowSettings, wire)
    return bridge, lambda looks: _window(bridge, looks, *opened[0])


def _window(bridge: Bridge[WindowSettings], looks: theme.Looks, contract: RobotContract, store: LabelStore) -> GoalWidget:
    torch.set_num_threads(1)
    window = GoalWidget(tuple(contract.cameras), stop=lambda: bridge.call(STOP), looks=looks, scale=bridge.settings.scale)
    session = GoalSession(store, contract.name, bridge.settings.label, changed=window.changed.emit)
    window.begin(session)
    meeting = Meeting(contract)
    names = {decode.camera_topic(name): name for name in contract.cameras}

    def hear(topic: str, message: Any) -> None:
        if topic == METRICS:
            for node, values in convert.metrics_of(message).items():
                window.safety.metrics(node, values)
            return
        name = names[topic]
        try:
            pixels = decode.image(message, contract.cameras[name]).copy()
        except DataError as error:
            window.notice(f"camera '{name}': {error}", "bad")
            return
        window.show_pixels(name, pixels)
        if (images := meeting.add(name, decode.stamp_ns(message), pixels)) is not None:
            session.see(images, time.time())

    bridge.heard.connect(hear)
    bridge.answered.connect(lambda service, success, text: window.notice(text, "plain" if success else "bad"))
    application = QApplication.instance()
    assert application is not None
    application.aboutToQuit.connect(lambda: print(session.close(), flush=True))
    return window


class Meeting:
    """Finds the pictures of several cameras that are of one moment.

    Args:
        contract: gives the cameras, and the rate: half a control period apart is one moment.
    """

    def __init__(self, contract: RobotContract) -> None:
        self._cameras = tuple(contract.cameras)
        self._apart = 0.5e9 / contract.control_hz
        self._newest: dict[str, tuple[int, Any]] = {}

    def add(self, camera: str, stamp: int, pixels: Any) -> dict[str, Any] | None:
        """Takes a camera's newest picture, of `stamp` [ns]; returns all cameras' if they are of one moment now, each once."""
        self._newest[camera] = stamp, pixels
        stamps = [of for of, _ in self._newest.values()]
        if len(self._newest) < len(self._cameras) or max(stamps) - min(stamps) >= self._apart:
            return None
        found = {name: self._newest[name][1] for name in self._cameras}
        self._newest.clear()
        return found
