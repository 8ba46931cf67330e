"""A shield learned on the way, on a point that should not go beyond 0.6: fewer unsafe steps, a person who is not bothered more than
agreed, and what cannot be learned from."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import gymnasium
import numpy as np
import pytest
import torch

from rewardbot.errors import ConfigError
from rewardbot.feedback.feedback import UnsafeInterval
from rewardbot.feedback.ledger import Ledger
from rewardbot.feedback.schedule import Schedule
from rewardbot.training.safe_learning import LEDGER, Guarded, SafeLearning, SafetyConfig, Zone, check
from rewardbot.training.shield import Shield, ShieldConfig
from rewardbot.training.state_loop import DONE, Spaces, evaluate
from tests.training.point import Point

ZONE = Zone((0,), (0.6,), (1.0,))


class Left(Point):
    """Begins left of the middle."""

    def reset(self, *, seed: int | None = None, options: dict[str, Any] | None = None) -> tuple[np.ndarray, dict[str, Any]]:
        super().reset(seed=seed)
        self.at = min(self.at, 0.0)
        return np.array([self.at], np.float32), {}


def schedule(budget: int, **more: Any) -> Schedule:
    return Schedule(**{"budget": budget, "first": 3, "per_minute": float("inf"), "waiting": 3, **more})


def learning(folder: Path, *, budget: int = 5, steps: int = 400, zone: Zone = ZONE, **more: Any) -> SafeLearning:
    return SafeLearning(Left(), SafetyConfig(schedule(budget, **more), zone, ShieldConfig(steps=60, lead=0)), folder, steps=steps)


def wander(env: gymnasium.Env[Any, Any], episodes: int, *, seed: int = 0) -> None:
    """Mostly to the right."""
    draw = np.random.default_rng(seed)
    for episode in range(episodes):
        env.reset(seed=episode)
        over = False
        while not over:
            *_, over, _ = env.step(draw.uniform(-0.5, 1.0, 1).astype(np.float32))


def test_fewer_unsafe_steps_of_the_same_policy_and_room_beside_the_zone(tmp_path: Path) -> None:
    guard, bare = learning(tmp_path), learning(tmp_path / "bare")
    bare._ask = lambda: None  # type: ignore[method-assign]
    for one in (guard, bare):
        wander(one.env, 20)
    before = guard.unsafe, bare.unsafe
    for one in (guard, bare):
        wander(one.env, 20, seed=1)
    assert bare.unsafe - before[1] > 40 and guard.unsafe - before[0] < 0.1 * (bare.unsafe - before[1])
    assert guard.asked <= 5 and guard.env.refused > 40 and bare.env.refused == 0
    right = evaluate(Guarded(Left(), lambda: guard.shield), lambda state: np.ones(1, np.float32), range(5))
    assert np.mean(right) > -9.0, "it comes near the zone: at the other end it would be -20"
    for one in (guard, bare):
        one.close()


def test_policy_and_person_know_what_was_done(tmp_path: Path) -> None:
    guard = learning(tmp_path, budget=20, waiting=20, first=20)
    wander(guard.env, 3)
    guard.env.reset(seed=9)
    assert guard.shield is not None
    guard.shield.critic.forward = lambda state_action: torch.full((len(state_action),), 9.0)  # type: ignore[method-assign]
    *_, info = guard.env.step(np.array([0.7], np.float32))
    assert info["refused"] and guard.env.done.tolist() == info[DONE].tolist() == [0.0]
    kept = guard._replay.newest(1)
    assert kept.state_action[0, 1] == 0.0 and kept.state[0, 0] == kept.next_state[0, 0]
    guard.close()


def test_nobody_is_asked_beyond_the_budget_nor_faster_than_agreed(tmp_path: Path) -> None:
    guard = learning(tmp_path, budget=4, first=1, waiting=1)
    asked = []
    for _ in range(45):
        wander(guard.env, 1)
        asked.append(guard.asked)
    assert asked[1] == 1 and max(np.diff(asked)) == 1 and asked[-1] == 4
    assert asked[20] < 4, "spread over the run of 400 steps"
    guard.close()
    slow = learning(tmp_path / "slow", budget=9, first=2, per_minute=0.0)
    wander(slow.env, 20)
    assert slow.asked == 2
    slow.close()


def test_it_goes_on_from_what_is_on_the_disk(tmp_path: Path) -> None:
    guard = learning(tmp_path)
    wander(guard.env, 30)
    guard.close()
    again = learning(tmp_path)
    assert again.asked == guard.asked and again.shield is not None and guard.shield is not None
    assert again.shield.to_bytes() == guard.shield.to_bytes()
    wander(again.env, 2)
    again.close()
    with Ledger(tmp_path / LEDGER, read_only=True) as ledger:
        answers = list(ledger.active().values())
    assert answers and all(isinstance(one, UnsafeInterval) and one.reason for one in answers)


def test_nothing_unsafe_leaves_everything_as_it_is_and_all_unsafe_is_said(tmp_path: Path) -> None:
    never = learning(tmp_path / "never", zone=Zone((0,), (5.0,), (6.0,)))
    wander(never.env, 40)
    assert never.shield is None and 3 <= never.asked <= 5 and never.env.refused == 0
    never.close()
    said: list[str] = []
    everywhere = SafetyConfig(schedule=schedule(5), zone=Zone((0,), (-9.0,), (9.0,)))
    always = SafeLearning(Point(), everywhere, tmp_path / "always", steps=400, say=said.append)
    wander(always.env, 5)
    assert always.shield is None and "10 of 10 steps that were looked at are unsafe" in said[0]
    always.close()


def test_bounds_of_any_kind_are_kept() -> None:
    env = Point()
    env.action_space = gymnasium.spaces.Box(np.array([-2.0], np.float32), np.array([0.0], np.float32))
    env.step = lambda action: (np.zeros(1), float(action[0]), False, False, {})  # type: ignore[method-assign]
    hold = Shield(ShieldConfig(), 1, 1)
    hold.critic.forward = lambda state_action: torch.full((len(state_action),), 9.0)  # type: ignore[method-assign]
    for shield, done in ((None, -0.5), (hold, -1.0)):
        guard = Guarded(env, lambda shield=shield: shield)
        assert guard.step(np.array([-0.5], np.float32))[1] == done


@pytest.mark.parametrize(("config", "said"), [
    (SafetyConfig(), r"the entries \[\] of the observation(.|\n)*0 to 0"),
    (SafetyConfig(zone=Zone((1,), (0.0,), (1.0,))), r"the entries \[1\]"),
    (SafetyConfig(zone=ZONE, schedule=Schedule(budget=0)), r"is shown 0 episodes(.|\n)*1 or more"),
])
def test_what_cannot_be_is_refused(config: SafetyConfig, said: str) -> None:
    with pytest.raises(ConfigError, match=said):
        check(config, Spaces.of(Point()))
    with pytest.raises(ConfigError, match="has 1 entries, 0 lower and 1 upper"):
        Zone((0,), (), (1.0,))
