"""A cost and a shield from marked intervals, on a point that should not go beyond 0.6; and how often the person is bothered."""

from __future__ import annotations

import inspect

import numpy as np
import pytest
import torch

from rewardbot.data.episode_replay import EpisodeReplay
from rewardbot.errors import DataError
from rewardbot.feedback.feedback import UnsafeInterval
from rewardbot.feedback.schedule import Schedule
from rewardbot.rewards.base import RewardModel
from rewardbot.training.safe_learning import SafeLearning, SafetyConfig
from rewardbot.types import Segment

EDGE = 0.6


def wander(replay: EpisodeReplay, name: str, seed: int, learning: SafeLearning | None = None, steps: int = 40) -> Segment:
    """x <- x + 0.2 a from 0, within [-1, 1], with actions that mostly go right."""
    draw, x = np.random.default_rng(seed), np.zeros(1, np.float32)
    replay.begin(name)

    def propose() -> np.ndarray:
        return draw.uniform(-0.7, 1.0, 1).astype(np.float32)

    for _ in range(steps):
        action = propose() if learning is None else learning.act(x, propose)
        after = np.clip(x + 0.2 * action, -1.0, 1.0).astype(np.float32)
        replay.add(x, action, 0.0, after, terminated=False)
        x = after
    return Segment(name, 0, steps)


def person(replay: EpisodeReplay, episode: Segment) -> list[UnsafeInterval]:
    """Marks each step that led beyond the edge."""
    beyond = (replay.transitions(episode).next_state[:, 0] > EDGE).tolist()
    return [UnsafeInterval(Segment(episode.episode_id, step, step + 1), "too near the edge")
            for step, unsafe in enumerate(beyond) if unsafe]


def unsafe_share(replay: EpisodeReplay, episodes: list[Segment]) -> float:
    return float(np.mean([len(person(replay, episode)) / 40.0 for episode in episodes]))


def taught(replay: EpisodeReplay, budget: int = 4) -> tuple[SafeLearning, list[Segment]]:
    schedule = Schedule(budget=budget, first=budget, per_minute=0.0, waiting=budget)
    learning = SafeLearning(SafetyConfig(schedule=schedule), replay.transitions)
    episodes = [wander(replay, f"before-{seed}", seed) for seed in range(10)]
    for episode in learning.ask(episodes, progress=1.0, minutes=100.0):
        learning.answer(episode, person(replay, episode))
    learning.fit()
    return learning, episodes


def test_fewer_unsafe_actions_at_equal_query_count() -> None:
    """The same person said the same of the same four episodes; only one policy has a shield."""
    replay = EpisodeReplay(4000, 1, 1)
    learning, _ = taught(replay)
    bare = [wander(replay, f"bare-{seed}", 100 + seed) for seed in range(10)]
    shielded = [wander(replay, f"shielded-{seed}", 100 + seed, learning) for seed in range(10)]
    assert unsafe_share(replay, bare) > 0.4
    assert unsafe_share(replay, shielded) < 0.05
    assert learning.refused > 0 and len(learning.shown) == 4


def test_the_cost_says_what_was_marked() -> None:
    learning, _ = taught(EpisodeReplay(4000, 1, 1))
    cost = learning.cost(torch.tensor([[0.9, 1.0], [0.55, 0.9], [0.0, 0.5], [-0.5, -0.5]]))
    assert bool((cost[:2] > 0.7).all()) and bool((cost[2:] < 0.3).all())


def test_the_person_is_not_bothered_beyond_the_budget_nor_faster_than_agreed() -> None:
    replay = EpisodeReplay(4000, 1, 1)
    learning = SafeLearning(SafetyConfig(schedule=Schedule(budget=5, first=1, per_minute=1.0, waiting=2)), replay.transitions)
    episodes = [wander(replay, f"{seed}", seed) for seed in range(20)]
    asked = 0
    for minute in range(12):
        now = learning.ask(episodes, progress=minute / 11, minutes=float(minute))
        asked += len(now)
        assert len(now) <= 2 and asked <= min(5, 1 + minute)
        for episode in now:
            learning.answer(episode, person(replay, episode))
    assert asked == 5 and len({episode.episode_id for episode in learning.shown}) == 5


def test_once_something_is_known_the_most_doubtful_episode_is_asked_about() -> None:
    replay = EpisodeReplay(4000, 1, 1)
    learning, _ = taught(replay, budget=4)
    learning.config = SafetyConfig(schedule=Schedule(budget=5, first=5, per_minute=0.0, waiting=5))
    others = [wander(replay, f"later-{seed}", 50 + seed, steps=10) for seed in range(5)]
    doubts = [float((cost * (1.0 - cost)).max()) for cost in
              (learning.cost(replay.transitions(episode).state_action) for episode in others)]
    assert learning.ask(others, progress=1.0, minutes=1.0) == [others[int(np.argmax(doubts))]]


def test_it_is_no_reward_and_lets_everything_through_before_it_knows() -> None:
    assert not issubclass(SafeLearning, RewardModel) and "reward" not in dict(inspect.getmembers(SafeLearning))
    learning = SafeLearning(SafetyConfig(), EpisodeReplay(10, 1, 1).transitions)
    assert learning.act(np.zeros(1), lambda: np.array([0.25])).tolist() == [0.25] and learning.refused == 0


def test_bad_answers() -> None:
    replay = EpisodeReplay(400, 1, 1)
    learning = SafeLearning(SafetyConfig(), replay.transitions)
    episode = wander(replay, "one", 0)
    with pytest.raises(DataError, match="Nobody asked about episode 'one'"):
        learning.answer(episode, [])
    learning.ask([episode], progress=0.0, minutes=0.0)
    with pytest.raises(DataError, match="outside what was shown"):
        learning.answer(episode, [UnsafeInterval(Segment("one", 39, 41), "late")])
    learning.answer(episode, [])
    with pytest.raises(DataError, match="0 of 40 steps that were shown are unsafe"):
        learning.fit()
