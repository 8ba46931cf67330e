"""A learner that goes on from a checkpoint does exactly what it would have done without a stop. Other checkpoints are refused."""

from __future__ import annotations

import dataclasses
import io
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from rewardbot.data.takeovers import TAKEOVERS
from rewardbot.errors import DataError
from rewardbot.policies.base import DeployedPolicy
from rewardbot.rewards.goal_classifier import DeployedClassifier
from rewardbot.robots.robot import CameraContract, RobotContract
from rewardbot.training import checkpoint, generations
from rewardbot.training.checkpoint import Checkpoints
from rewardbot.training.files import StorageError
from rewardbot.training.learner import Learner
from rewardbot.training.learner_config import LearnerConfig
from rewardbot.types import Episode
from tests.full_disk import full_disk

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


# Takeovers


def taken_over(episode: Episode, *spans: list[int]) -> Episode:
    """The same, but an operator acted in these steps."""
    return dataclasses.replace(episode, info=dataclasses.replace(episode.info, extra={TAKEOVERS: list(spans)}))


def corrections(learner: Learner) -> tuple[list[tuple[str, int, int]], list[list[float]], list[list[float]]]:
    """What it has learned from takeovers: its demonstrations, negatives and success examples."""
    return list(learner.demonstrations.spans), learner.offline.added.tolist(), learner.classifier.positives.added.tolist()


@pytest.mark.parametrize("saved_first", [True, False])
def test_what_was_learned_from_takeovers_is_kept(
    saved_first: bool, config: LearnerConfig, contract: RobotContract, make_episode: Make, tmp_path: Path
) -> None:
    """In a generation, and from episodes that came after it."""
    learner, checkpoints = trained(config, contract, make_episode), Checkpoints(tmp_path)
    if not saved_first:
        checkpoints.save(learner)
    for number, spans in ((300, [[2, 6]]), (301, [[0, 2], [4, 5]]), (302, [])):
        episode = taken_over(make_episode(number, source="policy"), *spans)
        learner.add_episode(episode)
        checkpoints.keep(learner, episode.info)
    if saved_first:
        checkpoints.save(learner)
    shown, negatives, successes = corrections(learner)
    assert [name for name, _, _ in shown[4:]] == ["policy-300/2-6", "policy-301/0-2", "policy-301/4-5"]
    assert len(negatives) == 2 + 2 and len(successes) == 20 + 3
    assert learner.uncloned == 3
    judged, actions = list(learner.judged), learner.demonstrations.numbers(0, 60)["actions"]
    expected = future(learner, make_episode)
    again, _, said = restored(tmp_path, config, contract)
    assert not said and corrections(again) == (shown, negatives, successes) and again.uncloned == 3 and list(again.judged) == judged
    assert again.demonstrations.numbers(0, 60)["actions"].equal(actions)
    if saved_first:
        assert future(again, make_episode) == expected


# Generations


@pytest.fixture(scope="module")
def grown(config: LearnerConfig, contract: RobotContract, make_episode: Make, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two generations and an episode that came after the newer one. No test changes it."""
    folder = tmp_path_factory.mktemp("grown") / "checkpoint"
    learner, checkpoints = trained(config, contract, make_episode), Checkpoints(folder)
    checkpoints.save(learner)
    for number in (300, 301):
        learner.add_episode(make_episode(number, source="policy"))
        checkpoints.keep(learner, make_episode(number, source="policy").info)
        learner.update()
        if number == 300:
            checkpoints.save(learner)
    return folder


def restored(folder: Path, config: LearnerConfig, contract: RobotContract) -> tuple[Learner, Path, list[str]]:
    said: list[str] = []
    learner = Learner(config, contract, "reach", seed=3)
    path = Checkpoints(folder, warn=said.append).restore(learner)
    return learner, path, said


def test_episodes_after_the_newest_generation_are_not_lost(
    grown: Path, config: LearnerConfig, contract: RobotContract, make_episode: Make
) -> None:
    learner, path, said = restored(grown, config, contract)
    assert path.name == "generation-00000002" and not said
    assert (learner.episodes, learner.env_steps, learner.last_seed) == (22, 132, 301)
    ids = [name for name, _, _ in learner.visited.spans]
    assert ids == [f"policy-{number}" for number in (*range(100, 120), 300, 301)]
    fresh = trained(config, contract, make_episode)
    features = fresh.embed(make_episode(301, source="policy"))
    _, first, count = learner.visited.spans[-1]
    assert torch.allclose(learner.visited.features[first : first + count], features, atol=1e-6)
    assert learner.judged[-1] == pytest.approx(float(learner.classifier.probability(features[-1:])[0]), abs=1e-5)


def test_going_on_gives_the_next_numbers_and_loses_nothing(
    grown: Path, config: LearnerConfig, contract: RobotContract, make_episode: Make, tmp_path: Path
) -> None:
    folder = tmp_path / "checkpoint"
    shutil.copytree(grown, folder, symlinks=True)
    learner, checkpoints = Learner(config, contract, "reach", seed=3), Checkpoints(folder)
    checkpoints.restore(learner)
    learner.add_episode(make_episode(302, source="policy"))
    checkpoints.keep(learner, make_episode(302, source="policy").info)
    again, _, _ = restored(folder, config, contract)
    assert (again.episodes, again.last_seed) == (23, 302)
    names = sorted(path.name for path in (folder / checkpoint.VISITED).glob("*/*"))
    assert [int(name.split("-")[0]) for name in names] == list(range(1, 24)), "each once"


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_a_generation_cut_anywhere_gives_way_to_the_one_before(
    grown: Path, config: LearnerConfig, contract: RobotContract, tmp_path_factory: pytest.TempPathFactory, data: st.DataObject
) -> None:
    folder = tmp_path_factory.mktemp("cut") / "checkpoint"
    shutil.copytree(grown, folder, symlinks=True)
    newest = folder / "generation-00000002"
    file = newest / data.draw(st.sampled_from(sorted(path.name for path in newest.iterdir())))
    whole = file.read_bytes()
    at = data.draw(st.integers(0, len(whole) - 1))
    change = data.draw(st.sampled_from(["cut", "flip", "gone"]))
    match change:
        case "cut":
            file.write_bytes(whole[:at])
        case "flip":
            file.write_bytes(whole[:at] + bytes([whole[at] ^ 0x10]) + whole[at + 1 :])
        case _:
            file.unlink()
    learner, path, said = restored(folder, config, contract)
    # A flipped bit of the manifest may be in a place that nobody reads.
    if path.name == "generation-00000001":
        assert "generation-00000002 is damaged" in said[0] and "The one before" in said[0]
    else:
        assert file.name == "generation.json" and change == "flip"
    assert (learner.episodes, learner.last_seed) == (22, 301), "all visited episodes are still there"
    shutil.rmtree(folder)


def test_a_damaged_generation_does_not_push_out_the_whole_one(
    grown: Path, config: LearnerConfig, contract: RobotContract, tmp_path: Path
) -> None:
    folder = tmp_path / "checkpoint"
    shutil.copytree(grown, folder, symlinks=True)
    (folder / "generation-00000002" / checkpoint.LEARNER).write_bytes(b"")
    learner, checkpoints = Learner(config, contract, "reach", seed=3), Checkpoints(folder, warn=lambda text: None)
    checkpoints.restore(learner)
    checkpoints.save(learner)
    assert {path.name for path in folder.glob("*generation*")} == {
        "damaged-generation-00000002", "generation-00000001", "generation-00000002"}


def test_all_damaged(grown: Path, config: LearnerConfig, contract: RobotContract, tmp_path: Path) -> None:
    folder = tmp_path / "checkpoint"
    shutil.copytree(grown, folder, symlinks=True)
    for path in folder.glob("generation-*"):
        (path / checkpoint.LEARNER).write_bytes(b"no checkpoint")
    with pytest.raises(DataError, match=r"no whole checkpoint in(.|\n)*Move this folder away(.|\n)*earlier run"):
        restored(folder, config, contract)


def test_a_damaged_visited_episode_is_left_out_and_said(
    grown: Path, config: LearnerConfig, contract: RobotContract, tmp_path: Path
) -> None:
    folder = tmp_path / "checkpoint"
    shutil.copytree(grown, folder, symlinks=True)
    files = sorted((folder / checkpoint.VISITED).glob("*/*"))
    files[3].write_bytes(files[3].read_bytes()[:-1])
    files[4].write_bytes(b"")
    files[-1].unlink()
    learner, _, said = restored(folder, config, contract)
    assert len(said) == 2 and all("cannot be read" in text and "left out" in text for text in said)
    ids = [name for name, _, _ in learner.visited.spans]
    assert "policy-103" not in ids and "policy-104" not in ids and len(ids) == 19
    assert learner.update()["waiting"] in (0.0, 1.0)


def test_two_generations_are_kept_and_what_they_need(
    config: LearnerConfig, contract: RobotContract, make_episode: Make, tmp_path: Path
) -> None:
    """The replay of 1000 holds 142 of these episodes."""
    learner, checkpoints = trained(config, contract, make_episode), Checkpoints(tmp_path)
    for number in range(1000, 1400):
        learner.add_episode(make_episode(number, source="policy"))
        checkpoints.keep(learner, make_episode(number, source="policy").info)
        if number % 40 == 0:
            checkpoints.save(learner)
    assert len(list(tmp_path.glob("generation-*"))) == 2 and (tmp_path / "newest").resolve().name == "generation-00000010"
    stored = len(list((tmp_path / checkpoint.VISITED).glob("*/*")))
    assert 142 <= stored < 250, "those that fell out of the replay are gone"
    again, _, said = restored(tmp_path, config, contract)
    assert not said and again.episodes == learner.episodes
    assert [name for name, _, _ in again.visited.spans] == [name for name, _, _ in learner.visited.spans]
    shutil.rmtree(tmp_path / "generation-00000010")
    before, _, said = restored(tmp_path, config, contract)
    assert not said and before.episodes == learner.episodes


def test_another_pretraining_replaces_all_of_the_one_before(
    grown: Path, config: LearnerConfig, contract: RobotContract, make_episode: Make, tmp_path: Path
) -> None:
    folder = tmp_path / "checkpoint"
    shutil.copytree(grown, folder, symlinks=True)
    learner = Learner(config, contract, "reach")
    learner.pretrain([make_episode(n) for n in range(2)], lambda stage, share: None)
    learner.save(folder)
    assert [path.name for path in folder.glob("generation-*")] == ["generation-00000003"]
    assert [path.name for path in (folder / checkpoint.VISITED).iterdir()] == [learner.lineage]
    assert restored(folder, config, contract)[0].episodes == 0


def test_a_snapshot_holds_the_moment_it_was_asked_for(
    config: LearnerConfig, contract: RobotContract, make_episode: Make, tmp_path: Path
) -> None:
    learner, checkpoints = trained(config, contract, make_episode), Checkpoints(tmp_path)
    weights = learner.policy_weights()
    assert checkpoints.snapshot(learner)
    for _ in range(5):
        learner.update()
    checkpoints.finish()
    again, path, _ = restored(tmp_path, config, contract)
    assert again.policy_weights() == weights == (path / checkpoint.POLICY).read_bytes() != learner.policy_weights()


def test_a_single_generation_can_be_named(grown: Path, config: LearnerConfig, contract: RobotContract) -> None:
    learner, path, _ = restored(grown / "generation-00000001", config, contract)
    assert path.name == "generation-00000001" and learner.episodes == 22


def test_no_code_is_run_from_a_checkpoint(saved: Path, config: LearnerConfig, contract: RobotContract, tmp_path: Path) -> None:
    class Trap:
        def __reduce__(self) -> object:
            return (Path.touch, (tmp_path / "sprung",))

    buffer = io.BytesIO()
    torch.save({"format": checkpoint.FORMAT, "task": Trap()}, buffer)
    generations.write(tmp_path, {checkpoint.POLICY: b"", checkpoint.CLASSIFIER: b"", checkpoint.LEARNER: buffer.getvalue()})
    with pytest.raises(DataError, match="damaged"):
        Learner(config, contract, "reach").load(tmp_path)
    assert not (tmp_path / "sprung").exists()


@pytest.mark.parametrize("state", [[1], {"format": checkpoint.FORMAT}])
def test_a_file_of_torch_that_is_no_checkpoint(state: object, config: LearnerConfig, contract: RobotContract, tmp_path: Path) -> None:
    buffer = io.BytesIO()
    torch.save(state, buffer)
    generations.write(tmp_path, {checkpoint.POLICY: b"", checkpoint.CLASSIFIER: b"", checkpoint.LEARNER: buffer.getvalue()})
    with pytest.raises(DataError, match=r"has format|does not fit"):
        Learner(config, contract, "reach").load(tmp_path)


# A full disk


def contents(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file()}


def test_a_full_disk_leaves_what_was_there_and_is_made_good_later(
    grown: Path, config: LearnerConfig, contract: RobotContract, make_episode: Make, tmp_path: Path
) -> None:
    folder, said = tmp_path / "checkpoint", []
    shutil.copytree(grown, folder, symlinks=True)
    learner, checkpoints = Learner(config, contract, "reach", seed=3), Checkpoints(folder, warn=said.append)
    checkpoints.restore(learner)
    before = contents(folder)
    with full_disk(2000):
        for number in (400, 401):
            episode = make_episode(number, steps=40, source="policy")
            learner.add_episode(episode)
            checkpoints.keep(learner, episode.info)
        assert checkpoints.snapshot(learner)
        checkpoints.finish()
        with pytest.raises(StorageError, match="File too large"):
            checkpoints.save(learner)
        assert contents(folder) == before, "all earlier ones are whole, and nothing half is left"
        assert len(said) == 2 and str(folder) in said[0] and "Learning goes on" in said[1]
        learner.update()
    checkpoints.save(learner)
    again, _, _ = restored(folder, config, contract)
    assert (again.episodes, again.last_seed) == (24, 401) and again.policy_weights() == learner.policy_weights()
    assert "again" in said[2]
