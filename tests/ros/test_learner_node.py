"""The learner's node as a process: what it learned outlives it."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from std_srvs.srv import SetBool, Trigger

from rewardbot.data.episodes import write_episode
from rewardbot.robots.robot import load_contract
from rewardbot.training import checkpoint
from rewardbot.types import Episode, EpisodeInfo

pytestmark = pytest.mark.ros

QUICK = "/**:\n  ros__parameters:\n    bc: {steps: 2}\n    plain_bc: {steps: 2}\n    classifier: {first_steps: 2}\n"


def record(folder: Path, number: int) -> None:
    contract, steps = load_contract("sim_arm"), 3
    draw = np.random.default_rng(number)
    images = {name: draw.integers(0, 256, (steps + 1, camera.height, camera.width, 3), dtype=np.uint8)
              for name, camera in contract.cameras.items()}
    episode = Episode(EpisodeInfo(f"e{number}", "reach", contract.name, "demonstration", seed=number, success=True),
                      np.arange(1, steps + 2) / 10.0, images, draw.normal(size=(steps + 1, 4)).astype(np.float32),
                      np.zeros((steps, 4), np.float32), np.zeros((steps, 4), np.float32))
    write_episode(folder, episode, contract)


def test_what_was_learned_is_kept_when_the_graph_ends(start_node: Any, client: Any, tmp_path: Path) -> None:
    for number in range(2):
        record(tmp_path / "demonstrations", number)
    (tmp_path / "quick.yaml").write_text(QUICK)
    process = start_node("learner_node", "--params-file", str(tmp_path / "quick.yaml"), "-p", "task:=reach",
                         "-p", f"run_folder:={tmp_path}")
    assert client.call(Trigger, "pretrain", Trigger.Request()).success
    # Refused until pretraining is over, and its checkpoint is written.
    client.wait(lambda: client.call(SetBool, "learn", SetBool.Request(data=True)).success, "the end of pretraining")
    shutil.rmtree(tmp_path / "checkpoint")
    assert process.end() == 0
    files = {path.name for path in (tmp_path / "checkpoint" / "newest").iterdir()}
    assert files == {checkpoint.POLICY, checkpoint.CLASSIFIER, checkpoint.LEARNER, "generation.json"}
    assert not any("Traceback" in line for line in process.output)
