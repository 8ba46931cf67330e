"""Reinforcement learning of bringing a thing to a place: soft actor-critic on a few numbers, with goals in hindsight (HER:
Andrychowicz et al. 2017). The features are a place and how sure it is, see `nets/places.py`; the reward is how near the place is to
that in pictures of the goal, at worst, that is, if it lies a few spreads further away: a policy soon finds out what hides a thing.

Learns from: pictures of the goal.
"""

from __future__ import annotations

import copy
import math
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from rewardbot.config import setting
from rewardbot.data.replay import Replay
from rewardbot.data.trail import Trail
from rewardbot.data.transitions import Transitions
from rewardbot.nets.adam import Adam
from rewardbot.nets.optimisation import follow
from rewardbot.nets.places import UNIT_M
from rewardbot.policies.sac import SAC, SACConfig, StateActor

STATES = 9
"""Hand (3), gripper, thing from hand (2), goal from thing (2), and how sure the thing's place is."""

NEARBY_M = 0.01
"""About how far a goal in hindsight lies beside where the thing was [m]."""

FAR = 5.0
"""No difference of places counts as larger; what is not seen may seem to be anywhere [UNIT_M]."""


@dataclass(frozen=True)
class PlacingConfig:
    """Hyper-parameters."""

    sac: SACConfig = setting(SACConfig(hidden=128, norm=True, rate=5e-4, discount=0.95, target_step=0.01, first_temperature=0.1),
                             "of soft actor-critic")
    aimed: int = setting(100, "first episodes: play that is aimed at the thing, after which all is learned anew", min=0)
    updates: int = setting(2, "updates of soft actor-critic for each of the learner's", min=1)
    hindsight: float = setting(0.5, "share of a batch whose goal is a place where the thing was later", min=0.0, max=1.0)
    near: float = setting(0.05, "how far from the goal a step is worth more, as exp(-(d / near)^2) [m]", min=1e-3)
    sure: float = setting(0.007, "spread from which on a place does not count, but the last one that does [m]", min=0.0)
    doubt: float = setting(5.0, "how many spreads a place may be further away than it seems", min=0.0)
    most_doubt: float = setting(0.05, "how far away that may be at most [m]", min=0.0)
    average_step: float = setting(0.005, "step of the averaged policy, which is deployed", min=0.0, max=1.0)


class PlacingPolicy(StateActor):
    """In place of a `SquashedGaussianPolicy` where a robot acts: it takes what a `PlaceEncoder` sees, and proprioception. The goal
    and the like are saved with the weights.

    Args:
        actions: length of an action.
        hidden: width of its two hidden layers.
    """

    def __init__(self, actions: int, hidden: int) -> None:
        super().__init__(STATES, actions, hidden)
        self.register_buffer("middle", torch.zeros(3))
        self.register_buffer("sure", torch.zeros(()))
        self.register_buffer("goal", torch.zeros(2))

    def state(self, features: Tensor, proprio: Tensor, goal: Tensor | None = None) -> Tensor:
        """Places (N, 3) and proprioception (N, 4) to (N, STATES); for other goals (N, 2) [UNIT_M] than its own, if given."""
        place, hand = features[:, :2], proprio[:, :3] / UNIT_M
        left = (self.goal if goal is None else goal) - place  # type: ignore[operator]
        return torch.cat([hand - self.middle, proprio[:, 3:], (place - hand[:, :2]).clamp(-FAR, FAR),  # type: ignore[operator]
                          left.clamp(-FAR, FAR), features[:, 2:]], dim=1)

    def keep(self, features: Tensor, before: Tensor | None) -> Tensor:
        """What is seen now, (1, 3), but where the thing was `before`, (1, 3), if that is not sure now."""
        if before is None or features[0, 2] <= self.sure:  # type: ignore[operator]
            return features
        return torch.cat([before[:, :2], features[:, 2:]], dim=1)

    def forward(self, state: Tensor, proprio: Tensor | None = None) -> tuple[Tensor, Tensor]:
        """Mean and log standard deviation before the tanh, each (N, A), in states (N, STATES), or for features (N, 3) and
        proprioception (N, 4).
        """
        return super().forward(state if proprio is None else self.state(state, proprio))


class Placing(SAC):
    """Soft actor-critic with goals in hindsight; the parts that a checkpoint keeps are named as those of `RLPD`.

    Args:
        config: see `PlacingConfig`.
        actions: length of an action.
        device: torch device.
        seed: of the networks.
    """

    def __init__(self, config: PlacingConfig, actions: int, *, device: torch.device | str = "cpu", seed: int = 0) -> None:
        super().__init__(config.sac, STATES, actions, device=device, seed=seed)
        self.placing, self.updates, self.bc_weight = config, 0, 0.0
        self.actor: PlacingPolicy = PlacingPolicy(actions, config.sac.hidden).to(self.device)
        self.actor.sure.fill_(math.log(config.sure / UNIT_M))  # type: ignore[operator]
        self.actor_optimiser = Adam([*self.actor.parameters(), self.log_temperature], config.sac.rate)
        self.average = copy.deepcopy(self.actor).requires_grad_(False)

    @property
    def temperature_optimiser(self) -> Adam:
        """That of the actor, which moves the temperature, too."""
        return self.actor_optimiser

    def begin(self, shown: Tensor, proprio: Tensor) -> None:
        """Takes what is known before learning.

        Args:
            shown: places in pictures of the goal, (N, 3). The goal is their middle, as far as they are sure.
            proprio: of play, (M, P).
        """
        sure = shown[shown[:, 2] <= shown[:, 2].median(), :2]
        self.actor.goal.copy_(sure.median(0).values)  # type: ignore[operator]
        self.actor.middle.copy_(proprio[:, :3].mean(0) / UNIT_M)  # type: ignore[operator]
        self.average.load_state_dict(self.actor.state_dict())

    def trail(self, replay: Replay) -> Trail:
        """Of a replay that it learns from."""
        return Trail(replay, math.log(self.placing.sure / UNIT_M))

    def count(self) -> bool:
        """Counts one update and says that it is one of everything."""
        self.updates += 1
        return True

    def learn(self, trails: Sequence[Trail]) -> dict[str, Tensor]:
        """One of the learner's updates."""
        metrics: dict[str, Tensor] = {}
        for _ in range(self.placing.updates):
            metrics = self.update(self.batch(trails))
        follow(self.average, self.actor, self.placing.average_step)
        return metrics

    def batch(self, trails: Sequence[Trail]) -> Transitions:
        """Transitions of all trails, of each as many as its share of the whole is."""
        sizes = [len(trail.replay) for trail in trails]
        first = round(self.config.batch * sizes[0] / max(1, sum(sizes)))
        counts = [first, self.config.batch - first] if len(sizes) > 1 else [self.config.batch]
        drawn = [self._of(trail, count) for trail, count in zip(trails, counts, strict=True) if count]
        rows = torch.cat(drawn)
        return Transitions(rows, STATES, rows.shape[1] - 2 * STATES - 2)

    def _of(self, trail: Trail, count: int) -> Tensor:
        """Rows of `Transitions`, from one trail."""
        config = self.placing
        trail.follow()
        batch = trail.replay.sample(count)
        now, after = batch.rows, batch.rows + 1
        goal = self._goals(trail, now, round(config.hindsight * count))
        far = (goal - trail.places[after]).norm(dim=1).clamp(max=FAR)
        doubt = (config.doubt * trail.kept[after, 2].exp()).clamp(max=config.most_doubt / UNIT_M)
        reward = (-(far * UNIT_M / config.near).square()).exp() - far - doubt
        state = self.actor.state(trail.kept[now], batch.proprio, goal)
        then = self.actor.state(trail.kept[after], batch.next_proprio, goal)
        return torch.cat([state, batch.actions, reward[:, None], batch.continues[:, None], then], dim=1)

    def _goals(self, trail: Trail, rows: Tensor, hindsight: int) -> Tensor:
        """A goal for each row, (N, 2): for the first `hindsight` of them about where the thing was later in the episode."""
        some, generator = rows[:hindsight], trail.replay.generator
        share = torch.rand(len(some), generator=generator, device=rows.device)
        later = some + 1 + (share * (trail.ends[some] - some)).long()
        beside = torch.randn(len(some), 2, generator=generator, device=rows.device)
        goal = self.actor.goal.expand(len(rows), 2).clone()  # type: ignore[operator]
        goal[:hindsight] = trail.places[later] + NEARBY_M / UNIT_M * beside
        return goal
