"""A learner that goes on from a checkpoint does exactly what it would have done without a stop. Other checkpoints are refused."""

from __future__ import annotations

import dataclasses
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
import torch

from rewardbot.errors import DataError
from rewardbot.policies.base import DeployedPolicy
from rewardbot.rewards.goal_classifier import DeployedClassifier
from rewardbot.robots.robot import CameraContract, RobotContract
from rewardbot.training import checkpoint
from rewardbot.training.files import StorageError
from rewardbot.training.learner import Learner, LearnerConfig
from rewardbot.types import Episode

Make = Callable[..., Episode]
UNTIMED = ("updates_per_s",)


def trained(config: LearnerConfig, contract: RobotContract, make_episode: Make, *, rounds: int = 1) -> Learner:
    learner = Learner(config, contract, "reach", seed=3)
    learner.pretrain([make_episode(n) for n in range(4)], lambda stage, share: None)
    for number in range(20):  # more than the classifier waits for
        learner.add_episode(make_episode(100 + number, source="policy"))
    for _ in range(rounds):
        assert learner.update()["waiting"] == 0.0
    return learner


def future(learner: Learner, make_episode: Make) -> tuple[list[dict[str, float]], bytes, bytes]:
    """What it does next: an update, another episode, an update; then its weights."""
    metrics = [learner.update()]
    learner.add_episode(make_episode(200, source="policy"))
    metrics.append(learner.update())
    timeless = [{name: value for name, value in found.items() if name not in UNTIMED} for found in metrics]
    return timeless, learner.policy_weights(), learner.classifier_weights()


@pytest.fixture(scope="module")
def saved(config: LearnerConfig, contract: RobotContract, make_episode: Make, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A checkpoint that no test changes."""
    folder = tmp_path_factory.mktemp("saved") / "checkpoint"
    trained(config, contract, make_episode).save(folder)
    return folder


@pytest.mark.parametrize("negatives", ["visited", "offline"])
def test_it_goes_on_as_if_nothing_had_happened(
    negatives: str, config: LearnerConfig, contract: RobotContract, make_episode: Make, tmp_path: Path
) -> None:
    config = dataclasses.replace(config, classifier=dataclasses.replace(config.classifier, negatives=negatives))
    learner = trained(config, contract, make_episode)
    learner.save(tmp_path / "checkpoint")
    expected = future(learner, make_episode)
    restored = Learner(config, contract, "reach", seed=3)
    torch.manual_seed(999)
    restored.load(tmp_path / "checkpoint")
    assert (restored.env_steps, restored.agent.updates, restored.baseline_s) == (120, 6, learner.baseline_s)
    assert future(restored, make_episode) == expected
    assert restored.version == learner.version and restored.judged == learner.judged


def test_a_checkpoint_right_after_pretraining(
    config: LearnerConfig, contract: RobotContract, make_episode: Make, tmp_path: Path
) -> None:
    learner = Learner(config, contract, "reach")
    learner.pretrain([make_episode(n) for n in range(2)], lambda stage, share: None)
    learner.save(tmp_path)
    restored = Learner(config, contract, "reach")
    restored.load(tmp_path)
    assert restored.update()["waiting"] == 1.0
    features = torch.randn(5, learner.encoder.features)
    assert torch.equal(restored.classifier.probability(features), learner.classifier.probability(features))


def test_a_restored_reward_does_not_depend_on_chance(saved: Path, config: LearnerConfig, contract: RobotContract) -> None:
    """No dropout before the first fit after loading."""
    learner = Learner(config, contract, "reach", seed=3)
    learner.load(saved)
    batch = learner.visited.sample(50)
    assert torch.equal(learner.reward(batch), learner.reward(batch))


def test_the_weights_beside_it_are_deployable(saved: Path, config: LearnerConfig, contract: RobotContract) -> None:
    learner = Learner(config, contract, "reach", seed=3)
    learner.load(saved)
    assert (saved / checkpoint.POLICY).read_bytes() == learner.policy_weights()
    assert (saved / checkpoint.CLASSIFIER).read_bytes() == learner.classifier_weights()
    assert DeployedPolicy((saved / checkpoint.POLICY).read_bytes()).version == learner.version
    assert DeployedClassifier((saved / checkpoint.CLASSIFIER).read_bytes()).description["task"] == "reach"


def test_other_settings_are_named(saved: Path, config: LearnerConfig, contract: RobotContract) -> None:
    other = dataclasses.replace(config, rlpd=dataclasses.replace(config.rlpd, discount=0.5), capacity=2000)
    with pytest.raises(DataError, match=r"other settings of: capacity, rlpd(.|\n)*config.yaml"):
        Learner(other, contract, "reach").load(saved)
    threads = dataclasses.replace(config, pretrain_threads=2)
    Learner(threads, contract, "reach").load(saved)  # says nothing about what was learned


def test_another_task(saved: Path, config: LearnerConfig, contract: RobotContract) -> None:
    with pytest.raises(DataError, match=r"of task 'reach', not of 'lift'(.|\n)*--task reach"):
        Learner(config, contract, "lift").load(saved)


@pytest.mark.parametrize(("change", "said"), [
    ({"cameras": {"front": CameraContract(10, 8)}}, "cameras"),
    ({"cameras": {"front": CameraContract(20, 16), "wrist": CameraContract(8, 8)}}, "cameras"),
    ({"action_names": ("x", "y", "z")}, "action_names"),
    ({"action_scale": 0.01, "control_hz": 20.0}, "action_scale, control_hz"),
])
def test_another_robot(change: dict[str, object], said: str, saved: Path, config: LearnerConfig, contract: RobotContract) -> None:
    with pytest.raises(DataError, match=rf"robot with other {said}\.(.|\n)*contract of the run"):
        Learner(config, dataclasses.replace(contract, **change), "reach").load(saved)


def test_none_there(tmp_path: Path, config: LearnerConfig, contract: RobotContract) -> None:
    with pytest.raises(DataError, match=r"no checkpoint in(.|\n)*learner.pt"):
        Learner(config, contract, "reach").load(tmp_path)


def test_a_later_format(saved: Path, config: LearnerConfig, contract: RobotContract, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(checkpoint, "FORMAT", checkpoint.FORMAT + 1)
    with pytest.raises(DataError, match=rf"has format {checkpoint.FORMAT - 1}(.|\n)*reads {checkpoint.FORMAT}"):
        Learner(config, contract, "reach").load(saved)


def test_damaged(saved: Path, config: LearnerConfig, contract: RobotContract, tmp_path: Path) -> None:
    learner = Learner(config, contract, "reach")
    whole = (saved / checkpoint.LEARNER).read_bytes()
    middle = len(whole) // 2
    damaged = [b"", b"no checkpoint", whole[:100], whole[:middle], whole[:-1], b"\0" * len(whole),
               whole[:middle] + bytes(1000) + whole[middle + 1000 :]]
    for data in damaged:
        (tmp_path / checkpoint.LEARNER).write_bytes(data)
        with pytest.raises(DataError, match=r"is damaged: \w(.|\n)*another run"):
            learner.load(tmp_path)
    (tmp_path / checkpoint.LEARNER).write_bytes(whole)
    learner.load(tmp_path)


def test_no_code_is_run_from_a_checkpoint(config: LearnerConfig, contract: RobotContract, tmp_path: Path) -> None:
    class Trap:
        def __reduce__(self) -> object:
            return (Path.touch, (tmp_path / "sprung",))

    torch.save({"format": checkpoint.FORMAT, "task": Trap()}, tmp_path / checkpoint.LEARNER)
    with pytest.raises(DataError, match="damaged"):
        Learner(config, contract, "reach").load(tmp_path)
    assert not (tmp_path / "sprung").exists()


@pytest.mark.parametrize("state", [[1], {"format": checkpoint.FORMAT}])
def test_a_file_of_torch_that_is_no_checkpoint(state: object, config: LearnerConfig, contract: RobotContract, tmp_path: Path) -> None:
    torch.save(state, tmp_path / checkpoint.LEARNER)
    with pytest.raises(DataError):
        Learner(config, contract, "reach").load(tmp_path)


def test_saving_that_fails_leaves_the_old_checkpoint(
    saved: Path, config: LearnerConfig, contract: RobotContract, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "checkpoint"
    shutil.copytree(saved, folder)
    learner = Learner(config, contract, "reach", seed=3)
    learner.load(folder)
    before = {path.name: path.read_bytes() for path in folder.iterdir()}

    def no_space(path: Path, content: bytes) -> None:
        raise StorageError(f"Cannot write {path}: No space left on device.")

    monkeypatch.setattr(checkpoint, "write_atomic", no_space)
    with pytest.raises(StorageError):
        learner.save(folder)
    assert {path.name: path.read_bytes() for path in folder.iterdir()} == before
