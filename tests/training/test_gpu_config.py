"""`config/gpu.yaml` and cameras of 128 px through the whole of `rewardbot train`, in miniature and on the processor."""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest
import torch
import yaml

from rewardbot import cli, commands
from rewardbot.config import merge, read_yaml, share_path, to_mapping
from rewardbot.errors import ConfigError
from rewardbot.nets.encoders import Encoder
from rewardbot.policies.base import DeployedPolicy
from rewardbot.policies.bc import BCConfig, BehaviourCloning
from rewardbot.robots.robot import load_contract
from rewardbot.training.options import JobOptions
from rewardbot.training.preparing import learner_config

GPU = share_path("config/gpu.yaml")
MINIATURE = {
    "device": "cpu", "capacity": 1000, "classifier": {"first_steps": 2}, "discriminator": {"batch": 8},
    "bc": {"steps": 2, "batch": 4}, "plain_bc": {"steps": 2, "batch": 4}, "rlpd": {"batch": 4, "actor_after": 0},
}


def test_it_is_an_ordinary_settings_file() -> None:
    config = learner_config(JobOptions(config=str(GPU)))
    assert config.device == "cuda" and config.bc.channels == config.plain_bc.channels == 64 and config.bc.mixed_precision


def test_the_robots_differ_in_their_cameras_alone() -> None:
    small, large = load_contract("sim_arm"), load_contract("sim_arm_128")
    assert {(camera.width, camera.height) for camera in large.cameras.values()} == {(128, 128)}
    assert replace(large, name=small.name, cameras=small.cameras) == small


@pytest.mark.slow
def test_the_whole_of_train(tmp_path: Path) -> None:
    settings = tmp_path / "mine.yaml"
    settings.write_text(yaml.safe_dump(merge(read_yaml(GPU), MINIATURE)))
    cli.run(["train", "--task", "reach", "--robot", "sim_arm_128", "--config", str(settings), "--demos", "2", "--episodes", "1",
             "--minutes", "0.02", "--run-dir", str(tmp_path / "runs")])
    (run,) = (tmp_path / "runs").glob("*-reach-0")
    assert json.loads((run / "summary.json").read_text())["env_steps"] > 0
    policy = DeployedPolicy((run / "checkpoint" / "policy.safetensors").read_bytes())
    assert set(policy.cameras.values()) == {(128, 128)}
    assert to_mapping(learner_config(JobOptions(config=str(run / "learner.yaml"))))["bc"]["channels"] == 64


def test_mixed_precision_is_for_training_alone() -> None:
    """It moves the convolutions' gradients by the rounding of bfloat16 and no more, and what is deployed computes in full."""
    cameras = {"front": (16, 16)}
    draw = torch.Generator().manual_seed(0)
    images = {"front": torch.randint(0, 256, (8, 3, 16, 16), dtype=torch.uint8, generator=draw)}
    proprio, actions = torch.randn(8, 4, generator=draw), torch.rand(8, 4, generator=draw)
    found = []
    for mixed in (False, True):
        torch.manual_seed(0)
        cloning = BehaviourCloning(BCConfig(shift=0, dropout=0.0, proprio_noise=0.0, mixed_precision=mixed), cameras, 4, 4)
        cloning.bc_loss(images, proprio, actions).backward()
        gradient = cloning.encoder.cameras["front"].convolutions[0].weight.grad  # type: ignore[union-attr, index]
        found.append((gradient, cloning.encoder(images)))
    (full, features), (rounded, same) = found
    assert rounded.dtype == torch.float32 and torch.equal(features, same)
    assert 1e-4 < float((rounded - full).norm() / full.norm()) < 0.2


def test_a_wider_encoder_sees_more() -> None:
    assert Encoder({"front": (16, 16)}, 64).features == 2 * Encoder({"front": (16, 16)}).features == 192


@pytest.mark.slow
def test_two_processes_train_together(tmp_path: Path) -> None:
    """Each visits its own start states, so the first one's are every other one; one run folder is left behind."""
    settings = tmp_path / "mine.yaml"
    small = merge(MINIATURE, {"bc": {"channels": 4, "latent": 8}, "plain_bc": {"channels": 4, "latent": 8}})
    settings.write_text(yaml.safe_dump(merge(read_yaml(GPU), small)))
    options = ["--task", "reach", "--config", str(settings), "--demos", "2", "--episodes", "1", "--minutes", "0.05",
               "--run-dir", "runs"]
    command = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2", "-m", "rewardbot", "train"]
    done = subprocess.run([*command, *options], cwd=tmp_path, capture_output=True, text=True, timeout=240, check=False)
    assert done.returncode == 0, done.stderr
    assert done.stdout.count("Learned in") == 1
    (run,) = (tmp_path / "runs").glob("*-reach-0")
    assert json.loads((run / "summary.json").read_text())["env_steps"] > 0
    seeds = sorted(int(path.stem.rpartition("-")[2]) for path in (run / "checkpoint" / "visited").rglob("*.safetensors"))
    assert len(seeds) > 1 and all(seed % 2 == 0 for seed in seeds)


@pytest.mark.parametrize(("options", "resume"), [
    (JobOptions(), commands.Resume("runs/latest", {})), (JobOptions(compare=True), None)])
def test_what_several_processes_cannot(
    options: JobOptions, resume: commands.Resume | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(commands.TORCHRUN, "1")
    with pytest.raises(ConfigError, match=r"Several processes can neither(.|\n)*--resume and --compare"):
        commands.train(options, resume)
