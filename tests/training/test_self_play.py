"""Self-play on a point on a table: who gets what, by hand; goals move away, and a task is learned in fewer episodes afterwards."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from rewardbot.errors import ConfigError
from rewardbot.policies.ppo import PPOConfig
from rewardbot.training.self_play import Array, Played, SelfPlay, SelfPlayConfig, episodes_until


class Table:
    """A point that goes up to 0.1 a step on a table from -1 to 1, from anywhere; a goal is reached within 0.15."""

    states, actions = 2, 2

    def starts(self, n: int, rng: np.random.Generator) -> Array:
        return rng.uniform(-1.0, 1.0, (n, 2)).astype(np.float32)

    def step(self, state: Array, action: Array) -> Array:
        return np.clip(state + 0.1 * action, -1.0, 1.0).astype(np.float32)

    def reached(self, state: Array, goal: Array) -> NDArray[np.bool_]:
        return np.linalg.norm(state - goal, axis=1) < 0.15


CONFIG = SelfPlayConfig(ppo=PPOConfig(rate=2e-3, epochs=4, batch=256, discount=1.0, entropy=0.01))


def far_goals() -> Array:
    """All around, 0.8 away."""
    angle = np.linspace(0.0, 2.0 * np.pi, 64, endpoint=False)
    return 0.8 * np.stack([np.cos(angle), np.sin(angle)], axis=1).astype(np.float32)


def test_the_steps_and_what_they_are_worth() -> None:
    """Two episodes of two steps and one: -0.5 a step, 3 and 4 at the end; the first is over, the second cut off."""
    played = Played(1, 1, np.zeros(2, np.int64))
    one = np.ones((1, 1), np.float32)
    two = np.array([[1.0], [2.0]], np.float32)
    played.add(np.array([0, 1]), two, np.ones((2, 1), np.float32), two + 2.0)
    played.add(np.array([0]), 3.0 * one, one, 5.0 * one)
    steps, last = played.batch(-0.5, np.array([3.0, 4.0], np.float32), np.array([True, False]))
    assert steps.state.flatten().tolist() == [1.0, 3.0, 2.0] and steps.next_state.flatten().tolist() == [3.0, 5.0, 4.0]
    assert steps.reward.tolist() == [-0.5, 2.5, 3.5] and steps.continues.tolist() == [1.0, 0.0, 1.0]
    assert last.tolist() == [False, True, True]


def test_setter_and_reacher_share_their_steps() -> None:
    play = SelfPlay(Table(), CONFIG)
    start = play.world.starts(50, play.rng)
    goal, taken, _ = play._set(start)
    steps, reached, _ = play._reach(start, goal, CONFIG.steps - taken)
    assert ((taken >= 1) & (taken < CONFIG.steps)).all() and (steps + taken <= CONFIG.steps).all()
    assert (steps[~reached] == (CONFIG.steps - taken)[~reached]).all(), "what was not reached took all that was left"
    assert (steps[play.world.reached(start, goal)] == 0).all()


def test_goals_move_away_and_the_task_is_then_learned_in_fewer_episodes() -> None:
    play = SelfPlay(Table(), CONFIG)
    told = [play.round() for _ in range(50)]
    early, late = (np.mean([of["distance"] for of in part]) for part in (told[:5], told[-5:]))
    assert late > 1.5 * early
    most = 64 * 40
    after, scratch = (episodes_until(player, far_goals(), 0.8, most) for player in (play, SelfPlay(Table(), CONFIG)))
    assert after < scratch


def test_no_goals() -> None:
    with pytest.raises(ConfigError, match="no goals"):
        episodes_until(SelfPlay(Table(), CONFIG), np.zeros((0, 2), np.float32), 0.8, 10)
