"""What practising does next, whoever was started again."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from rewardbot.data.episodes import write_episode
from rewardbot.robots.robot import RobotContract
from rewardbot.ros.practice import Demonstrations, Situation, Step, next_step, progress
from rewardbot.types import Episode
from tests.training.conftest import contract, make_episode  # noqa: F401


@pytest.mark.parametrize(("seen", "step"), [
    (Situation(0, "", "idle"), "wait"), (Situation(0, "waiting", ""), "wait"),
    (Situation(0, "waiting", "idle"), "demonstrate"), (Situation(9, "waiting", "demonstrate"), ""),
    (Situation(10, "waiting", "demonstrate"), "idle"), (Situation(10, "waiting", "idle"), "pretrain"),
    (Situation(10, "pretraining", "idle"), ""), (Situation(10, "pretraining", "demonstrate"), "idle"),
    (Situation(10, "ready", "idle"), "learn"), (Situation(10, "learning", "idle"), "explore"),
    (Situation(10, "learning", "explore"), ""), (Situation(0, "learning", "explore"), ""),
    (Situation(10, "ready", "explore"), "learn"), (Situation(10, "waiting", "explore"), "idle")])
def test_next_step(seen: Situation, step: Step) -> None:
    assert next_step(seen, 10, operator=True) == step


def test_how_far_it_is_in_words() -> None:
    asked = {"answered": 7.0, "budget": 20.0, "waiting": 2.0}
    assert progress(Situation(3, "waiting", "demonstrate"), 10, {}, asked) == "3 of 10 demonstrations"
    pretraining = {"stage": "plain BC", "progress": "0.5"}
    assert progress(Situation(10, "pretraining", "idle"), 10, pretraining, asked) == "pretraining 50% | plain BC"
    learning = {"env_steps": 60.0, "episodes": 4.0, "reward_version": 0.0}
    assert progress(Situation(10, "learning", "explore"), 10, learning, {}) == "60 steps, 4 episodes"
    assert progress(Situation(10, "learning", "explore"), 10, {**learning, "reward_version": 3}, asked) == (
        "60 steps, 4 episodes | 7 of 20 answers, 2 questions wait | reward version 3")
    assert progress(Situation(10, "", "explore"), 10, {}, asked) == ""


def test_without_a_simulated_operator_demonstrations_are_waited_for() -> None:
    assert next_step(Situation(3, "waiting", "idle"), 10, operator=False) == "wait"
    assert next_step(Situation(10, "waiting", "idle"), 10, operator=False) == "pretrain"


def test_only_successful_demonstrations_count(
    tmp_path: Path, contract: RobotContract, make_episode: Callable[..., Episode]  # noqa: F811
) -> None:
    demonstrations = Demonstrations(tmp_path / "demonstrations")
    assert demonstrations.count() == 0
    for number, success in enumerate((True, False, None, True)):
        episode = make_episode(number)
        write_episode(tmp_path / "demonstrations", replace(episode, info=replace(episode.info, success=success)), contract)
    assert demonstrations.count() == 2
    (tmp_path / "demonstrations" / "demonstration-0").rename(tmp_path / "demonstrations" / "demonstration-0.discarded")
    assert demonstrations.count() == 1
