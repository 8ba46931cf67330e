"""Planning with a model: of many plans, which brings the thing to its goal soonest?

A plan is a few points, which the hand goes to one after the other, each straight and as fast as it can: ways, as in play. The best of
random plans are changed a little, and the best of these again (the cross-entropy method with its elite kept; Pinneri et al. 2020).
The first action of the best plan is done; then all is planned anew.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor

from rewardbot.nets.motion import Moment, Motion
from rewardbot.nets.places import UNIT_M

PLANS_EACH, POINTS, HORIZON = 150, 3, 20
"""Plans for each member of the model to judge, points of a plan, and steps that are looked ahead."""

ELITE, CHANGES = 30, (0.5, 0.25)
"""Best plans that are changed, and how much, round after round [UNIT_M]. In the end all members judge them."""

KEPT = 20
"""Best plans of the step before that are among the first."""

AROUND, HIGH, ACROSS, LOW, AIM = 1.3, 1.5, 1.0, 0.3, 0.3
"""At first, points lie so far around the thing, and so high above the floor at most; ways across it end so far behind it, are so low
at most [UNIT_M], and miss the direction of the goal by so much [rad]."""

AT_M = 0.02
"""From a point at which it counts as reached [m]."""

DISCOUNT, NEAR_M, RISK = 0.95, 0.05, 0.5
"""Of a step later; how near to the goal a step is worth more; how much what the members disagree about counts."""

HIDDEN, HIGH_PUSH = 0.2, 20.0
"""What it costs when the thing is not seen, for what is hidden is not known; and, for each dm by which it is pushed, each dm that the
hand is above the floor: what is pushed high up tips over.
"""

WORTH = 1.5
"""By how much less a plan must cost than to withdraw. The best of many plans seems better than it is: where the thing is nearly
right, who always follows it will sooner or later push it away.
"""

CLOSED = -1.0
"""What the gripper is told: it is a fist."""


class Planner:
    """Args:
        motion: the model.
        low, high: corners of the workspace, (3,) [UNIT_M].
        scale: of an action [UNIT_M].
    """

    def __init__(self, motion: Motion, low: Tensor, high: Tensor, scale: Tensor) -> None:
        self._motion, self._low, self._high, self._scale = motion, low, high, scale

    @torch.no_grad()
    def plan(
        self, now: Moment, goal: Tensor, known: Tensor | None, away: Tensor, generator: torch.Generator
    ) -> tuple[Tensor, Tensor]:
        """The next action (A,), and the best plans (KEPT, POINTS, 3).

        Args:
            now: this moment, without leading dimensions.
            goal: of the thing, (2,) [UNIT_M].
            known: the best plans a step ago. Points that are reached are left out, or a plan to wait would be best again and again.
            away: where the hand hides nothing, (3,) [UNIT_M]: from there it is seen whether anything is left to do.
            generator: of plans.
        """
        points = self._first(now.thing, goal, generator)
        if known is not None:
            reached = self._at(known[:, 0], now)[:, None, None]
            points[: len(known)] = torch.where(reached, torch.cat([known[:, 1:], known[:, -1:]], dim=1), known)
        for change in CHANGES:
            best = self._best(now, points, goal, generator)
            drawn = best[torch.randint(0, ELITE, (len(points) - ELITE,), generator=generator)]
            points = torch.cat([best, drawn + change * torch.randn(drawn.shape, generator=generator)])
        points = torch.cat([self._withdrawing(now, away)[None], self._best(now, points, goal, generator)])
        costs, actions = self.costs(now, points.expand(self._motion.members, *points.shape), goal)
        cost = costs.mean(0) + RISK * costs.std(0, unbiased=False)
        cost[0] -= WORTH
        order = cost.argsort()
        return actions[0, order[0]], points[order[:KEPT]]

    def withdraw(self, now: Moment, away: Tensor) -> Tensor:
        """The action (A,) of who goes up, and then there."""
        up, there = self._withdrawing(now, away)[:2]
        return self.towards(there if self._at(up, now) else up, now)

    def _withdrawing(self, now: Moment, away: Tensor) -> Tensor:
        return torch.stack([torch.cat([now.hand[:2], away[2:]]), *[away] * (POINTS - 1)])

    def _first(self, thing: Tensor, goal: Tensor, generator: torch.Generator) -> Tensor:
        """Random plans. Half lead anywhere around the thing; the others, as play that is aimed, to beside it and then across, and
        half of these from above, on the far side, and towards the goal.
        """
        plans = PLANS_EACH * self._motion.members
        around = AROUND * torch.randn(plans, POINTS, 2, generator=generator)
        height = HIGH * torch.rand(plans, POINTS, 1, generator=generator).square()
        half, aimed = plans // 2, plans // 4
        angle = 2.0 * math.pi * torch.rand(half, 1, generator=generator)
        angle[:aimed] = torch.atan2(*(goal - thing).flip(0)) + AIM * torch.randn(aimed, 1, generator=generator)
        along = torch.rand(half, 1, generator=generator)
        for point, far in ((-2, -AROUND), (-1, ACROSS * along)):
            around[:half, point] = far * torch.cat([angle.cos(), angle.sin()], dim=1)
        around[:aimed, 0] = around[:aimed, -2]
        height[:half, -2] = height[:half, -1] = LOW * torch.rand(half, 1, generator=generator)
        return torch.cat([thing + around, self._low[2] + height], dim=-1)

    def _best(self, now: Moment, points: Tensor, goal: Tensor, generator: torch.Generator) -> Tensor:
        """The best of plans (N, POINTS, 3), of which each is judged by one member, (ELITE, POINTS, 3)."""
        dealt = points[torch.randperm(len(points), generator=generator)]
        dealt = torch.minimum(torch.maximum(dealt, self._low), self._high)
        cost, _ = self.costs(now, dealt.reshape(self._motion.members, -1, POINTS, 3), goal)
        return dealt[cost.flatten().argsort()[:ELITE]]

    def costs(self, now: Moment, points: Tensor, goal: Tensor) -> tuple[Tensor, Tensor]:
        """What all steps to come cost, (M, N), and the first actions (M, N, A), of plans (M, N, POINTS, 3), those of each
        member as it believes.
        """
        shape = points.shape[:2]
        moment = now.expand(*shape)
        next_point = self._at(points[:, :, 0], moment).long()
        cost, first = torch.zeros(shape), torch.zeros(0)
        for step in range(HORIZON):
            target = points.gather(2, next_point[..., None, None].expand(*shape, 1, 3))[:, :, 0]
            action = self.towards(target, moment)
            first = action if step == 0 else first
            after = self._motion.after(moment, action)
            after.hand = torch.minimum(torch.maximum(after.hand, self._low), self._high)
            after.velocity = after.hand - moment.hand
            moment = after
            next_point = (next_point + self._at(target, moment)).clamp(max=POINTS - 1)
            cost += DISCOUNT**step * self.cost(moment, goal)
        return cost, first

    def cost(self, moment: Moment, goal: Tensor) -> Tensor:
        """Of a step that leads to `moment`, (...)."""
        far = (moment.thing - goal).norm(dim=-1)
        high = (moment.hand[..., 2] - self._low[2]).clamp(min=0.0)
        hidden = 1.0 - moment.seen[..., 0]
        return far - (-(far * UNIT_M / NEAR_M).square()).exp() + HIDDEN * hidden + HIGH_PUSH * high * moment.drift.norm(dim=-1)

    def _at(self, point: Tensor, moment: Moment) -> Tensor:
        return (point - moment.hand).norm(dim=-1) < AT_M / UNIT_M

    def towards(self, point: Tensor, moment: Moment) -> Tensor:
        """Straight to a point, (..., 3), as fast as may be: actions (..., A)."""
        way = (point - moment.hand) / self._scale
        way = way / way.abs().amax(-1, keepdim=True).clamp(min=1.0)
        fist = torch.full_like(moment.before[..., 3:], CLOSED)
        return torch.cat([way, fist], dim=-1)
