"""DAgger's expert and learner in the simulator: who acts, who labels, what is learned from."""

from __future__ import annotations

import dataclasses
import runpy
from collections.abc import Iterator
from itertools import islice
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from rewardbot.data.takeovers import steps_taken_over
from rewardbot.policies.bc import BCConfig, BehaviourCloning, DemonstrationSet, demonstration_set
from rewardbot.policies.dagger import dagger
from rewardbot.policies.hg_dagger import hg_dagger
from rewardbot.robots.demonstrators import ScriptedDemonstrator
from rewardbot.robots.mujoco import MujocoRobot
from rewardbot.robots.robot import CameraContract, load_contract
from rewardbot.robots.start_states import demonstration_stream, learning_stream, start_seed
from rewardbot.training.collect import demonstrate
from rewardbot.training.imitation import Imitation, imitation_weights
from rewardbot.types import Episode

SHOWN, LEARNED = demonstration_stream(0), learning_stream(0)
SMALL = BCConfig(steps=3, batch=8, latent=4, hidden=8)


@pytest.fixture(scope="module")
def robot() -> Iterator[MujocoRobot]:
    """Cameras of a few pixels."""
    contract = dataclasses.replace(load_contract("sim_arm"), cameras={"front": CameraContract(8, 8), "wrist": CameraContract(8, 8)})
    found = MujocoRobot("reach", contract)
    yield found
    found.close()


@pytest.fixture
def cloning(robot: MujocoRobot) -> BehaviourCloning:
    torch.manual_seed(0)
    cameras = {name: (camera.height, camera.width) for name, camera in robot.contract.cameras.items()}
    return BehaviourCloning(SMALL, cameras, 4, robot.contract.action_dim).eval()


@pytest.fixture(scope="module")
def shown(robot: MujocoRobot) -> list[DemonstrationSet]:
    return [demonstration_set(episode, robot.contract.cameras) for episode in demonstrate(robot, 2, noise=0.0, stream=SHOWN, seed=0)]


def expert_from(robot: MujocoRobot, start: int) -> np.ndarray:
    """What the expert alone does from a start state, (T, A)."""
    expert, actions = ScriptedDemonstrator(robot, noise=0.0), []
    robot.reset(start)
    expert.begin_episode(start)
    for _ in range(robot.task.horizon):
        actions.append(expert.act())
        robot.send(actions[-1])
    return np.stack(actions)


def test_labels_are_the_experts_whoever_acts(robot: MujocoRobot, cloning: BehaviourCloning) -> None:
    cell = Imitation(SMALL, cloning, robot, stream=LEARNED, episodes=1, noise=0.0)
    (experts,), (learners,) = cell.collect(cloning, 1.0), cell.collect(cloning, 0.0)
    np.testing.assert_allclose(experts.actions, expert_from(robot, start_seed(LEARNED, 0)), atol=1e-6)
    robot.reset(start_seed(LEARNED, 1))
    first = ScriptedDemonstrator(robot, noise=0.0).act()
    np.testing.assert_allclose(learners.actions[0], first, atol=1e-6)
    assert len(learners) == robot.task.horizon
    assert {name: images.shape for name, images in learners.images.items()} == dict.fromkeys(("front", "wrist"), (15, 3, 8, 8))
    experts_own = expert_from(robot, start_seed(LEARNED, 1))
    assert not np.allclose(learners.actions, experts_own, atol=1e-2), "he labels where the learner went"


def test_the_first_policy_is_the_one_that_was_given_and_later_ones_go_on_from_it(
    robot: MujocoRobot, cloning: BehaviourCloning, shown: list[DemonstrationSet]
) -> None:
    cell = Imitation(SMALL, cloning, robot, stream=LEARNED, episodes=1)
    before = {name: value.clone() for name, value in cloning.state_dict().items()}
    assert cell.fit(shown) is cloning
    later = cell.fit(shown)
    assert later is not cloning and all(torch.equal(before[name], value) for name, value in cloning.state_dict().items())
    assert not any(torch.equal(*pair) for pair in zip(later.policy.mean.parameters(), cloning.policy.mean.parameters(), strict=True))


def test_dagger_runs(robot: MujocoRobot, cloning: BehaviourCloning, shown: list[DemonstrationSet]) -> None:
    cell = Imitation(SMALL, cloning, robot, stream=LEARNED, episodes=1)
    losses: list[float] = []

    def validate(policy: BehaviourCloning) -> float:
        losses.append(cell.loss(policy))
        return losses[-1]

    best = dagger(shown, cell.fit, cell.collect, validate, [0.5, 0.25])
    assert len(losses) == 3 and all(loss > 0.0 for loss in losses) and isinstance(best, BehaviourCloning)


def test_hg_dagger_learns_what_the_operator_did_and_nothing_else(
    robot: MujocoRobot, cloning: BehaviourCloning, shown: list[DemonstrationSet], monkeypatch: pytest.MonkeyPatch
) -> None:
    episodes: list[Episode] = []
    cell = Imitation(SMALL, cloning, robot, stream=LEARNED, episodes=2, noise=0.0, take=episodes.append)
    fitted: list[int] = []
    fit = cell.fit
    monkeypatch.setattr(cell, "fit", lambda data: (fitted.append(sum(map(len, data))), fit(data))[1])
    list(islice(hg_dagger(shown, cell.fit, cell.supervise), 3))
    taken = [int(steps_taken_over(episode.info, len(episode)).sum()) for episode in episodes]
    assert [episode.info.seed for episode in episodes] == [start_seed(LEARNED, index) for index in range(4)] and sum(taken) > 0
    start = sum(map(len, shown))
    assert fitted == [start, start + sum(taken[:2]), start + sum(taken)]
    assert all(episode.info.success is not None for episode, steps in zip(episodes, taken, strict=True) if steps)


def test_the_example(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    robot = MujocoRobot("reach", load_contract("sim_arm"))
    cameras = {name: (camera.height, camera.width) for name, camera in robot.contract.cameras.items()}
    torch.manual_seed(0)
    untrained = BehaviourCloning(SMALL, cameras, 4, robot.contract.action_dim).eval()
    (tmp_path / "checkpoint").mkdir()
    (tmp_path / "checkpoint" / "policy.safetensors").write_bytes(imitation_weights({"rl": untrained}, robot, "bc"))
    robot.close()
    example = runpy.run_path(str(Path(__file__).parents[2] / "examples" / "09_takeover.py"))
    example["main"](str(tmp_path), str(tmp_path / "there" / "sheet.png"))
    said = capsys.readouterr().out.splitlines()
    assert len(said) == 2 and all("the operator's are steps" in line for line in said)
    with Image.open(tmp_path / "there" / "sheet.png") as sheet:
        assert sheet.size[0] > 8 * 128 and sheet.size[1] > 4 * 128, "two episodes by two cameras, eight moments each"
