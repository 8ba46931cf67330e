"""What an action does to the hand and to a thing, and whether the thing is seen then: an ensemble of small networks that predict
the next step (PETS: Chua et al. 2018, Deep Reinforcement Learning in a Handful of Trials). All members are computed in one batched
product.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional

from rewardbot.nets.places import UNIT_M

FINE = (1.5, 5.0)
"""Where hand and thing nearly touch, millimetres matter: distances are also seen through tanh(k d), which tells small ones apart."""

BODY = 3 + 1 + 2 + 3 * len(FINE) + 3 + 2
"""Inputs of a network beside two actions."""

FAR = 4.0
"""No thing is further from the hand [UNIT_M]."""

NEAR_M, LOW_M, STILL_M = 0.13, 0.08, 0.007
"""How far from the thing, and how high above the floor, the hand is near it. From further away nothing moves it, and what is
predicted to move by less than this in a step stands still: a network has learned the noise of what was seen, too, and a plan would
find where the thing seems to creep to its goal by itself.
"""

JUMP_M = 0.03
GRIPPER, THING, SEEN = 0.1, 10.0, 0.1
"""From where on an error of the thing's motion counts linearly; weights of the errors: what counts is where the thing goes."""


@dataclass
class Moment:
    """What decides about the next step; leading dimensions are those of the members and of a batch.

    Attributes:
        hand: (..., 3) [UNIT_M, base frame].
        gripper: (..., 1) in [0, 1].
        thing: (..., 2) [UNIT_M, base frame].
        velocity: of the hand in the step before, (..., 3) [UNIT_M per step].
        before: the action before, (..., A).
        drift: of the thing in the step before, (..., 2) [UNIT_M per step].
        seen: how likely it is that the thing is surely seen, (..., 1); 0 or 1 of what was.
    """

    hand: Tensor
    gripper: Tensor
    thing: Tensor
    velocity: Tensor
    before: Tensor
    drift: Tensor
    seen: Tensor

    def expand(self, *shape: int) -> Moment:
        """The same for leading dimensions of this shape."""
        return Moment(*(value.expand(*shape, value.shape[-1]) for value in vars(self).values()))


def together(moments: Sequence[Moment]) -> Moment:
    """Batches (M, N_i) of moments as one."""
    return Moment(*(torch.cat(values, dim=1) for values in zip(*(vars(moment).values() for moment in moments), strict=True)))


class Motion(nn.Module):
    """(M, N) moments and actions to the changes of hand (3), gripper (1) and thing (2), and to the logit of its being seen then (1),
    as M members see them.

    Args:
        members: M.
        actions: length A of an action.
        hidden: width of the two hidden layers.
    """

    def __init__(self, members: int, actions: int, hidden: int) -> None:
        super().__init__()
        sizes = (BODY + 2 * actions, hidden, hidden, 7)
        self.weights = nn.ParameterList(torch.zeros(members, rows, columns) for rows, columns in itertools.pairwise(sizes))
        self.biases = nn.ParameterList(torch.zeros(members, 1, columns) for columns in sizes[1:])
        self.begin()
        self.register_buffer("middle", torch.zeros(3))
        self.register_buffer("floor", torch.zeros(()))

    @torch.no_grad()
    def begin(self) -> None:
        """Forgets all that was learned. At first nearly nothing moves."""
        for weight, bias, scale in zip(self.weights, self.biases, (1.0, 1.0, 0.1), strict=True):
            weight.normal_(std=scale * math.sqrt(2.0 / weight.shape[1]))
            bias.zero_()

    @property
    def members(self) -> int:
        """M."""
        return len(self.weights[0])

    def forward(self, now: Moment, action: Tensor) -> Tensor:
        """(M, N, 7) [UNIT_M per step] for actions (M, N, A)."""
        apart = now.thing - now.hand[..., :2]
        fine = torch.cat([now.hand[..., 2:] - self.floor, apart], dim=-1)  # type: ignore[operator]
        x = torch.cat([0.3 * (now.hand - self.middle), now.gripper, 0.5 * apart.clamp(-FAR, FAR),  # type: ignore[operator]
                       *(torch.tanh(k * fine) for k in FINE), 2.0 * now.velocity, 3.0 * now.drift, now.before, action], dim=-1)
        for layer, (weight, bias) in enumerate(zip(self.weights, self.biases, strict=True)):
            x = torch.baddbmm(bias, x, weight)
            x = functional.silu(x) if layer < len(self.weights) - 1 else x
        return x

    def after(self, now: Moment, action: Tensor) -> Moment:
        """The next moment."""
        velocity, gripper, drift, seen = self(now, action).split((3, 1, 2, 1), dim=-1)
        hand = now.hand + velocity
        near = self._near(now.hand, now.thing) | self._near(hand, now.thing)
        drift = drift * (near & (drift.norm(dim=-1, keepdim=True) > STILL_M / UNIT_M))
        return Moment(hand, now.gripper + gripper, now.thing + drift, velocity, action, drift, seen.sigmoid())

    def _near(self, hand: Tensor, thing: Tensor) -> Tensor:
        """Whether the hand can move the thing, bool (..., 1)."""
        aside = (thing - hand[..., :2]).norm(dim=-1, keepdim=True) < NEAR_M / UNIT_M
        return aside & (hand[..., 2:] - self.floor < LOW_M / UNIT_M)  # type: ignore[operator]

    def loss(self, now: Moment, action: Tensor, after: Moment) -> Tensor:
        """Squared error of the hand's motion, and of the thing's where it was seen before and after, what jumps far pulling no harder
        for it; and how unlikely it was, where it was seen before, that it would be seen or not.
        """
        found = self(now, action)
        hand = (found[..., :3] - (after.hand - now.hand)).square().sum(-1)
        gripper = (found[..., 3:4] - (after.gripper - now.gripper)).square().sum(-1)
        thing = functional.smooth_l1_loss(found[..., 4:6], after.thing - now.thing, reduction="none", beta=JUMP_M / UNIT_M).sum(-1)
        before, then = now.seen[..., 0], after.seen[..., 0]
        seen = functional.binary_cross_entropy_with_logits(found[..., 6], then, reduction="none")
        return (hand + GRIPPER * gripper + before * (then * THING * thing + SEEN * seen)).mean(1).sum()


def actions_of(inputs: int) -> int:
    """Length of an action of a `Motion` whose networks have so many inputs."""
    return (inputs - BODY) // 2
