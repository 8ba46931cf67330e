"""Bad input to nodes, each a real process: exit code 2 and a clear error, without a traceback."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from diagnostic_msgs.msg import DiagnosticArray
from std_srvs.srv import Trigger

from rewardbot.data.decode import EPISODE
from rewardbot.ros import convert, qos
from rewardbot.ros.node import serve
from rewardbot.training import checkpoint
from rewardbot.types import EpisodeInfo

pytestmark = pytest.mark.ros

UNWRITABLE = "/sys/rewardbot"
BROKEN = """
import numpy as np
from rewardbot.robots.mujoco import MujocoRobot

send, left = MujocoRobot.send, 3

def break_soon(self, action):
    global left
    left -= 1
    if left == 0:
        self.data.qvel[0] = np.nan
    return send(self, action)

MujocoRobot.send = break_soon
from rewardbot.ros import sim_node
sim_node.main()
"""


def ended(process: Any, words: str) -> str:
    """What a node said that has ended with exit code 2."""
    process.wait_for_line(words)
    assert process.popen.wait(timeout=30.0) == 2
    assert not any("Traceback" in line for line in process.output), process.output
    return "\n".join(process.output)


def test_nan_from_the_simulator(domain: int, tmp_path: Path) -> None:
    result = subprocess.run([sys.executable, "-c", BROKEN, "--ros-args", "-p", "task:=reach", "-p", "lockstep:=false"],
                            cwd=tmp_path, text=True, capture_output=True, timeout=60, check=False)
    assert result.returncode == 2, result.stderr
    assert "sim_node: The simulation of 'reach' became unstable" in result.stderr and "Traceback" not in result.stderr


@pytest.mark.parametrize("back_end", ["egl", "no-such-back-end"])
def test_no_egl(back_end: str, domain: int) -> None:
    """The second fails within `import mujoco` already, as it does where libEGL is missing."""
    result = subprocess.run([sys.executable, "-m", "rewardbot.ros.sim_node"], text=True, capture_output=True, timeout=60, check=False,
                            env={**os.environ, "MUJOCO_GL": back_end, "__EGL_VENDOR_LIBRARY_DIRS": "/nonexistent",
                                 "__EGL_VENDOR_LIBRARY_FILENAMES": ""})
    assert result.returncode == 2, result.stderr
    assert "apt-get install -y libegl1" in result.stderr and "Traceback" not in result.stderr


@pytest.mark.parametrize("arguments", [["--help"], ["task:=lift"], ["--ros-args", "-p", "robot:=sim_arm", "--", "lift"]])
def test_what_is_no_argument_of_a_node(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    """It would be overheard: somebody who asks for help would have started a node."""
    assert serve(lambda: pytest.fail("a node was made"), lambda: True, arguments) == 2
    said = capsys.readouterr().err
    assert f"error: '{arguments[-1]}' is no argument of a node." in said and "--ros-args -p name:=value" in said


def test_a_wrong_key_in_a_parameter_file(start_node: Any, tmp_path: Path) -> None:
    file = tmp_path / "mine.yaml"
    file.write_text("/**:\n  ros__parameters:\n    rlpd: {batsh: 3}\n")
    process = start_node("learner_node", "--params-file", str(file), "-p", f"run_folder:={tmp_path}", ready=False)
    assert "Did you mean 'rlpd.batch'?" in ended(process, "rlpd.batsh")


def test_demonstrations_without_a_success(start_node: Any, client: Any, tmp_path: Path) -> None:
    (tmp_path / "demonstrations").mkdir()
    process = start_node("learner_node", "-p", "task:=reach", "-p", f"run_folder:={tmp_path}")
    client.send(Trigger, "pretrain", Trigger.Request())  # it ends at once: an answer may be lost with it
    text = ended(process, "holds no successful demonstration of 'reach'")
    assert "Record demonstrations and mark them as successes" in text


def test_a_checkpoint_of_an_earlier_version(start_node: Any, tmp_path: Path) -> None:
    (tmp_path / "checkpoint").mkdir()
    file = tmp_path / "checkpoint" / checkpoint.LEARNER
    file.write_bytes(b"PK\3\4 and so on")
    process = start_node("learner_node", "-p", "resume:=true", "-p", f"run_folder:={tmp_path}", ready=False)
    text = ended(process, "is damaged: generation.json cannot be read")
    assert "Use another run's checkpoint" in text and file.read_bytes() == b"PK\3\4 and so on"


def test_a_damaged_checkpoint(start_node: Any, tmp_path: Path) -> None:
    (tmp_path / "checkpoint" / "generation-00000007").mkdir(parents=True)
    process = start_node("learner_node", "-p", "resume:=true", "-p", f"run_folder:={tmp_path}", ready=False)
    text = ended(process, "There is no whole checkpoint in")
    assert "earlier run" in text and any("generation-00000007 is damaged" in line for line in process.output)


@pytest.mark.skipif(not Path("/sys").is_dir(), reason="no /sys here")
def test_a_read_only_run_folder(start_node: Any, client: Any) -> None:
    process = start_node("recorder_node", "-p", f"run_folder:={UNWRITABLE}")
    publisher = client.publisher(DiagnosticArray, EPISODE, qos.EVENTS)
    info = EpisodeInfo("e1", "reach", "sim_arm", "demonstration", seed=1)
    publisher.publish(convert.episode_event(info, 1_000_000_000))
    assert UNWRITABLE in ended(process, "Cannot write episode")
