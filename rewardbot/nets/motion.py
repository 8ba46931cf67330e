"""What an action does to the hand and to a thing: an ensemble of small networks that predict the next step (PETS: Chua et al. 2018,
Deep Reinforcement Learning in a Handful of Trials). All members are computed in one batched product.
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

BODY = 3 + 1 + 2 + 3 * len(FINE) + 3
"""Inputs of a network beside two actions."""

FAR = 4.0
"""No thing is further from the hand [UNIT_M]; there it does not move."""

JUMP_M = 0.03
GRIPPER, THING = 0.1, 10.0
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
    """

    hand: Tensor
    gripper: Tensor
    thing: Tensor
    velocity: Tensor
    before: Tensor

    def expand(self, *shape: int) -> Moment:
        """The same for leading dimensions of this shape."""
        return Moment(*(value.expand(*shape, value.shape[-1]) for value in vars(self).values()))


def together(moments: Sequence[Moment]) -> Moment:
    """Batches (M, N_i) of moments as one."""
    return Moment(*(torch.cat(values, dim=1) for values in zip(*(vars(moment).values() for moment in moments), strict=True)))


class Motion(nn.Module):
    """(M, N) moments and actions to the changes of hand (3), gripper (1) and thing (2), as M members see them.

    Args:
        members: M.
        actions: length A of an action.
        hidden: width of the two hidden layers.
    """

    def __init__(self, members: int, actions: int, hidden: int) -> None:
        super().__init__()
        sizes = (BODY + 2 * actions, hidden, hidden, 6)
        scales = (1.0, 1.0, 0.1)  # at first nearly nothing moves
        self.weights = nn.ParameterList(scale * math.sqrt(2.0 / rows) * torch.randn(members, rows, columns)
                                        for (rows, columns), scale in zip(itertools.pairwise(sizes), scales, strict=True))
        self.biases = nn.ParameterList(torch.zeros(members, 1, columns) for columns in sizes[1:])
        self.register_buffer("middle", torch.zeros(3))
        self.register_buffer("floor", torch.zeros(()))

    @property
    def members(self) -> int:
        """M."""
        return len(self.weights[0])

    def forward(self, now: Moment, action: Tensor) -> Tensor:
        """(M, N, 6) [UNIT_M per step] for actions (M, N, A)."""
        apart = now.thing - now.hand[..., :2]
        fine = torch.cat([now.hand[..., 2:] - self.floor, apart], dim=-1)  # type: ignore[operator]
        x = torch.cat([0.3 * (now.hand - self.middle), now.gripper, 0.5 * apart.clamp(-FAR, FAR),  # type: ignore[operator]
                       *(torch.tanh(k * fine) for k in FINE), 2.0 * now.velocity, now.before, action], dim=-1)
        for layer, (weight, bias) in enumerate(zip(self.weights, self.biases, strict=True)):
            x = torch.baddbmm(bias, x, weight)
            x = functional.silu(x) if layer < len(self.weights) - 1 else x
        return x

    def after(self, now: Moment, action: Tensor) -> Moment:
        """The next moment."""
        change = self(now, action)
        hand = now.hand + change[..., :3]
        return Moment(hand, now.gripper + change[..., 3:4], now.thing + change[..., 4:], change[..., :3], action)

    def loss(self, now: Moment, action: Tensor, after: Moment, seen: Tensor) -> Tensor:
        """Squared error of the hand's motion, and of the thing's where it was seen before and after, (M, N); what jumps far pulls no
        harder for it.
        """
        found = self(now, action)
        hand = (found[..., :3] - (after.hand - now.hand)).square().sum(-1)
        gripper = (found[..., 3:4] - (after.gripper - now.gripper)).square().sum(-1)
        thing = functional.smooth_l1_loss(found[..., 4:], after.thing - now.thing, reduction="none", beta=JUMP_M / UNIT_M).sum(-1)
        return (hand + GRIPPER * gripper + THING * seen * thing).mean(1).sum()


def actions_of(inputs: int) -> int:
    """Length of an action of a `Motion` whose networks have so many inputs."""
    return (inputs - BODY) // 2
