"""Reinforcement learning from state vectors: what is stored, what is bootstrapped, what is refused, and that it learns."""

from __future__ import annotations

import itertools
from pathlib import Path
from typing import Any

import gymnasium
import numpy as np
import pytest
import torch
from gymnasium import spaces

from rewardbot.data.transitions import Transitions
from rewardbot.errors import ConfigError, DataError
from rewardbot.policies.sac import SACConfig
from rewardbot.training.state_loop import DONE, Spaces, StateLoop, StateLoopConfig, evaluate, make_env, start_seeds

SMALL = SACConfig(batch=32, hidden=16, rate=3e-3, discount=0.9)


class Line(gymnasium.Env[Any, Any]):
    """A point on [-1, 1] that moves by a fifth of an action in [-2, 2] / 2, and is paid for being near 0.5."""

    def __init__(self, *, horizon: int = 10, end: float = np.inf, broken_at: int = -1) -> None:
        self.observation_space, self.action_space = spaces.Box(-1.0, 1.0, (1,)), spaces.Box(-2.0, 2.0, (1,))
        self.horizon, self.end, self.broken_at = horizon, end, broken_at
        self.at, self.time = 0.0, 0

    def reset(self, *, seed: int | None = None, options: dict[str, Any] | None = None) -> tuple[np.ndarray, dict[str, Any]]:
        super().reset(seed=seed)
        self.at, self.time = float(self.np_random.uniform(-1.0, 1.0)), 0
        return np.array([self.at], np.float32), {}

    def step(self, action: np.ndarray) -> tuple[np.ndarray, float, bool, bool, dict[str, Any]]:
        self.time += 1
        self.at = float(np.clip(self.at + 0.1 * action[0], -1.0, 1.0))
        seen = np.nan if self.time == self.broken_at else self.at
        return np.array([seen], np.float32), -abs(self.at - 0.5), self.at > self.end, self.time >= self.horizon, {}


def loop(env: Line, reward: Any = None, seed: int = 0, **settings: Any) -> StateLoop:
    return StateLoop(env, StateLoopConfig(**{"steps": 60, "start_steps": 40, "sac": SMALL, **settings}), reward=reward, seed=seed)


def test_episodes_are_named_and_their_clips_can_be_looked_up() -> None:
    found = loop(Line())
    first, second = found.episode(), found.episode()
    assert (first.start, first.stop) == (second.start, second.stop) == (0, 10) and first.episode_id != second.episode_id
    assert found.replay.episodes() == [first, second]
    clip = found.replay.transitions(type(first)(second.episode_id, 3, 7))
    assert torch.equal(clip.rows, found.replay.rows[13:17])
    assert torch.equal(clip.state[1:], clip.next_state[:-1])


def test_a_step_follows_the_scaled_action_and_a_timeout_goes_on() -> None:
    found = loop(Line())
    found.episode()
    rows = found.replay.transitions(found.replay.episodes()[0])
    action = rows.state_action[:, 1:]
    assert action.abs().max() <= 1.0
    torch.testing.assert_close(rows.next_state, (rows.state + 0.2 * action).clamp(-1.0, 1.0))
    assert rows.continues.tolist() == [1.0] * 10


def repeated(found: StateLoop, first: int) -> float:
    """Share of steps, from an episode on, with the action of the step before."""
    actions = [found.replay.transitions(clip).state_action[:, 1] for clip in found.replay.episodes()[first:]]
    return float(torch.cat([one[1:] == one[:-1] for one in actions]).float().mean())


def test_who_wanders_does_one_action_for_a_while_within_an_episode() -> None:
    away, here = (loop(Line(horizon=40), steps=800, start_steps=400, wander=wander) for wander in (0.1, 0.0))
    for found in (away, here):
        while found.steps < 800:
            found.episode()
    assert repeated(here, 0) == 0.0, "it never does one twice by itself"
    assert repeated(away, 0) > repeated(away, 10) + 0.1 > 0.2, "at first nothing else, later the policy in between"
    ends = [away.replay.transitions(clip).state_action[[0, -1], 1] for clip in away.replay.episodes()]
    assert all(last[1] != following[0] for last, following in itertools.pairwise(ends))


class Half(Line):
    """Does half of what it is asked, and says so."""

    def step(self, action: np.ndarray) -> tuple[np.ndarray, float, bool, bool, dict[str, Any]]:
        done = np.float32(0.5) * action
        return *super().step(done)[:4], {DONE: done / np.float32(2.0)}


def test_what_was_done_is_learned_from_where_it_is_not_what_was_asked() -> None:
    found = loop(Half())
    found.episode()
    rows = found.replay.newest(10)
    assert rows.state_action[:, 1].abs().max() <= 0.5
    torch.testing.assert_close(rows.next_state, (rows.state + 0.2 * rows.state_action[:, 1:]).clamp(-1.0, 1.0))


def test_a_termination_ends_the_future() -> None:
    found = loop(Line(horizon=1000, end=0.9), steps=400, start_steps=400)
    while found.steps < 400:
        found.episode()
    rows = Transitions(found.replay.rows, 1, 1)
    assert torch.equal(rows.continues, (rows.next_state[:, 0] <= 0.9).float())
    assert 0 < float((1 - rows.continues).sum()) < found.episodes + 1


def test_an_endless_episode_is_cut_off_and_the_last_one_with_the_steps() -> None:
    found = loop(Line(horizon=10**9), longest=25, steps=60)
    assert [found.episode().stop for _ in range(3)] == [25, 25, 10]
    assert found.steps == 60


def test_updates_keep_up_with_the_steps() -> None:
    found = loop(Line(), updates_per_step=0.5)
    for _ in range(6):
        found.episode()
    assert (found.steps, found.updates) == (60, 10)


def test_the_reward_is_computed_when_a_batch_is_sampled() -> None:
    found = loop(Line(), reward=lambda batch: batch.state[:, 0])
    found.episode()
    before = found.replay.rows.clone()
    batch = found.sample()
    assert torch.equal(batch.reward, batch.state[:, 0])
    found.reward = lambda batch: torch.full((len(batch.rows),), 7.0)
    assert set(found.sample().reward.tolist()) == {7.0}
    assert torch.equal(found.replay.rows, before)  # what happened stays as it was
    found.reward = None
    batch = found.sample()
    torch.testing.assert_close(batch.reward, -(batch.next_state[:, 0] - 0.5).abs())


def test_demonstrated_steps_are_a_share_of_each_batch_and_have_the_present_reward() -> None:
    shown = Transitions(torch.full((3, 5), 7.0), 1, 1)
    config = StateLoopConfig(steps=40, start_steps=40, shown=0.25, sac=SMALL)
    found = StateLoop(Line(), config, reward=lambda batch: batch.state[:, 0] + 1.0, shown=shown)
    found.episode()
    batch = found.sample()
    of_shown = batch.state[:, 0] == 7.0
    assert len(batch.rows) == SMALL.batch and int(of_shown.sum()) == SMALL.batch // 4
    torch.testing.assert_close(batch.reward, batch.state[:, 0] + 1.0)
    assert float(shown.rows[:, 2].max()) == 7.0, "what was shown stays as it is"


def test_what_learned_from_it_is_told_after_each_update() -> None:
    found, told = loop(Line(), reward=lambda batch: batch.state[:, 0] + 5.0), []
    while found.steps < 60:
        found.episode(told.append)
    assert len(told) == found.updates == 20
    assert all(torch.equal(batch.reward, batch.state[:, 0] + 5.0) for batch in told)


def test_old_clips_are_gone() -> None:
    found = loop(Line(), capacity=15)
    first, second = found.episode(), found.episode()
    assert found.replay.episodes() == [type(first)(first.episode_id, 5, 10), second]
    assert len(found.replay.transitions(type(first)(first.episode_id, 5, 10)).rows) == 5
    with pytest.raises(DataError, match=f"Steps 4 to 6 of episode '{first.episode_id}' are not in the replay"):
        found.replay.transitions(type(first)(first.episode_id, 4, 6))
    with pytest.raises(DataError, match="are not in the replay"):
        found.replay.transitions(type(first)(second.episode_id, 5, 11))
    found.episode()
    found.episode()
    assert [segment.episode_id[-1] for segment in found.replay.episodes()] == ["2", "3"]


def test_it_learns_and_the_same_seed_does_the_same() -> None:
    def learned(seed: int, steps: int) -> StateLoop:
        found = loop(Line(), seed=seed, steps=steps, start_steps=100)
        while found.steps < steps:
            found.episode()
        return found

    first, seeds = learned(0, 600), start_seeds(0, 20)
    still = float(np.mean(evaluate(Line(), lambda state: np.zeros(1, np.float32), seeds)))
    best = float(np.mean(evaluate(Line(), lambda state: np.clip(5 * (0.5 - state), -1, 1), seeds)))
    reached = float(np.mean(evaluate(Line(), first.best, seeds)))
    assert reached > best - 0.25 * (best - still)
    again, other = learned(0, 150), learned(1, 150)
    assert torch.equal(first.replay.rows[:150], again.replay.rows)
    assert not torch.equal(other.replay.rows, again.replay.rows)


def test_evaluation_is_the_true_return_from_given_seeds() -> None:
    def stay(state: np.ndarray) -> np.ndarray:
        return np.zeros(1, np.float32)

    env = Line()
    start = float(env.reset(seed=5)[0][0])
    assert evaluate(env, stay, [5]) == pytest.approx([-10 * abs(start - 0.5)], rel=1e-5)
    assert evaluate(env, stay, [5], longest=3) == pytest.approx([-3 * abs(start - 0.5)], rel=1e-5)


@pytest.mark.parametrize(("seen", "done", "said"), [
    (spaces.Dict({"a": spaces.Box(-1, 1, (2,))}), spaces.Box(-1, 1, (1,)), "The observations of Line are Dict"),
    (spaces.Box(0, 255, (8, 8, 3), np.uint8), spaces.Box(-1, 1, (1,)), "The observations of Line are Box"),
    (spaces.Box(-1, 1, (2,)), spaces.Discrete(3), "The actions of Line are Discrete"),
    (spaces.Box(-1, 1, (2,)), spaces.Box(-np.inf, np.inf, (1,)), "without bounds"),
])
def test_other_spaces_are_refused(seen: Any, done: Any, said: str) -> None:
    env = Line()
    env.observation_space, env.action_space = seen, done
    with pytest.raises(ConfigError, match=said):
        StateLoop(env, StateLoopConfig())


def test_bounds_of_any_kind_are_reached() -> None:
    env = Line()
    env.action_space = spaces.Box(np.array([0.0, -4.0], np.float32), np.array([1.0, 2.0], np.float32))
    scale = Spaces.of(env)
    assert scale.action(np.array([-1.0, 1.0])).tolist() == [0.0, 2.0]
    assert scale.action(np.array([0.0, 0.0])).tolist() == [0.5, -1.0]
    assert scale.action(np.array([3.0, -3.0])).tolist() == [1.0, -4.0]


def test_an_environment_that_breaks_is_named() -> None:
    with pytest.raises(DataError, match=r"Step 3 of episode Line-0-0: A transition holds NaN"):
        loop(Line(broken_at=4)).episode()


def test_an_unknown_environment() -> None:
    with pytest.raises(ConfigError, match="There is no environment 'Pendulum-v99'"):
        make_env("Pendulum-v99")


def test_it_goes_on_from_what_was_saved_as_if_nothing_had_happened(tmp_path: Path) -> None:
    whole = loop(Line(), steps=90)
    while whole.steps < 60:
        whole.episode()
    torch.save(whole.state(), tmp_path / "state.pt")
    while whole.steps < 90:
        whole.episode()
    again = loop(Line(), steps=90, seed=1)
    again.restore(torch.load(tmp_path / "state.pt", weights_only=True))
    again.seed, again.name = whole.seed, whole.name
    assert (again.steps, again.updates, again.episodes) == (60, 20, 6)
    while again.steps < 90:
        again.episode()
    assert torch.equal(again.replay.rows, whole.replay.rows) and again.replay.episodes() == whole.replay.episodes()
    assert all(map(torch.equal, again.agent.actor.parameters(), whole.agent.actor.parameters()))
