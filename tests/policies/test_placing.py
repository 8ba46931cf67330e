"""Bringing a thing to a place: what is known before learning, and that it learns from play."""

from __future__ import annotations

import dataclasses
import math

import numpy as np
import pytest
import torch

from rewardbot.data.replay import Replay
from rewardbot.nets.places import UNIT_M
from rewardbot.policies.placing import Placing, PlacingConfig
from rewardbot.policies.placing_policy import PlacingPolicy

SURE = math.log(0.003 / UNIT_M)
UNSURE = math.log(0.05 / UNIT_M)
LOW, HIGH, SCALE_M, RADIUS_M, TALL_M = (-0.3, -0.3, 0.0), (0.3, 0.3, 0.2), 0.04, 0.07, 0.05
SMALL = PlacingConfig(members=2, hidden=64, batch=64, steps=1500, rate=5e-3)


def placing(config: PlacingConfig = SMALL) -> Placing:
    return Placing(config, 4, LOW, HIGH, SCALE_M)


def pushed(hand: np.ndarray, thing: np.ndarray) -> np.ndarray:
    """Where a thing (2,) is then that a hand (3,) has come close to: no closer than `RADIUS_M`, or below it."""
    apart = thing - hand[:2]
    far = float(np.linalg.norm(apart)) if hand[2] < TALL_M else RADIUS_M
    return thing + max(0.0, RADIUS_M - far) * apart / max(far, 1e-6)


def played(episodes: int, steps: int = 40) -> Replay:
    """A fist that goes about a thing at random, mostly low, and pushes it."""
    draw, replay = np.random.default_rng(0), Replay(episodes * (steps + 1), features=3, proprio=4, actions=4)
    for number in range(episodes):
        hand, thing = np.zeros(3), draw.uniform(-0.1, 0.1, 2)
        rows, target = [], hand
        for step in range(steps + 1):
            if step % 8 == 0:
                target = np.array([*(thing + draw.uniform(-0.12, 0.12, 2)), 0.2 * draw.uniform() ** 3])
            action = np.array([*np.clip((target - hand) / SCALE_M, -1.0, 1.0), -1.0])
            rows.append([*thing, *hand, *action])
            hand = hand + SCALE_M * action[:3]
            thing = pushed(hand, thing)
        table = torch.tensor(np.array(rows), dtype=torch.float32)
        replay.put(f"e{number}", {
            "features": torch.cat([table[:, :2] / UNIT_M, torch.full((steps + 1, 1), SURE)], dim=1),
            "proprio": torch.cat([table[:, 2:5], torch.zeros(steps + 1, 1)], dim=1), "actions": table[:, 5:],
            "continues": torch.ones(steps + 1)})
    return replay


def seen(place: tuple[float, float], spread: float = SURE) -> torch.Tensor:
    return torch.tensor([[*place, spread]], dtype=torch.float32)


def test_the_goal_is_the_middle_of_what_is_sure() -> None:
    agent = placing()
    agent.begin(torch.tensor([[1.0, 2.0, SURE], [1.2, 2.2, SURE], [0.8, 1.8, SURE], *[[9.0, 9.0, UNSURE]] * 2]), torch.ones(10, 4))
    assert agent.actor.goal.tolist() == pytest.approx([1.0, 2.0])  # type: ignore[operator]
    assert agent.actor.motion.middle.tolist() == pytest.approx([10.0] * 3)  # type: ignore[operator]


def test_it_is_fitted_anew_every_so_often_to_all_that_there_is() -> None:
    agent = placing(dataclasses.replace(SMALL, steps=3, every=4))
    trails = agent.trails(played(3), Replay(100, features=3, proprio=4, actions=4))
    changed: list[int] = []
    for _ in range(9):
        before = weights(agent)
        assert agent.count()
        found = agent.learn(trails)
        if not torch.equal(before, weights(agent)):
            changed.append(agent.updates)
            assert float(found["motion_loss"]) > 0.0
    assert changed == [4, 8]


def test_a_fit_begins_at_the_beginning() -> None:
    agent = placing(dataclasses.replace(SMALL, steps=1, rate=1e-9))
    old = weights(agent)
    agent.fit(agent.trails(played(2)), lambda share: None)
    new = weights(agent)
    assert float((new - old).abs().mean()) > 0.1 and float(new.std()) == pytest.approx(float(old.std()), rel=0.1)


def weights(agent: Placing) -> torch.Tensor:
    return agent.actor.motion.weights[0].detach().clone()


def closest(policy: PlacingPolicy, steps: int = 30) -> float:
    """How near to the goal the policy brings the thing in the end, from the other side of it [m]."""
    hand, thing, memory = np.array([0.1, 0.1, 0.0]), np.array([0.0, 0.0]), None
    generator = torch.Generator().manual_seed(0)
    for _ in range(steps):
        proprio = torch.tensor([*hand, 0.0], dtype=torch.float32)
        action, memory = policy.act(seen(tuple(thing / UNIT_M)), proprio, memory, generator)
        hand = np.maximum(hand + SCALE_M * action[:3], LOW)
        thing = pushed(hand, thing)
    return float(np.linalg.norm(thing - policy.goal.numpy() * UNIT_M))  # type: ignore[operator]


def test_it_learns_to_bring_a_thing_to_a_place() -> None:
    """From play alone, to within 3 cm; not with a model that was fitted to actions which were not those that were done."""
    found = []
    for shuffled in (False, True):
        replay, agent = played(80), placing()
        if shuffled:
            replay.actions[:] = replay.actions[torch.randperm(len(replay.actions), generator=torch.Generator().manual_seed(0))]
        agent.begin(seen((1.0, -1.0)).repeat(4, 1), replay.proprio)
        agent.fit(agent.trails(replay), lambda share: None)
        found.append(closest(agent.actor))
    assert found[0] < 0.03 < found[1]
