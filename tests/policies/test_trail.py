"""What a replay of places knows of its episodes: what is hidden, what was no glimpse, and transitions to learn a model from."""

from __future__ import annotations

import math

import torch

from rewardbot.data.replay import Replay
from rewardbot.nets.places import UNIT_M
from rewardbot.policies.trail import Trail

SURE = math.log(0.003 / UNIT_M)
UNSURE = math.log(0.05 / UNIT_M)


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
    assert trail.places[:5, 0].tolist() == [0.0, 1.0, 1.0, 1.0, 2.0]
    assert trail.begins[:5].tolist() == [True, False, False, False, False]


def test_a_glimpse_that_is_taken_back_is_none() -> None:
    trail = Trail(replay_of([(0.0, 0.0, SURE), (0.0, 0.0, SURE), (3.0, 0.0, SURE), (0.0, 0.0, SURE), (0.0, 0.0, SURE)]), SURE)
    trail.follow()
    assert trail.replay.features[2, 0] == 3.0 and trail.places[:5, 0].tolist() == [0.0] * 5


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
            assert (trail.places[first : first + count, 0] == float(name[1:])).all()
            assert trail.begins[first : first + count].tolist() == [True, False, False, False]


def moving(rows: int = 6) -> Replay:
    """An episode in which the hand goes 2 cm a step along the floor, over a thing 4 cm ahead, with actions that count the steps."""
    replay = Replay(100, features=3, proprio=4, actions=2)
    proprio = torch.zeros(rows, 4)
    proprio[:, 0] = 0.02 * torch.arange(rows)
    features = torch.tensor([[0.4, 0.0, SURE]]).repeat(rows, 1)
    replay.put("e", {"features": features, "proprio": proprio, "actions": torch.arange(rows).float()[:, None].repeat(1, 2),
                     "continues": torch.ones(rows)})
    return replay


def test_transitions_know_the_step_before() -> None:
    trail = Trail(moving(), SURE)
    now, action, after = trail.transitions(2, 40)
    assert now.hand.shape == (2, 40, 3) and action.shape == (2, 40, 2)
    assert bool((now.seen == 1.0).all() and (after.seen == 1.0).all() and (after.drift == 0.0).all())
    torch.testing.assert_close(after.hand[..., 0] - now.hand[..., 0], torch.full((2, 40), 0.02 / UNIT_M))
    begins = action[..., 0] == 0.0
    assert begins.any() and not begins.all()
    assert bool((now.velocity[begins] == 0.0).all() and (now.before[begins] == 0.0).all())
    torch.testing.assert_close(now.before[~begins], action[~begins] - 1.0)
    torch.testing.assert_close(after.velocity[..., 0], torch.full((2, 40), 0.02 / UNIT_M))


def test_half_of_the_transitions_are_near_the_thing() -> None:
    replay = moving()
    far = torch.zeros(60, 4)
    far[:, 2] = 0.3
    replay.put("high", {"features": torch.tensor([[0.4, 0.0, SURE]]).repeat(60, 1), "proprio": far, "actions": torch.zeros(60, 2),
                        "continues": torch.ones(60)})
    now, _, _ = Trail(replay, SURE).transitions(1, 1000)
    low = float((now.hand[..., 2] == 0.0).float().mean())
    assert 0.5 <= low < 0.65, "half, and some of the others by chance"


def test_transitions_know_what_was_seen() -> None:
    replay = moving()
    replay.features[2, 2] = UNSURE
    trail = Trail(replay, SURE)
    now, action, after = trail.transitions(1, 200)
    assert torch.equal(now.seen[..., 0] == 0.0, action[..., 0] == 2.0) and bool((now.seen == 0.0).any())
    assert torch.equal(after.seen[..., 0] == 0.0, action[..., 0] == 1.0)


def test_transitions_know_how_the_thing_moved() -> None:
    replay = moving()
    replay.features[:6, 0] = 0.1 * torch.arange(6)
    now, action, _ = Trail(replay, SURE).transitions(1, 200)
    inside = (action[..., 0] > 1.0) & (action[..., 0] < 5.0)  # the last place of an episode is told by one picture
    torch.testing.assert_close(now.drift[inside][:, 0], torch.full((int(inside.sum()),), 0.1))
    assert bool((now.drift[action[..., 0] == 0.0] == 0.0).all())
