"""Model-based reinforcement learning of bringing a thing to a place (after PETS: Chua et al. 2018, and visual foresight: Finn and
Levine 2017, but of places instead of pixels). From all that was seen it is learned what actions do to the thing; at each step the
policy plans with that. The reward is how near the thing's place is to that in pictures of the goal.

Learns from: pictures of the goal.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from rewardbot.config import setting
from rewardbot.data.replay import Replay
from rewardbot.nets import parallel
from rewardbot.nets.adam import Adam
from rewardbot.nets.motion import together
from rewardbot.nets.optimisation import train
from rewardbot.nets.places import UNIT_M
from rewardbot.policies.placing_policy import PlacingPolicy
from rewardbot.policies.trail import Trail


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
        22 failed, with one that was fitted anew to the same 7: steps that grow ever smaller make it good to the millimetre.
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
