"""The teleoperation window as a program, on an X server, with keys of that server."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from sensor_msgs.msg import Joy
from std_srvs.srv import Trigger

from rewardbot.ros import qos
from rewardbot.teleop.bindings import DRIVING
from rewardbot.teleop.stream import WINDOW_TOPIC
from tests.gui.keyboard import Keyboard

pytestmark = [pytest.mark.ros, pytest.mark.gui]
PROGRAM = [sys.executable, "-m", "rewardbot.gui.teleop_window"]


@pytest.fixture
def keyboard(screen: str) -> Iterator[Keyboard]:
    found = Keyboard(screen)
    yield found
    found.close()


def test_keys_are_held_until_they_are_let_go_or_the_window_loses_them(domain: int, client: Any, keyboard: Keyboard) -> None:
    process = subprocess.Popen(PROGRAM, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    called: list[str] = []

    def stop(request: Trigger.Request, response: Trigger.Response) -> Trigger.Response:
        called.append("stop")
        return response

    client.node.create_service(Trigger, "stop", stop)
    try:
        sent = client.collect(Joy, WINDOW_TOPIC, qos.COMMANDS)
        keyboard.focus("rewardbot: teleoperation")

        def held(*actions: str) -> Callable[[], bool]:
            return lambda: sent != [] and [name for name, down in zip(DRIVING, sent[-1].buttons, strict=True) if down] == [*actions]

        keyboard.hold({"w", "a"})
        client.wait(held("forward", "left"), "two keys")
        known = len(sent)
        client.wait(lambda: len(sent) > known + 25, "a second of it")  # in which the server repeats the key
        assert all(message.buttons == sent[-1].buttons for message in sent[known:]), "as long as it is held"
        keyboard.hold({"a"})
        client.wait(held("left"), "one key")
        keyboard.unfocus()
        client.wait(held(), "none, although one is held down")
        keyboard.hold(set())
        keyboard.focus("rewardbot: teleoperation")
        keyboard.tap("Escape")
        client.wait(lambda: called == ["stop"], "Stop")
    finally:
        process.terminate()
        said, _ = process.communicate(timeout=30)
    assert process.returncode == 0, said


@pytest.mark.slow
def test_whoever_closes_the_window_ends_the_graph(domain: int, keyboard: Keyboard, tmp_path: Path) -> None:
    arguments = ("sim:=false", "namespace:=alone", f"run_folder:={tmp_path}")
    process = subprocess.Popen([sys.executable, "-m", "rewardbot", "up", "teleop", *arguments],
                               stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    keyboard.focus("rewardbot: teleoperation")
    keyboard.close_window("rewardbot: teleoperation")
    said, _ = process.communicate(timeout=60)
    assert process.returncode == 0 and "Traceback" not in said and "teleop_window" in said, said


def test_without_a_screen_it_says_so(domain: int, screen: str) -> None:
    environment = {name: value for name, value in os.environ.items() if name != "DISPLAY"}
    run = subprocess.run(PROGRAM, env=environment, capture_output=True, text=True, timeout=60, check=False)
    assert run.returncode == 2 and run.stderr.startswith("teleop_window: There is no screen: DISPLAY is ''.")


def test_a_wrong_parameter_ends_it_before_it_opens(domain: int, screen: str) -> None:
    run = subprocess.run([*PROGRAM, "--ros-args", "-p", "bind:='success=w'"], capture_output=True, text=True, timeout=60, check=False)
    assert run.returncode == 2 and "The key 'w' is bound to 'forward' and 'success'" in run.stderr
