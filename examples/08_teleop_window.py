"""The teleoperation window in both colours, and pictures of it: what a person sees who drives the simulated arm, and after a Stop.

    .venv/bin/python examples/08_teleop_window.py                  # into docs/teleop_window*.png
    .venv/bin/python examples/08_teleop_window.py FOLDER           # elsewhere

No screen is needed, and no ROS: the window gets what the nodes of `rewardbot up teleop` would tell it.
"""

from __future__ import annotations

import os
import time
from pathlib import Path

os.environ.setdefault("QT_QPA_PLATFORM", "offscreen")

from PIL import Image

from rewardbot.arguments import call
from rewardbot.data.decode import EpisodeEvent
from rewardbot.gui import theme
from rewardbot.gui.teleop_session import TeleopSession
from rewardbot.gui.teleop_widget import TeleopWidget
from rewardbot.robots.demonstrators import ScriptedDemonstrator
from rewardbot.robots.mujoco import MujocoRobot
from rewardbot.robots.robot import load_contract
from rewardbot.teleop.bindings import KEYBOARD
from rewardbot.types import EpisodeInfo

STEPS = 12


def main(folder: str = "docs") -> None:
    """Draws the window twice: while somebody drives, dark; and stopped, light."""
    application = theme.make_application("teleop_window")
    contract = load_contract("sim_arm_128")
    robot = MujocoRobot("lift", contract)
    operator = ScriptedDemonstrator(robot, noise=0.3, seed=0)
    robot.reset(0)
    operator.begin_episode(0)
    for _ in range(STEPS):
        robot.send(operator.act())
    images = robot.read().images
    for suffix, looks, stopped in (("", theme.DARK, 0.0), ("_light", theme.LIGHT, 1.0)):
        theme.apply(application, looks)
        session = TeleopSession(KEYBOARD, "window", tuple(contract.cameras), call=lambda service: None, send=lambda held: None)
        window = TeleopWidget(session, KEYBOARD, tuple(contract.cameras), looks)
        now = time.monotonic()
        session.metrics("policy_node", {"mode": "teleoperate", "operator": "the operator", "steps": float(STEPS)}, now)
        session.metrics("teleop_node", {"connected": 1.0, "held": 1.0, "speed": 0.5, "frame": "base"}, now)
        session.metrics("recorder_node", {"episodes_saved": 3.0}, now)
        session.metrics("sim_node", {"stopped": stopped, "estop": "none (simulated)"}, now)
        session.episode(EpisodeEvent("start", 1, EpisodeInfo("lift-4", "lift", contract.name, "demonstration")))
        for name, pixels in images.items():
            window.views[name].show_pixels(pixels)
            session.saw(name, now)
        window.show()
        window._refresh()
        application.processEvents()
        file = Path(folder) / f"teleop_window{suffix}.png"
        window.grab().save(str(file))
        Image.open(file).convert("RGB").quantize(256, dither=Image.Dither.NONE).save(file, optimize=True)  # half the bytes
        print(file)
    robot.close()


if __name__ == "__main__":
    call(main)
