"""Self-play on a line: who gets what, by hand; what the reacher is shown; and that it learns goals that nobody gave it."""

from __future__ import annotations

import math
from dataclasses import replace
from pathlib import Path
from typing import Any

import gymnasium
import numpy as np
import pytest
import torch
from gymnasium import spaces
from numpy.typing import NDArray

from rewardbot.errors import ConfigError, DataError
from rewardbot.policies.sac import SACConfig
from rewardbot.training.kept_state import load, save
from rewardbot.training.self_play import SelfPlay, SelfPlayConfig, reaches
from rewardbot.training.self_play_sides import STOP
from rewardbot.training.state_loop import StateLoopConfig
from tests.training.point import Point

Points = NDArray[np.float64]


class Line(gymnasium.Env[Any, Any]):
    """A point that goes up to 0.2 a step on a line from -1 to 1, from near the middle; the task's own goals are its ends."""

    def __init__(self) -> None:
        self.observation_space, self.action_space = spaces.Box(-2.0, 2.0, (2,)), spaces.Box(-1.0, 1.0, (1,))
        self.points, self.goal = np.zeros((1, 1)), np.zeros((1, 1))

    def aim(self, goal: Points) -> NDArray[np.float32]:
        self.goal = goal
        return self.toward(self.points[0].astype(np.float32), self.points, goal)

    def toward(self, seen: NDArray[np.float32], points: Points, goal: Points) -> NDArray[np.float32]:
        return np.concatenate([seen[:1], (goal - points)[0]]).astype(np.float32)

    def shown(self, start: Points, points: Points) -> Points:
        return points

    def reached(self, points: Points, goal: Points) -> bool:
        return bool(np.abs(points - goal).max() < 0.15)

    def reset(self, *, seed: int | None = None, options: dict[str, Any] | None = None) -> tuple[Any, dict[str, Any]]:
        super().reset(seed=seed)
        self.points = self.np_random.uniform(-0.1, 0.1, (1, 1))
        return self.aim(np.array([[self.np_random.choice([-0.9, 0.9])]])), {}

    def step(self, action: NDArray[np.float32]) -> tuple[Any, float, bool, bool, dict[str, Any]]:
        self.points = np.clip(self.points + 0.2 * action, -1.0, 1.0)
        return self.aim(self.goal), 0.0, False, False, {}


SAC = SACConfig(hidden=16, batch=32, rate=3e-3, discount=0.9)
REACHER = replace(SAC, temperature=0.05, target_step=0.02)
LOOP = StateLoopConfig(steps=900, start_steps=60, updates_per_step=2.0, sac=REACHER)


def player(env: Line | None = None, *, acts: list[float] | None = None, reaches_by: float | None = None, **settings: Any) -> SelfPlay:
    """With a setter who does `acts` and then stops, and a reacher who does the same all the time, if given."""
    slow = StateLoopConfig(start_steps=60, updates_per_step=0.5, sac=SAC)
    play = SelfPlay(env or Line(), SelfPlayConfig(**{"together": 16, "setter": slow, "reacher": LOOP, **settings}), seed=0)
    if acts is not None:
        stops = [-1.0] * (len(acts) - 1) + [1.0]
        actions = iter(np.array([acts, stops], np.float32).T)
        play.setter._explore = lambda state: next(actions)  # type: ignore[method-assign]
    if reaches_by is not None:
        play.reacher._explore = lambda state: np.array([reaches_by], np.float32)  # type: ignore[method-assign]
    return play


@pytest.mark.parametrize(("reacher", "steps", "there", "paid"), [
    (0.5, 3, True, 0.5),     # half as quick: after three steps of 0.1 the goal, 0.4 away, is near enough
    (1.0, 2, True, 0.0),     # as quick as the setter
    (-1.0, 8, False, 3.0),   # the wrong way: all that are left of 10
])
def test_who_gets_what(reacher: float, steps: int, there: bool, paid: float) -> None:
    play = player(acts=[1.0, 1.0], reaches_by=reacher, together=10, scale=0.5)
    play.advance()
    (told,) = play.rounds
    assert (told.setter_steps, told.reacher_steps, told.reached) == (2, steps, there)
    assert told.distance == pytest.approx(0.4)
    set_ = play.setter.replay.transitions(play.setter.replay.episodes()[0])
    assert set_.reward.tolist() == [0.0, paid] and set_.continues.tolist() == [1.0, 0.0]
    taken = play.reacher.replay.transitions(play.reacher.replay.episodes()[0])
    assert taken.reward.tolist() == [-0.5] * steps
    assert taken.continues.tolist() == [1.0] * (steps - 1) + [0.0 if there else 1.0]
    assert play.steps == 2 + steps


def test_both_begin_at_the_same_place_and_the_reacher_sees_how_far_it_is() -> None:
    play = player(acts=[1.0, 1.0], reaches_by=-1.0)
    play.advance()
    first, second = play.setter.replay.rows[0], play.reacher.replay.rows[0]
    assert first[0] == second[0] and first[1] == 0.0 and float(second[1]) == pytest.approx(0.4)


def test_how_the_setter_got_there_and_stayed_is_shown() -> None:
    play = player(acts=[1.0, 0.5, 0.2], reaches_by=-1.0, hindsight=0)  # 0.2, 0.3, 0.34 from the start: near from the first on
    play.advance()
    _, shown = map(play.reacher.replay.transitions, play.reacher.replay.episodes())
    assert shown.state[:, 1].tolist() == pytest.approx([0.34, 0.14, 0.04])
    assert shown.state_action[:, 2].tolist() == pytest.approx([1.0, 0.5, 0.2])
    assert shown.next_state[:, 1].tolist() == pytest.approx([0.14, 0.04, 0.0], abs=1e-6)
    assert shown.continues.tolist() == [0.0, 0.0, 0.0], "each of these steps is one to where it is near enough"
    assert shown.reward.tolist() == [-1.0, -1.0, -1.0]
    bare = player(acts=[1.0, 1.0], reaches_by=-1.0, demonstrated=False, hindsight=0)
    bare.advance()
    assert len(bare.reacher.replay.episodes()) == 1


def test_what_was_done_is_a_way_to_where_it_led_and_away_from_where_it_began() -> None:
    """From x0 the setter goes 0.2 up, twice, and the reacher as far down, five times."""
    play = player(acts=[1.0, 1.0], reaches_by=-1.0, together=7, hindsight=3, scale=0.5)
    play.advance()
    later, shown = map(play.reacher.replay.transitions, play.reacher.replay.episodes()[1:])
    start = float(play.setter.replay.rows[0, 0])
    for told, way, set_ in ((later, -0.2, []), (shown, 0.2, [2])):
        steps = ((told.state[:, 0] - start) / way).round().int().tolist()
        goals = ((told.state.sum(1) - start) / way).round().int().tolist()
        assert all(goal >= step for step, goal in zip(steps, goals, strict=True)) and max(goals) == (5 if way < 0 else 2)
        assert any(goal == step for step, goal in zip(steps, goals, strict=True)), "it left, and has further to go"
        assert len(steps) == 5 * 3 if way < 0 else len(steps) == 2 * (3 + len(set_))
        near = [goal == step + 1 for step, goal in zip(steps, goals, strict=True)]
        assert told.continues.tolist() == [1.0 - one for one in near], "within 0.15"
        assert set(told.reward.tolist()) == {-0.5} and set(told.state_action[:, 2].tolist()) == {way / 0.2}
    assert play.reacher.steps == 5, "what was told is no step of the world"


def test_a_goal_at_the_start_is_reached_at_once_and_worth_nothing() -> None:
    play = player(acts=[0.1], reaches_by=1.0)
    play.advance()
    (told,) = play.rounds
    assert (told.setter_steps, told.reacher_steps, told.reached) == (1, 0, True)
    assert play.setter.replay.rows[0, 4] == 0.0 and play.reacher.steps == 0


def test_a_setter_that_never_stops_leaves_the_reacher_a_step() -> None:
    play = player(together=5, reaches_by=-1.0)
    play.setter._explore = lambda state: np.array([1.0, STOP], np.float32)  # type: ignore[method-assign]
    play.advance()
    assert (play.rounds[0].setter_steps, play.rounds[0].reacher_steps) == (4, 1)


def test_goals_move_away_and_the_task_then_needs_no_episode_of_its_own() -> None:
    play, scratch, seeds = player(), player(), range(1000, 1020)
    while play.steps < LOOP.steps:
        play.advance()
    quarter = len(play.rounds) // 4
    early, late = (np.mean([one.distance for one in part]) for part in (play.rounds[:quarter], play.rounds[-quarter:]))
    assert late > early
    after, without = (np.mean(reaches(Line(), one.reacher.best, seeds, 8)) for one in (play, scratch))
    assert after >= 0.9 and without <= 0.5


def test_it_goes_on_from_what_was_kept(tmp_path: Path) -> None:
    soon: dict[str, Any] = {"setter": StateLoopConfig(start_steps=20, sac=SAC),
                            "reacher": StateLoopConfig(steps=400, start_steps=10, sac=SAC)}
    play, again = player(**soon), player(**soon)
    while play.steps < 60:
        play.advance()
    save(tmp_path / "kept.pt", play.state())
    load(tmp_path / "kept.pt", play.restore)  # the random numbers of now
    play.advance()
    load(tmp_path / "kept.pt", again.restore)
    again.advance()
    assert again.rounds[-1] == play.rounds[-1] and again.steps == play.steps
    assert torch.equal(again.reacher.replay.rows, play.reacher.replay.rows)
    assert all(map(torch.equal, again.setter.agent.actor.parameters(), play.setter.agent.actor.parameters()))


def test_an_environment_without_goals_is_refused() -> None:
    with pytest.raises(ConfigError, match=r"Nobody can set goals in Point(.|\n)*--task reach --state"):
        SelfPlay(Point(), SelfPlayConfig())


def test_the_environment_breaks() -> None:
    class Broken(Line):
        def step(self, action: NDArray[np.float32]) -> tuple[Any, float, bool, bool, dict[str, Any]]:
            return np.full(2, math.nan, np.float32), 0.0, False, False, {}

    with pytest.raises(DataError, match="A transition holds NaN"):
        player(Broken(), acts=[1.0, 1.0], reaches_by=1.0).advance()
