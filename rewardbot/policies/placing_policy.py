"""Who brings a thing to a place: looks, reckons where what is hidden should be, and plans with the model that `placing.py` fits."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from rewardbot.nets.motion import Moment, Motion
from rewardbot.nets.places import UNIT_M
from rewardbot.policies.ways import Planner

LOST = 3
"""Steps without seeing the thing after which the hand goes back to where it began, for there it hides nothing: what pushes on what it
cannot see believes in the end that all is done.
"""


@dataclass
class Memory:
    """What a policy knows of its episode.

    Attributes:
        places: the thing's, as it is surely seen or should be, and the logarithm of its spread now, (1, 3) [UNIT_M].
        hand: where the hand was, (3,) [UNIT_M].
        action: the last, (A,).
        plans: the best ones then, if any.
        expected: where the thing should be a step later, as far as there is a model, (1, 2) [UNIT_M].
        began: where the hand was at first, (3,) [UNIT_M].
        hidden: for how many steps the thing has not surely been seen.
    """

    places: Tensor
    hand: Tensor
    action: Tensor
    plans: Tensor | None
    expected: Tensor
    began: Tensor
    hidden: int = 0


class PlacingPolicy(nn.Module):
    """In place of a `SquashedGaussianPolicy` where a robot acts: it takes what a `PlaceEncoder` sees, and proprioception, and plans.
    The goal and the like are saved with the weights.

    Args:
        members, actions, hidden: see `Motion`.
    """

    def __init__(self, members: int, actions: int, hidden: int) -> None:
        super().__init__()
        self.motion, self.actions = Motion(members, actions, hidden), actions
        for name, size in (("sure", ()), ("tremor", ()), ("goal", (2,)), ("low", (3,)), ("high", (3,)), ("scale", ())):
            self.register_buffer(name, torch.zeros(size))

    def look(self, features: Tensor, proprio: Tensor, memory: Memory | None) -> Memory:
        """What is known now, before anything is done; see `act`. What is not surely seen is where it should be."""
        hand = proprio[:3] / UNIT_M
        if memory is None:
            return Memory(features, hand, torch.zeros(self.actions), None, features[:, :2], hand)
        if features[0, 2] <= self.sure:  # type: ignore[operator]
            return dataclasses.replace(memory, places=features, hand=hand, expected=features[:, :2], hidden=0)
        places = torch.cat([memory.expected, features[:, 2:]], dim=1)
        return dataclasses.replace(memory, places=places, hand=hand, hidden=memory.hidden + 1)

    @torch.no_grad()
    def act(
        self, features: Tensor, proprio: Tensor, memory: Memory | None, generator: torch.Generator, *, explore: bool = False
    ) -> tuple[NDArray[np.float32], Memory]:
        """The next action (A,), and what to remember.

        Args:
            features: a place, (1, 3).
            proprio: (P,).
            memory: of the step before; None: there was none.
            generator: of plans, and of the tremor of who explores.
        """
        seen = self.look(features, proprio, memory)
        before = memory or seen
        now = Moment(seen.hand, proprio[3:4], seen.places[0, :2], seen.hand - before.hand, seen.action,
                     seen.places[0, :2] - before.places[0, :2], (seen.places[0, 2:] <= self.sure).float())  # type: ignore[operator]
        planner = Planner(self.motion, self.low, self.high, self.scale)  # type: ignore[arg-type]
        if seen.hidden > LOST:
            action, plans = planner.withdraw(now, seen.began), None
        else:
            action, plans = planner.plan(now, self.goal, seen.plans, seen.began, generator)  # type: ignore[arg-type]
        if explore:
            action = (action + self.tremor * torch.randn(self.actions, generator=generator)).clamp(-1.0, 1.0)  # type: ignore[operator]
        members = self.motion.members
        after = self.motion.after(now.expand(members, 1), action.expand(members, 1, self.actions))
        return action.numpy(), dataclasses.replace(seen, action=action, plans=plans, expected=after.thing.mean(0))
