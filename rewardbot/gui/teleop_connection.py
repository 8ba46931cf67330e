"""Between the graph and the teleoperation window: what is heard goes to the session, what the session says goes out."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from diagnostic_msgs.msg import DiagnosticArray
from sensor_msgs.msg import Image, Joy

from rewardbot.config import setting
from rewardbot.data import decode
from rewardbot.errors import DataError
from rewardbot.gui import theme
from rewardbot.gui.bridge import Bridge, Topic, Wiring
from rewardbot.gui.teleop_session import TeleopSession
from rewardbot.gui.teleop_widget import TeleopWidget
from rewardbot.robots.robot import load_contract
from rewardbot.ros import convert, qos
from rewardbot.teleop.bindings import KEYBOARD, SERVICES
from rewardbot.teleop.devices import DeviceName
from rewardbot.teleop.stream import WINDOW_TOPIC

METRICS = "metrics"


@dataclass(frozen=True)
class WindowSettings(theme.LookSettings):
    """Read-only parameters."""

    robot: str = setting("sim_arm", "robot contract in config/robots")
    device: DeviceName = setting("window", "what drives, as in teleop_node; the keys of the window do only if it is `window`")
    bind: str = setting("", "other keys: action=key, separated by commas")


def connect() -> tuple[Bridge[WindowSettings], Callable[[theme.Looks], TeleopWidget]]:
    """The bridge, and what makes the window when that is started."""
    bridge = Bridge("teleop_window", WindowSettings, _wire)
    return bridge, lambda looks: _window(bridge, looks)


def _wire(settings: WindowSettings) -> Wiring:
    KEYBOARD.rebound(settings.bind)  # here what is wrong is told as that of any parameter
    cameras = load_contract(settings.robot).cameras
    return Wiring(
        listens=[Topic(METRICS, DiagnosticArray, qos.EVENTS), Topic(decode.EPISODE, DiagnosticArray, qos.EVENTS),
                 *(Topic(decode.camera_topic(name), Image, qos.IMAGES_NEWEST) for name in cameras)],
        speaks=[Topic(WINDOW_TOPIC, Joy, qos.COMMANDS)], calls=list(SERVICES.values()))


def _window(bridge: Bridge[WindowSettings], looks: theme.Looks) -> TeleopWidget:
    settings = bridge.settings
    bindings, cameras = KEYBOARD.rebound(settings.bind), load_contract(settings.robot).cameras
    session = TeleopSession(bindings, settings.device, tuple(cameras), call=bridge.call,
                            send=lambda buttons: bridge.publish(WINDOW_TOPIC, Joy(buttons=buttons)))
    window = TeleopWidget(session, bindings, tuple(cameras), looks, scale=settings.scale)
    names = {decode.camera_topic(name): name for name in cameras}

    def hear(topic: str, message: Any) -> None:
        now = time.monotonic()
        if topic == METRICS:
            for node, values in convert.metrics_of(message).items():
                session.metrics(node, values, now)
            return
        try:
            if topic == decode.EPISODE:
                session.episode(decode.episode_event(message))
            else:
                window.views[names[topic]].show_pixels(decode.image(message, cameras[names[topic]]))
                session.saw(names[topic], now)
        except DataError as error:
            session.note(str(error))

    bridge.heard.connect(hear)
    bridge.answered.connect(session.answered)
    return window
