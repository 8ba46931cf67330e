"""Where the learner computes, and what happens when that is not there or full. GPU tests are skipped without a GPU."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
import torch

from rewardbot.errors import ConfigError
from rewardbot.policies.base import DeployedPolicy
from rewardbot.rewards.goal_classifier import DeployedClassifier
from rewardbot.robots.robot import RobotContract
from rewardbot.training import checkpoint
from rewardbot.training import learner as learning
from rewardbot.training.device import choose, memory, one_thread
from rewardbot.training.learner import Learner
from rewardbot.training.learner_config import LearnerConfig
from rewardbot.types import Episode

gpu = pytest.mark.skipif(not torch.cuda.is_available(), reason="no GPU here")
FULL = torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB. GPU 0 has a total capacity of 1.00 GiB.")


def test_one_thread_unless_somebody_says_how_many(monkeypatch: pytest.MonkeyPatch) -> None:
    before = torch.get_num_threads()
    try:
        torch.set_num_threads(2)
        monkeypatch.setenv("OMP_NUM_THREADS", "2")
        one_thread()
        assert torch.get_num_threads() == 2
        monkeypatch.delenv("OMP_NUM_THREADS")
        one_thread()
        assert torch.get_num_threads() == 1
    finally:
        torch.set_num_threads(before)


def gpus(monkeypatch: pytest.MonkeyPatch, count: int) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: count > 0)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: count)


def test_auto_is_a_gpu_if_there_is_one(monkeypatch: pytest.MonkeyPatch) -> None:
    gpus(monkeypatch, 0)
    assert choose("auto") == choose("cpu") == torch.device("cpu")
    gpus(monkeypatch, 2)
    assert choose("auto") == choose("cuda") == torch.device("cuda")
    assert choose("cuda:1") == torch.device("cuda:1") and choose("cpu") == torch.device("cpu")


@pytest.mark.parametrize(("name", "count", "said"), [
    ("cuda", 0, r"device is 'cuda', but there is no GPU here(.|\n)*Here: auto, cpu\.(.|\n)*nvidia-smi"),
    ("cuda:1", 0, "no GPU here"), ("cuda:2", 2, r"device is 'cuda:2'\.(.|\n)*Here: auto, cpu, cuda, cuda:0, cuda:1\."),
    ("gpu", 0, r"device is 'gpu'\.(.|\n)*Here: auto, cpu"), ("", 1, r"device is ''\."),
])
def test_a_device_that_is_not_there(name: str, count: int, said: str, monkeypatch: pytest.MonkeyPatch) -> None:
    gpus(monkeypatch, count)
    with pytest.raises(ConfigError, match=said):
        choose(name)


def test_the_learner_says_so(config: LearnerConfig, contract: RobotContract, monkeypatch: pytest.MonkeyPatch) -> None:
    gpus(monkeypatch, 0)
    with pytest.raises(ConfigError, match="no GPU here"):
        Learner(replace(config, device="cuda"), contract, "reach")


def test_a_full_gpu_names_the_settings_to_lower() -> None:
    said = r"GPU is out of memory: CUDA out of memory\.(.|\n)*Lower a\.b, end(.|\n)*device: cpu"
    with pytest.raises(ConfigError, match=said), memory("a.b"):
        raise FULL
    with pytest.raises(RuntimeError, match="another"), memory("a.b"):
        raise RuntimeError("another")


@pytest.mark.parametrize(("place", "settings"), [
    ("Replay", "capacity"), ("RLPD", r"bc\.batch and plain_bc\.batch"), ("concatenate", r"rlpd\.batch and discriminator\.batch")])
def test_wherever_the_learner_fills_it(
    place: str, settings: str, config: LearnerConfig, contract: RobotContract, make_episode: Callable[..., Episode],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def full(*_: Any, **__: Any) -> None:
        raise FULL

    monkeypatch.setattr(learning, place, full)
    with pytest.raises(ConfigError, match=f"Lower {settings},"):
        learner = Learner(config, contract, "reach")
        learner.pretrain([make_episode(number) for number in range(3)], lambda stage, share: None)
        learner.add_episode(make_episode(9, source="policy"))
        learner.update()


def test_a_checkpoint_from_another_kind_of_device(
    config: LearnerConfig, contract: RobotContract, make_episode: Callable[..., Episode]
) -> None:
    """A GPU's generators have states of another size."""
    learner, other = (Learner(config, contract, "reach", seed) for seed in (0, 1))
    learner.pretrain([make_episode(number) for number in range(3)], lambda stage, share: None)
    state = checkpoint._state(learner, 0)
    state["random"] |= {"learner": torch.zeros(16, dtype=torch.uint8)}
    checkpoint._restore(other, state)
    assert not torch.equal(other.generator.get_state(), learner.generator.get_state()), "goes on with its own"
    assert torch.equal(other.visited.generator.get_state(), learner.visited.generator.get_state())


@gpu
@pytest.mark.gpu
def test_learning_on_a_gpu_and_deploying_without(
    config: LearnerConfig, contract: RobotContract, make_episode: Callable[..., Episode], tmp_path: Any,
) -> None:
    """All of it, with updates as graphs, before and after visited states are negatives; then everything is there on a processor."""
    learner = Learner(replace(config, device="cuda"), contract, "reach")
    learner.pretrain([make_episode(number) for number in range(3)], lambda stage, share: None)
    steps = 0
    for number in range(30):
        learner.add_episode(make_episode(number, source="policy"))
        before = [parameter.clone() for parameter in (*learner.agent.critic.parameters(), *learner.agent.actor.parameters())]
        metrics = learner.update()
        steps += learner.config.round_updates
        after = (*learner.agent.critic.parameters(), *learner.agent.actor.parameters())
        assert not any(torch.equal(*pair) for pair in zip(before, after, strict=True) if pair[0].ndim > 1)
        assert metrics["updates"] == steps and metrics["critic_loss"] >= 0.0
    observed = make_episode(5)
    images = {name: frames[0] for name, frames in observed.images.items()}
    assert 0.0 <= DeployedClassifier(learner.classifier_weights()).probability(images) <= 1.0
    assert "rl" in DeployedPolicy(learner.policy_weights()).description["actors"]
    learner.save(tmp_path)
    other = Learner(replace(config, device="cuda"), contract, "reach")
    other.load(tmp_path)
    assert other.update()["updates"] == steps + other.config.round_updates


@gpu
@pytest.mark.gpu
def test_a_graph_does_what_the_same_update_does_without(
    config: LearnerConfig, contract: RobotContract, make_episode: Callable[..., Episode], monkeypatch: pytest.MonkeyPatch,
) -> None:
    """On average: they draw other numbers. The critics' loss after 200 rounds, on the same few episodes."""
    losses = []
    for graphed in (True, False):
        if not graphed:
            monkeypatch.setattr(learning, "on_device", lambda update, device, generators: update)
        learner = Learner(replace(config, device="cuda", most_updates_per_step=1000.0), contract, "reach")
        learner.pretrain([make_episode(number) for number in range(3)], lambda stage, share: None)
        for number in range(20):
            learner.add_episode(make_episode(number, source="policy"))
        found = [learner.update()["critic_loss"] for _ in range(200)]
        losses.append(sum(found[100:]) / 100)
    assert losses[0] == pytest.approx(losses[1], rel=0.5)
