"""Planning of ways: costs by hand, the workspace, and that a plan pushes a thing to its goal in a world that is known exactly."""

from __future__ import annotations

import dataclasses
import math

import pytest
import torch
from torch import Tensor

from rewardbot.nets.motion import Moment, Motion
from rewardbot.policies.ways import DISCOUNT, HIDDEN, HIGH_PUSH, HORIZON, KEPT, POINTS, Planner

LOW, HIGH, SCALE = torch.tensor([-3.0, -3.0, 0.0]), torch.tensor([3.0, 3.0, 2.0]), torch.tensor(0.5)
GOAL, AWAY = torch.tensor([1.0, 1.0]), torch.tensor([0.0, -1.0, 1.5])


class World(Motion):
    """The hand goes where it is told; what it comes closer to than its radius it moves along, if it is low."""

    RADIUS = 0.4

    def __init__(self) -> None:
        super().__init__(2, 4, 4)

    def forward(self, now: Moment, action: Tensor) -> Tensor:
        change = SCALE * action[..., :3]
        apart = now.thing - now.hand[..., :2] - change[..., :2]
        far = apart.norm(dim=-1, keepdim=True)
        low = (now.hand[..., 2:] < 0.5).float()
        push = low * (self.RADIUS - far).clamp(min=0.0) * apart / far.clamp(min=1e-6)
        seen = 20.0 * (now.thing[..., :1] - now.hand[..., :1] + 5.0)  # but from far behind it
        return torch.cat([change, torch.zeros_like(now.gripper), push, seen], dim=-1)


def at(hand: tuple[float, float, float], thing: tuple[float, float]) -> Moment:
    return Moment(torch.tensor(hand), torch.zeros(1), torch.tensor(thing), torch.zeros(3), torch.zeros(4), torch.zeros(2),
                  torch.ones(1))


def test_the_cost_of_a_plan_that_moves_nothing() -> None:
    planner = Planner(World(), LOW, HIGH, SCALE)
    points = torch.tensor([2.0, -2.0, 1.0]).expand(2, 5, POINTS, 3)
    cost, first = planner.costs(at((2.0, -2.0, 1.0), (0.0, 0.0)), points, GOAL)
    far = math.sqrt(2.0)
    whole = sum(DISCOUNT**step for step in range(HORIZON)) * (far - math.exp(-((far / 0.5) ** 2)))
    assert cost.flatten().tolist() == pytest.approx([whole] * 10, rel=1e-4)
    assert torch.equal(first, torch.tensor([0.0, 0.0, 0.0, -1.0]).expand(2, 5, 4))


def test_what_is_hidden_or_pushed_high_up_costs_more() -> None:
    planner, now = Planner(World(), LOW, HIGH, SCALE), at((0.0, 0.0, 0.1), (1.0, 1.0))
    assert float(planner.cost(now, GOAL)) == pytest.approx(-1.0)
    hidden = dataclasses.replace(now, seen=torch.tensor([0.25]))
    assert float(planner.cost(hidden, GOAL)) == pytest.approx(-1.0 + 0.75 * HIDDEN)
    pushed = dataclasses.replace(now, drift=torch.tensor([0.3, 0.4]))
    assert float(planner.cost(pushed, GOAL)) == pytest.approx(-1.0 + 0.5 * 0.1 * HIGH_PUSH)


def test_ways_are_straight_and_no_quicker_than_an_action() -> None:
    planner = Planner(World(), LOW, HIGH, SCALE)
    action = planner.towards(torch.tensor([2.0, 1.0, 0.1]), at((0.0, 0.0, 0.0), (0.0, 0.0)))
    torch.testing.assert_close(action, torch.tensor([1.0, 0.5, 0.05, -1.0]))


def test_plans_stay_in_the_workspace_and_are_remembered() -> None:
    planner, generator = Planner(World(), LOW, HIGH, SCALE), torch.Generator().manual_seed(0)
    action, plans = planner.plan(at((2.9, 2.9, 1.9), (2.9, 2.9)), GOAL, None, AWAY, generator)
    assert action.shape == (4,) and bool((action.abs() <= 1.0).all())
    assert plans.shape == (KEPT, POINTS, 3) and bool((plans >= LOW).all() and (plans <= HIGH).all())


def test_the_same_seed_plans_the_same() -> None:
    planner, now = Planner(World(), LOW, HIGH, SCALE), at((0.0, -1.0, 0.0), (0.0, 0.0))
    one, other = (planner.plan(now, GOAL, None, AWAY, torch.Generator().manual_seed(3))[0] for _ in range(2))
    assert torch.equal(one, other)


def done(now: Moment, steps: int, seed: int) -> Moment:
    """So many steps later, each of which was planned."""
    planner, generator, plans = Planner(World(), LOW, HIGH, SCALE), torch.Generator().manual_seed(seed), None
    for _ in range(steps):
        action, plans = planner.plan(now, GOAL, plans, AWAY, generator)
        after = planner._motion.after(now.expand(1, 1), action.expand(1, 1, 4))
        now = Moment(*(value[0, 0] for value in vars(after).values()))
    return now


@pytest.mark.parametrize("seed", range(3))
def test_it_pushes_a_thing_to_its_goal(seed: int) -> None:
    now = done(at((1.5, 0.5, 0.0), (0.0, 0.0)), 25, seed)  # on the wrong side
    assert float((now.thing - GOAL).norm()) < 0.15


def test_what_is_nearly_right_is_left_alone() -> None:
    """The hand goes up, and then to where it hides nothing."""
    begin = at((1.0, 0.4, 0.0), (1.05, 1.0))
    ways = {2: [1.0, 0.4, 1.0], 3: [1.0, 0.4, 1.5], 4: [1.0 - 0.5 / 1.4, -0.1, 1.5], 6: AWAY.tolist(), 8: AWAY.tolist()}
    for steps, hand in ways.items():
        now = done(begin, steps, 0)
        assert torch.equal(now.thing, begin.thing) and now.hand.tolist() == pytest.approx(hand, abs=1e-4)


def test_points_that_are_reached_are_left_out() -> None:
    """A plan to stay where the hand is first, which was the best a step ago, is not followed for ever."""
    planner, now = Planner(World(), LOW, HIGH, SCALE), at((-0.7, -0.7, 0.0), (0.0, 0.0))
    waiting = torch.tensor([[-0.7, -0.7, 0.0], [-0.7, -0.7, 0.0], [0.6, 0.6, 0.0]]).expand(KEPT, POINTS, 3)
    action, plans = planner.plan(now, GOAL, waiting, AWAY, torch.Generator().manual_seed(0))
    assert float(action[:3].norm()) > 0.5 and plans.shape == waiting.shape
