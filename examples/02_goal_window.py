"""The window for labelling a goal, and a picture of it: the simulated operator works, keys are held as the goal comes and goes.

    .venv/bin/python examples/02_goal_window.py                        # lift, into docs/goal_window.png and goal_window_light.png
    .venv/bin/python examples/02_goal_window.py push                   # another task, into goal_window_push.png, ..._light.png here
    .venv/bin/python examples/02_goal_window.py push FILE.png          # elsewhere

No screen is needed, and no ROS: the window gets what `rewardbot label-goal` would bring it over topics.
"""

from __future__ import annotations

import itertools
import os
import tempfile
import time
from pathlib import Path

os.environ.setdefault("QT_QPA_PLATFORM", "offscreen")

import numpy as np
from numpy.typing import NDArray
from PyQt5.QtCore import Qt
from PyQt5.QtTest import QTest
from PyQt5.QtWidgets import QApplication

from rewardbot.arguments import call
from rewardbot.gui import theme
from rewardbot.gui.goal_session import GoalSession
from rewardbot.gui.goal_widget import GoalWidget
from rewardbot.robots.demonstrators import ScriptedDemonstrator
from rewardbot.robots.mujoco import MujocoRobot
from rewardbot.robots.robot import load_contract
from rewardbot.training.labels import LabelStore

LABELLED, ASKED, STEPS = 8, 3, 50
"""Episodes in which keys are held, then some in which the classifier is on its own and asks; actions of each."""


def main(task: str = "lift", file: str = "") -> None:
    """Labels pictures of `task` for as long as a person would in a minute, and writes a picture of the window."""
    file = file or ("docs/goal_window.png" if task == "lift" else f"goal_window_{task}.png")
    application = theme.make_application("goal_window")
    theme.apply(application)
    contract = load_contract("sim_arm")
    robot = MujocoRobot(task, contract)
    operator = ScriptedDemonstrator(robot, noise=0.3, seed=0)
    window = GoalWidget(tuple(contract.cameras), stop=lambda: None)
    with tempfile.TemporaryDirectory() as folder:
        session = GoalSession(LabelStore(Path(folder), contract), contract.name, changed=window.changed.emit)
        window.begin(session)
        window.show()
        clock = itertools.count()

        def look() -> None:
            images = dict(robot.read().images)
            for name, pixels in images.items():
                window.show_pixels(name, pixels)
            window.safety.metrics("sim_node", {"estop": "none (simulated)"})
            session.see(images, next(clock) / contract.control_hz)
            wait(application, 0.03)

        for episode in range(LABELLED + ASKED):
            robot.reset(episode)
            operator.begin_episode(episode)
            for _ in range(STEPS):
                if episode < LABELLED and session.held != robot.true_success():
                    session.press(robot.true_success())
                look()
                robot.send(operator.act())
            session.release()
            while episode >= LABELLED and session.state.training:
                look()
        window.grab().save(file)
        light = Path(file).with_stem(f"{Path(file).stem}_light")
        draw_light(session, dict(robot.read().images), application, light)
        print(session.close())
    robot.close()
    print(file, light)


def draw_light(session: GoalSession, images: dict[str, NDArray[np.uint8]], application: QApplication, file: Path) -> None:
    """The same state in light colours, at the first question."""
    theme.apply(application, theme.LIGHT)
    window = GoalWidget(tuple(images), stop=lambda: None, looks=theme.LIGHT)
    for name, pixels in images.items():
        window.show_pixels(name, pixels)
    window.safety.metrics("sim_node", {"estop": "none (simulated)"})
    window.begin(session)
    window.show()
    QTest.keyClick(window, Qt.Key.Key_Right)
    wait(application, 0.2)
    window.grab().save(str(file))


def wait(application: QApplication, seconds: float) -> None:
    """Lets the window work."""
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        application.processEvents()
        time.sleep(0.002)


if __name__ == "__main__":
    call(main)
