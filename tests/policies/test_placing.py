"""Bringing a thing to a place: what is remembered, which goals are learned from, what a step is worth, and that it learns."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch

from rewardbot.data.replay import Replay
from rewardbot.data.trail import Trail
from rewardbot.nets.places import UNIT_M
from rewardbot.policies.placing import FAR, STATES, Placing, PlacingConfig
from rewardbot.policies.sac import SACConfig

SURE = math.log(0.003 / UNIT_M)
UNSURE = math.log(0.05 / UNIT_M)
SMALL = PlacingConfig(sac=SACConfig(batch=32, hidden=16, norm=True, rate=1e-3))


def replay_of(*episodes: list[tuple[float, float, float]], capacity: int = 100) -> Replay:
    """Episodes of places and logarithms of their spread; the hand stays where it is."""
    replay = Replay(capacity, features=3, proprio=4, actions=2)
    for number, features in enumerate(episodes):
        rows = len(features)
        replay.put(f"e{number}", {"features": torch.tensor(features), "proprio": torch.zeros(rows, 4),
                                  "actions": torch.zeros(rows, 2), "continues": torch.ones(rows)})
    return replay


def test_what_is_hidden_is_where_it_was() -> None:
    trail = Trail(replay_of([(0.0, 0.0, SURE), (1.0, 1.0, SURE), (9.0, 9.0, UNSURE), (9.0, 9.0, UNSURE), (2.0, 2.0, SURE)]), SURE)
    trail.follow()
    assert trail.kept[:5, 0].tolist() == [0.0, 1.0, 1.0, 1.0, 2.0]
    assert trail.kept[:5, 2].tolist() == pytest.approx([SURE, SURE, UNSURE, UNSURE, SURE]), "and it is known that it is hidden"
    assert trail.ends[:5].tolist() == [4] * 5


def test_who_acts_remembers_what_the_replay_does() -> None:
    policy = Placing(SMALL, 2).actor
    places = [(7.0, 7.0, UNSURE), (0.0, 0.0, SURE), (9.0, 9.0, UNSURE), (1.0, 1.0, SURE), (8.0, 8.0, UNSURE)]
    trail = Trail(replay_of(places), float(policy.sure))  # type: ignore[arg-type]
    trail.follow()
    before, kept = None, []
    for place in places:
        before = policy.keep(torch.tensor([place]), before)
        kept.append(before)
    torch.testing.assert_close(torch.cat(kept), trail.kept[:5])


def test_a_glimpse_that_is_taken_back_is_none() -> None:
    trail = Trail(replay_of([(0.0, 0.0, SURE), (0.0, 0.0, SURE), (3.0, 0.0, SURE), (0.0, 0.0, SURE), (0.0, 0.0, SURE)]), SURE)
    trail.follow()
    assert trail.kept[2, 0] == 3.0 and trail.places[:5, 0].tolist() == [0.0] * 5


def test_a_trail_follows_a_replay_that_overwrites() -> None:
    replay = replay_of(capacity=10)
    trail = Trail(replay, SURE)
    for number in range(6):
        rows = torch.full((4, 3), float(number))
        rows[:, 2] = SURE
        replay.put(f"e{number}", {"features": rows, "proprio": torch.zeros(4, 4), "actions": torch.zeros(4, 2),
                                  "continues": torch.ones(4)})
        trail.follow()
        for name, first, count in replay.spans:
            assert (trail.kept[first : first + count, 0] == float(name[1:])).all()
            assert (trail.ends[first : first + count] == first + count - 1).all()


def test_goals_in_hindsight_are_later_places_of_the_same_episode() -> None:
    places = [[(float(10 * number + step), 0.0, SURE) for step in range(5)] for number in range(3)]
    agent, trail = Placing(SMALL, 2), Trail(replay_of(*places), SURE)
    agent.actor.goal.fill_(-50.0)  # type: ignore[operator]
    trail.follow()
    rows = trail.replay.sample(300).rows
    goals = agent._goals(trail, rows, 200)
    assert (goals[200:] == -50.0).all()
    now, later = trail.places[rows[:200], 0], goals[:200, 0]
    assert (torch.floor(now / 10.0) == torch.floor((later + 0.5) / 10.0)).all(), "of the same episode"
    assert (later > now - 0.5).all() and float((later - now).max()) > 2.5


def test_a_step_is_worth_how_near_the_thing_is_at_worst() -> None:
    config = PlacingConfig(sac=SACConfig(batch=64, hidden=8), hindsight=0.0, doubt=2.0, most_doubt=0.05, near=0.03)
    agent = Placing(config, 2)
    for place, spread, expected in (((0.0, 0.0), SURE, 1.0 - 0.06), ((0.0, 0.3), SURE, math.exp(-1.0) - 0.3 - 0.06),
                                    ((1.0, 0.0), SURE, -1.0 - 0.06), ((1.0, 0.0), UNSURE, -1.5),
                                    ((20.0, 0.0), SURE, -FAR - 0.06)):
        trail = Trail(replay_of([(*place, spread)] * 3), SURE)
        batch = agent.batch([trail])
        assert batch.reward.tolist() == pytest.approx([expected] * 64, abs=1e-4)


def test_batches_are_of_all_trails_by_their_size() -> None:
    agent = Placing(SMALL, 2)
    long, short = ([(place, 0.0, SURE)] * rows for place, rows in ((1.0, 31), (2.0, 11)))
    agent.actor.goal.fill_(4.0)  # type: ignore[operator]
    batch = agent.batch([Trail(replay_of(long), SURE), Trail(replay_of(short), SURE)])
    assert batch.rows.shape == (32, 2 * STATES + 2 + 2) and int((batch.state[:, 4] == 1.0).sum()) == 24
    empty = agent.batch([Trail(replay_of(long), SURE), Trail(replay_of(), SURE)])
    assert len(empty.rows) == 32, "before anything was visited"


def test_it_learns_to_bring_a_thing_to_a_place() -> None:
    """The thing moves as the action says: from play alone, with goals in hindsight, to within 3 cm of the goal."""
    torch.manual_seed(0)
    draw, episodes = np.random.default_rng(0), 40
    replay = Replay(episodes * 21, features=3, proprio=4, actions=2)
    for number in range(episodes):
        actions = draw.uniform(-1.0, 1.0, (21, 2)).astype(np.float32)
        places = draw.uniform(-2.0, 2.0, 2) + np.cumsum(np.concatenate([np.zeros((1, 2)), 0.5 * actions[:-1]]), axis=0)
        features = np.concatenate([places, np.full((21, 1), SURE)], axis=1).astype(np.float32)
        replay.put(f"e{number}", {"features": torch.from_numpy(features), "proprio": torch.zeros(21, 4),
                                  "actions": torch.from_numpy(actions), "continues": torch.ones(21)})
    agent = Placing(PlacingConfig(sac=SACConfig(batch=128, hidden=64, norm=True, rate=2e-3, discount=0.9, target_step=0.02,
                                                first_temperature=0.1)), 2)
    agent.begin(torch.tensor([[1.0, -1.0, SURE]] * 4), torch.zeros(10, 4))
    trails = [agent.trail(replay)]
    for _ in range(400):
        agent.count()
        agent.learn(trails)
    place = torch.tensor([[-1.0, 1.0]])
    for _ in range(15):
        with torch.no_grad():
            action = torch.tanh(agent.average(torch.cat([place, torch.full((1, 1), SURE)], dim=1), torch.zeros(1, 4))[0])
        place = place + 0.5 * action
    assert float((place - torch.tensor([[1.0, -1.0]])).norm()) < 0.3
