"""Model-based reinforcement learning of bringing a thing to a place (after PETS: Chua et al. 2018, and visual foresight: Finn and
Levine 2017, but of places instead of pixels). From all that was seen it is learned what actions do to the thing; at each step the
policy plans with that. The reward is how near the thing's place is to that in pictures of the goal.

Learns from: pictures of the goal.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from rewardbot.config import setting
from rewardbot.data.replay import Replay
from rewardbot.nets import parallel
from rewardbot.nets.adam import Adam
from rewardbot.nets.motion import Moment, Motion, together
from rewardbot.nets.optimisation import train
from rewardbot.nets.places import UNIT_M
from rewardbot.policies.trail import Trail
from rewardbot.policies.ways import Planner

LOST = 3
"""Steps without seeing the thing after which the hand goes back to where it began, for there it hides nothing: what pushes on what it
cannot see believes in the end that all is done.
"""


@dataclass(frozen=True)
class PlacingConfig:
    """Hyper-parameters."""

    members: int = setting(5, "models, each with other batches, whose mean and disagreement count", min=1, max=20)
    hidden: int = setting(64, "width of the two hidden layers of each", min=1)
    batch: int = setting(256, "transitions per update of each, half of which are near the thing", min=2)
    steps: int = setting(8000, "gradient steps of a fit", min=1)
    rate: float = setting(2e-3, "peak of the learning rate", min=0.0)
    every: int = setting(1800, "the learner's updates after which the model is fitted anew, to all that there is then", min=2)
    weight_decay: float = setting(1e-4, "of AdamW", min=0.0)
    aimed: int = setting(150, "first episodes: play that is aimed at the thing, after which all is learned anew", min=0)
    sure: float = setting(0.007, "spread from which on a place does not count, but where the thing should be [m]", min=0.0)
    tremor: float = setting(0.1, "standard deviation of what is added to the actions of who explores", min=0.0)


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

    def keep(self, features: Tensor, memory: Memory | None) -> Tensor:
        """What is seen now, (1, 3), but with where the thing should be if that is not sure."""
        if memory is None or features[0, 2] <= self.sure:  # type: ignore[operator]
            return features
        return torch.cat([memory.expected, features[:, 2:]], dim=1)

    def look(self, features: Tensor, proprio: Tensor, memory: Memory | None) -> Memory:
        """What is known now, before anything is done; see `act`."""
        places, hand = self.keep(features, memory), proprio[:3] / UNIT_M
        if memory is None:
            return Memory(places, hand, torch.zeros(self.actions), None, places[:, :2], hand)
        hidden = 0 if places[0, 2] <= self.sure else memory.hidden + 1  # type: ignore[operator]
        return dataclasses.replace(memory, places=places, hand=hand, expected=places[:, :2], hidden=hidden)

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


class Placing:
    """Fits the model; has what the learner asks of `RLPD`, too.

    Args:
        config: see `PlacingConfig`.
        actions: length of an action.
        low, high: corners of the workspace, (3,) [m].
        scale: of an action [m].
        device: torch device.
        seed: of the networks.
    """

    def __init__(
        self, config: PlacingConfig, actions: int, low: Sequence[float], high: Sequence[float], scale: float, *,
        device: torch.device | str = "cpu", seed: int = 0,
    ) -> None:
        self.config, self.device = config, torch.device(device)
        self.updates, self.bc_weight = 0, 0.0
        torch.manual_seed(seed)
        self.actor = PlacingPolicy(config.members, actions, config.hidden).to(self.device)
        actor, motion = self.actor, self.actor.motion
        for name, value in (("low", low), ("high", high), ("scale", scale)):
            getattr(actor, name).copy_(torch.tensor(value) / UNIT_M)
        actor.sure.fill_(math.log(config.sure / UNIT_M))  # type: ignore[operator]
        actor.tremor.fill_(config.tremor)  # type: ignore[operator]
        motion.floor.fill_(low[2] / UNIT_M)  # type: ignore[operator]

    @property
    def average(self) -> PlacingPolicy:
        """What is deployed: a model knows no better average than itself."""
        return self.actor

    @property
    def parts(self) -> dict[str, nn.Module]:
        """Of a checkpoint."""
        return {"actor": self.actor}

    @property
    def optimisers(self) -> dict[str, Adam]:
        """Of a checkpoint."""
        return {}

    def begin(self, shown: Tensor, proprio: Tensor) -> None:
        """Takes what is known before learning.

        Args:
            shown: places in pictures of the goal, (N, 3). The goal is their middle, as far as they are sure.
            proprio: of play, (M, P).
        """
        sure = shown[shown[:, 2] <= shown[:, 2].median(), :2]
        self.actor.goal.copy_(sure.median(0).values)  # type: ignore[operator]
        self.actor.motion.middle.copy_(proprio[:, :3].mean(0) / UNIT_M)  # type: ignore[operator]

    def trails(self, *replays: Replay) -> list[Trail]:
        """Of replays that it learns from."""
        return [Trail(replay, math.log(self.config.sure / UNIT_M)) for replay in replays]

    def count(self) -> bool:
        """Counts one update and says that it is one of everything."""
        self.updates += 1
        return True

    def fit(self, trails: Sequence[Trail], progress: Callable[[float], None]) -> float:
        """Trains the model from the beginning on what there is; returns its loss."""
        config, motion = self.config, self.actor.motion
        motion.begin()
        loss = train(motion, lambda: self.motion_loss(trails), steps=config.steps, rate=config.rate,
                     weight_decay=config.weight_decay, progress=progress)
        parallel.share(self.actor)
        return loss

    def learn(self, trails: Sequence[Trail]) -> dict[str, Tensor]:
        """One of the learner's updates; most do nothing. Of 40 episodes that were planned with a model which was learned on and on,
        17 failed, with one that was fitted anew to the same 7: steps that grow ever smaller make it good to the millimetre.
        """
        due = self.updates % self.config.every == 0
        return {"motion_loss": torch.tensor(self.fit(trails, lambda share: None))} if due else {}

    def motion_loss(self, trails: Sequence[Trail]) -> Tensor:
        """Of transitions of all trails, of each as many as its share of the whole is; each member draws its own."""
        sizes = [len(trail.replay) for trail in trails]
        counts = [round(self.config.batch * size / sum(sizes)) for size in sizes]
        members = self.actor.motion.members
        drawn = [trail.transitions(members, count) for trail, count in zip(trails, counts, strict=True) if count]
        now, action, after = zip(*drawn, strict=True)
        return self.actor.motion.loss(together(now), torch.cat(action, dim=1), together(after))
