"""Bad input, item by item, to the real program: exit code 2, a clear error without a traceback, and nothing lost.

The finer cases of each are beside what refuses them; here a whole process meets each at least once.
"""

from __future__ import annotations

import dataclasses
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch

from rewardbot.data.episodes import list_episodes, read_episode, write_episode
from rewardbot.nets.encoders import Encoder
from rewardbot.nets.heads import SquashedGaussianPolicy
from rewardbot.policies.base import DeployedPolicy, policy_to_bytes
from rewardbot.robots.robot import CameraContract, RobotContract, load_contract
from rewardbot.types import Episode, EpisodeInfo

CONTRACT = load_contract("sim_arm")
UNWRITABLE = "/sys/rewardbot"
"""Nobody, not even root, can make this folder."""

BROKEN = """
import sys
import numpy as np
from rewardbot import cli
from rewardbot.robots.mujoco import MujocoRobot

send, left = MujocoRobot.send, int(sys.argv.pop(1))

def break_at_last(self, action):
    global left
    left -= 1
    if left == 0:
        self.data.qvel[0] = np.nan
    return send(self, action)

MujocoRobot.send = break_at_last
cli.main()
"""


def refused(*argv: str, program: tuple[str, ...] = ("-m", "rewardbot"), **variables: str) -> str:
    """What it says on stderr, after the checks that hold for every refusal."""
    result = subprocess.run([sys.executable, *program, *argv], env={**os.environ, **variables}, text=True, capture_output=True,
                            timeout=120, stdin=subprocess.DEVNULL, check=False)
    assert result.returncode == 2, result.stderr
    assert "Traceback" not in result.stderr and "rewardbot: " in result.stderr
    return result.stderr


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


def contents(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file()}


# Names, numbers and settings.


@pytest.mark.parametrize(("argv", "said"), [
    (("demo", "--task", "pusch"), ("no task named 'pusch'", "drawer, lift, pencil_case, push, reach", "Did you mean 'push'?")),
    (("train", "--policy", "rldp"), ("no policy algorithm named 'rldp'", "rlpd", "Did you mean 'rlpd'?")),
    (("train", "--reward", "vize"), ("no reward algorithm named 'vize'", "goal_classifier, vice", "Did you mean 'vice'?")),
    (("demo", "--demos", "0"), ("--demos is 0", "at least 2", "--demonstrations DIR")),
    (("train", "--task", "reach", "--demos", "0", "--success-images", "shown", "--play", "6"),
     ("--play is 6: 90 steps of 'reach'", "At least 7 episodes")),
])
def test_names_and_numbers(argv: tuple[str, ...], said: tuple[str, ...], folder: Path) -> None:
    text = refused(*argv)
    assert all(part in text for part in said), text
    assert not list(folder.iterdir()), "nothing was made"


@pytest.mark.parametrize(("text", "said"), [
    ("rlpd: {batsh: 3}", ("mine.yaml", "batsh", "Did you mean 'batch'?")),
    ("rlpd: {batch: many}", ("rlpd.batch is 'many'", "a whole number")),
])
def test_a_wrong_key_or_type_in_a_file(text: str, said: tuple[str, ...], folder: Path) -> None:
    (folder / "mine.yaml").write_text(text)
    error = refused("train", "--config", "mine.yaml")
    assert all(part in error for part in said), error
    assert os.listdir(folder) == ["mine.yaml"]


# Recorded demonstrations.


def bag(name: str, *, task: str = "reach", success: bool | None = True, contract: RobotContract = CONTRACT) -> Path:
    steps = 3
    episode = Episode(
        info=EpisodeInfo(name, task, contract.name, "demonstration", seed=1, success=success),
        stamps=np.arange(1, steps + 2) / 10.0,
        images={camera: np.zeros((steps + 1, size.height, size.width, 3), np.uint8) for camera, size in contract.cameras.items()},
        proprio=np.zeros((steps + 1, 4), np.float32),
        actions=np.zeros((steps, 4), np.float32),
        applied=np.zeros((steps, 4), np.float32),
    )
    return write_episode(Path("bags"), episode, contract)


def cut_off() -> None:
    path = next(bag("c").glob("*.mcap"))
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])


def small_cameras() -> None:
    bag("c", contract=dataclasses.replace(CONTRACT, cameras={name: CameraContract(32, 48) for name in CONTRACT.cameras}))


def another_task() -> None:
    bag("c", task="push")


@pytest.mark.parametrize(("spoil", "said"), [
    (cut_off, ("bags/c is cut off or damaged", "rewardbot bags repair bags/c")),
    (another_task, ("bags/c is of task 'push'", "Expected: 'reach'", "this task's episodes only")),
    (small_cameras, ("bags/c has another image size of camera 'front'", "front 32x48", "Expected: front 64x64", "Record again")),
])
def test_a_bag_that_cannot_be_used(spoil: Callable[[], None], said: tuple[str, ...], folder: Path) -> None:
    bag("a")
    bag("b")
    spoil()
    before = contents(folder)
    error = refused("train", "--task", "reach", "--demonstrations", "bags")
    assert all(part in error for part in said), error
    assert contents(folder) == before, "bags are as they were, and no run was begun"


def test_demonstrations_without_a_success(folder: Path) -> None:
    bag("a", success=False)
    bag("b", success=None)
    before = contents(folder)
    error = refused("train", "--task", "reach", "--demonstrations", "bags")
    assert "bags holds no successful demonstration of 'reach'" in error and "mark them as successes" in error
    assert "a (it was called a failure)" in error and "b (nobody called it a success)" in error
    assert contents(folder) == before


# The machine.


def test_nan_from_the_simulator_keeps_what_was_learned(folder: Path) -> None:
    (folder / "small.yaml").write_text("bc: {steps: 3}\nplain_bc: {steps: 3}\nclassifier: {first_steps: 3}\n")
    # Reach has 15 steps: 30 are demonstrations, and the fifth episode of learning breaks.
    error = refused("100", "train", "--task", "reach", "--demos", "2", "--minutes", "1", "--config", "small.yaml",
                    "--noise", "0", program=("-c", BROKEN))
    assert "The simulation of 'reach' became unstable (NaN" in error and "Reset the robot" in error
    run = folder / "runs" / "latest"
    assert f"rewardbot train --resume runs/{run.resolve().name} goes on." in error
    assert len(list_episodes(run / "demonstrations")) == 2
    for path in list_episodes(run / "demonstrations"):
        assert read_episode(path, CONTRACT, "reach").info.success
    policy = DeployedPolicy((run / "checkpoint" / "policy.safetensors").read_bytes())
    assert policy.version > 1 and (run / "checkpoint" / "newest" / "learner.pt").exists()


def test_no_egl(folder: Path) -> None:
    """`demo` and `train` check the same way, see test_cli.py; nodes started by hand are in ros/test_bad_input.py."""
    error = refused("up", "sim", MUJOCO_GL="egl", __EGL_VENDOR_LIBRARY_DIRS="/nonexistent", __EGL_VENDOR_LIBRARY_FILENAMES="")
    assert "cannot draw off screen" in error and "apt-get install -y libegl1" in error
    assert not (folder / "runs").exists()


@pytest.mark.skipif(not Path("/sys").is_dir(), reason="no /sys here")
def test_a_read_only_run_folder() -> None:
    error = refused("train", "--task", "reach", "--run-dir", UNWRITABLE)
    assert f"Cannot write {UNWRITABLE}" in error and "name another folder with --run-dir" in error


@pytest.mark.parametrize("argv", [("demo", "--task", "reach"), ("up", "sim")])
def test_no_ros(argv: tuple[str, ...], folder: Path) -> None:
    (folder / "rclpy.py").write_text("raise ImportError('librcl.so: cannot open shared object file')")
    error = refused(*argv, PYTHONPATH=str(folder))
    assert "ROS 2 is not here: librcl.so" in error and "`rewardbot train` needs no ROS" in error
    assert not (folder / "runs" / "latest").exists()


@pytest.mark.ros
def test_a_domain_that_is_none_begins_no_run(folder: Path) -> None:
    error = refused("demo", "--task", "reach", ROS_DOMAIN_ID="abc")
    assert "ROS_DOMAIN_ID is 'abc'" in error and "goes on" not in error
    assert not (folder / "runs").exists()


# Checkpoints.


def policy_file(folder: Path, height: int = 64) -> Path:
    cameras = dict.fromkeys(CONTRACT.cameras, (height, 64))
    torch.manual_seed(0)
    encoder = Encoder(cameras)
    actor = SquashedGaussianPolicy(encoder.features, 4, 4, latent=4, hidden=8)
    path = folder / "policy.safetensors"
    path.write_bytes(policy_to_bytes({"encoder": encoder}, {"rl": ("encoder", actor)},
                                     {"version": 1, "task": "reach", "cameras": cameras, "robot": "sim_arm"}))
    return path


def test_a_cut_off_checkpoint(folder: Path) -> None:
    path = policy_file(folder)
    path.write_bytes(path.read_bytes()[:-100])
    error = refused("eval", ".")
    assert "not the weights of a rewardbot policy" in error and "Give a file that a run wrote" in error
    assert len(path.read_bytes()) > 0


def test_a_checkpoint_for_another_camera_size(folder: Path) -> None:
    policy_file(folder, height=48)
    error = refused("eval", ".", "--episodes", "1")
    assert "Camera 'front' is 64x64" in error and "trained at 64x48" in error and "train for this one" in error
