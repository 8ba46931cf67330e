"""The window for labelling a goal in its graph: real key events of an X server, pictures over DDS, files at the end."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack, suppress
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from PyQt5.QtCore import Qt
from PyQt5.QtTest import QTest
from sensor_msgs.msg import Image as SensorImage

from rewardbot.data import decode
from rewardbot.gui import theme
from rewardbot.gui.goal_connection import Meeting, connect
from rewardbot.robots.robot import CameraContract, RobotContract, load_contract
from rewardbot.ros import convert, qos
from rewardbot.ros.graph import load_graph, resolve
from rewardbot.ros.supervisor import Supervisor
from rewardbot.training.labels import LabelStore
from tests.goal_scene import GoalScene
from tests.gui.keyboard import Keyboard

pytestmark = [pytest.mark.ros, pytest.mark.gui]

TITLE = "rewardbot: pictures of the goal"
CV2_FIRST = "import cv2\nfrom rewardbot.gui.goal_window import main\nmain()"


@pytest.fixture
def keyboard(screen: str) -> Iterator[Keyboard]:
    found = Keyboard(screen)
    yield found
    found.close()


def test_real_keys_make_files_from_a_cameras_pictures(domain: int, client: Any, keyboard: Keyboard, tmp_path: Path) -> None:
    """The scene is a folder of images, shown again and again."""
    shown, folder = tmp_path / "shown", tmp_path / "goal"
    shown.mkdir()
    for number, picture in enumerate(GoalScene(1).burst(True, 30)):
        Image.fromarray(picture).save(shown / f"{number:02d}.png")
    nodes = resolve(load_graph("goal"), {"folder": str(folder), "source": str(shown), "rate": 20.0})
    said: list[str] = []

    def pictures(of: str) -> int:
        return len([path for path in (folder / of).glob("*.png") if not path.name.startswith(".")])

    with Supervisor(nodes, log=lambda node, line: said.append(f"{node}: {line}")) as supervisor:
        supervisor.start()
        supervisor.wait_ready()
        keyboard.focus(TITLE)
        client.wait(lambda: keyboard.hold({"g"}) or pictures("webcam") >= 4, f"pictures: {said}")
        keyboard.hold(set())
        client.wait(lambda: keyboard.hold({"n"}) or pictures("not/webcam") >= 2, f"pictures: {said}")
        keyboard.hold(set())
        client.quiet(0.5)
        kept = pictures("webcam"), pictures("not/webcam")
        client.quiet(0.5)
        assert (pictures("webcam"), pictures("not/webcam")) == kept, "nothing is taken while no key is held"
        keyboard.close_window(TITLE)
        client.wait(lambda: any("no classifier" in line for line in said), f"its last words: {said}")
    assert f"goal_window: {folder}: {kept[0]} pictures with the goal, {kept[1]} without; no classifier." in "\n".join(said)
    store = LabelStore(folder, load_contract("webcam"))
    assert [example.goal for example in store.examples].count(True) == kept[0]
    assert store.examples[0].images["webcam"].shape == (96, 96, 3)


def test_opencv_may_be_imported_before_qt(domain: int, keyboard: Keyboard, tmp_path: Path) -> None:
    """opencv-python brings Qt plugins of its own; the headless one that we install must not."""
    window = subprocess.Popen([sys.executable, "-c", CV2_FIRST, "--ros-args", "-p", f"folder:={tmp_path}"], text=True,
                              stdout=subprocess.PIPE, stderr=subprocess.STDOUT, env={**os.environ, "QT_QPA_PLATFORM": "xcb"})
    keyboard.focus(TITLE)
    while window.poll() is None:  # whoever asks a second time, as ros2 launch does, does not kill it in the middle of its end
        window.send_signal(signal.SIGTERM)
        with suppress(subprocess.TimeoutExpired):
            window.wait(0.02)
    text, _ = window.communicate(timeout=30)
    assert window.returncode == 0, text
    assert f"{tmp_path}: 0 pictures with the goal, 0 without; no classifier. There is no picture with the goal yet." in text


@pytest.mark.parametrize(("arguments", "said"), [
    (["folder:=/sys/rewardbot"], "Cannot write /sys/rewardbot"), (["robot:=webcan"], "Did you mean 'webcam'?"),
    (["label.rate:=0.0"], "label.rate is 0.0")])
def test_what_cannot_be_used_is_told_before_a_window_opens(arguments: list[str], said: str, domain: int, tmp_path: Path) -> None:
    given = [part for argument in arguments for part in ("-p", argument)]
    result = subprocess.run([sys.executable, "-m", "rewardbot.gui.goal_window", "--ros-args", *given], cwd=tmp_path, text=True,
                            capture_output=True, timeout=60, check=False, env={**os.environ, "QT_QPA_PLATFORM": "offscreen"})
    assert result.returncode == 2 and said in result.stderr and "Traceback" not in result.stderr


def test_pictures_of_another_size_and_a_stop_that_nobody_hears_are_told(
    domain: int, client: Any, qtbot: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch,
    at_end: ExitStack
) -> None:
    monkeypatch.setattr(sys, "argv", ["goal_window", "--ros-args", "-p", f"folder:={tmp_path}"])
    bridge, make_window = connect()
    assert bridge.start()
    at_end.callback(bridge.close)
    window = make_window(theme.DARK)
    qtbot.addWidget(window)
    camera = client.publisher(SensorImage, decode.camera_topic("webcam"), qos.IMAGES_OUT)

    def shown(text: str, pixels: np.ndarray) -> None:
        client.wait(lambda: camera.publish(convert.image(pixels, "webcam", 1)) or qtbot.wait(20) or text in str(window.toasts.texts())
                    or text in window._headline.text(), text)

    shown("Hold  G", np.zeros((96, 96, 3), np.uint8))
    shown("camera 'webcam': The image is 64x64.", np.zeros((64, 64, 3), np.uint8))
    QTest.keyClick(window, Qt.Key.Key_Escape)
    qtbot.waitUntil(lambda: "Nobody offers 'stop' now." in str(window.toasts.texts()))
    window._session.close()


def test_pictures_of_one_moment_meet() -> None:
    contract = RobotContract(control_hz=10.0, cameras={"front": CameraContract(), "wrist": CameraContract()})
    meeting, pixels = Meeting(contract), np.zeros((2, 2, 3), np.uint8)
    assert meeting.add("front", 1_000_000_000, pixels) is None
    assert meeting.add("wrist", 900_000_000, pixels) is None, "a tenth of a second before"
    found = meeting.add("wrist", 1_020_000_000, pixels + 1)
    assert found is not None and int(found["wrist"][0, 0, 0]) == 1 and list(found) == ["front", "wrist"]
    assert meeting.add("front", 1_030_000_000, pixels) is None, "each is used once"
