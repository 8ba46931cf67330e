"""The arm's demonstrations as states: the simulated operator's, and recorded ones that are simulated again."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from rewardbot.data.episodes import write_episode
from rewardbot.errors import RewardbotError
from rewardbot.robots.demonstrators import ScriptedDemonstrator
from rewardbot.robots.mujoco import MujocoRobot
from rewardbot.robots.robot import load_contract
from rewardbot.training.shown import read_shown
from rewardbot.training.shown_by_arm import by_operator
from rewardbot.training.state_loop import Env, make_env
from rewardbot.training.visiting import visit
from rewardbot.types import Episode, EpisodeInfo
from tests.training.point import Point


@pytest.fixture(scope="module")
def reach() -> Iterator[Env]:
    env = make_env("rewardbot/ReachState-v0")
    yield env
    env.close()


def test_the_operator_shows_what_succeeds_and_the_same_again(reach: Env) -> None:
    shown = read_shown(["3"], reach, seed=4)
    assert shown.env == "rewardbot/ReachState-v0" and len(shown.episodes) == 3
    assert all(episode.rewards[-1] == 1.0 for episode in shown.episodes), "the goal holds at the end"
    assert by_operator(3, reach, seed=4).to_bytes() == shown.to_bytes()
    assert not np.allclose(by_operator(1, reach, seed=5).episodes[0].states[0], shown.episodes[0].states[0])
    first = shown.episodes[0]
    actions = iter(first.actions)
    again = visit(reach, lambda state: next(actions), first.seed)
    np.testing.assert_array_equal(again.states, first.states)


def record(folder: Path, seed: int, *, success: bool | None) -> np.ndarray:
    """A bag of a demonstration of `reach`; the actions."""
    contract = load_contract()
    robot = MujocoRobot("reach", contract, render=False)
    operator = ScriptedDemonstrator(robot)
    observed, applied = [robot.reset(seed)], []
    operator.begin_episode(seed)
    for _ in range(15):
        applied.append(robot.send(operator.act()))
        observed.append(robot.read())
    robot.close()
    images = {name: np.zeros((16, camera.height, camera.width, 3), np.uint8) for name, camera in contract.cameras.items()}
    info = EpisodeInfo(f"shown-{seed}", "reach", contract.name, "demonstration", seed=seed, success=success)
    write_episode(folder, Episode(info, np.array([one.stamp + 1.0 for one in observed]), images,
                                  np.stack([one.proprio for one in observed]), np.stack(applied), np.stack(applied)), contract)
    return np.stack(applied)


def test_recorded_successes_are_seen_from_the_state(reach: Env, tmp_path: Path) -> None:
    applied = record(tmp_path, 7, success=True)
    record(tmp_path, 8, success=False)
    (episode,) = read_shown([str(tmp_path)], reach).episodes
    state, _ = reach.reset(options={"start": 7})
    live = [state, *(reach.step(action)[0] for action in applied)]
    np.testing.assert_allclose(episode.states, live, atol=1e-4)
    np.testing.assert_array_equal(episode.actions, applied)
    assert episode.rewards[-1] == 1.0 and not episode.terminated
    assert len(read_shown([str(tmp_path), "2"], reach).episodes) == 3, "both kinds together"


@pytest.mark.parametrize(("named", "said"), [
    ("0", r"--demos is 0\.(.|\n)*1 to 10000"), (".", r"holds no successful demonstration of 'reach'"), ("none", "Cannot read none")])
def test_what_shows_nothing(named: str, said: str, reach: Env, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(RewardbotError, match=said):
        read_shown([named], reach)


@pytest.mark.parametrize("named", ["3", "."])
def test_nobody_shows_another_environment(named: str) -> None:
    with pytest.raises(RewardbotError, match=r"Nobody shows Point(.|\n)*--demos FILE(.|\n)*--task NAME"):
        read_shown([named], Point())


def test_an_operator_who_hardly_ever_succeeds(reach: Env, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ScriptedDemonstrator, "act", lambda self: np.zeros(4, np.float32))
    with pytest.raises(RewardbotError, match=r"The operator succeeded in 0 of 14 demonstrations of 'reach'"):
        by_operator(1, reach)
