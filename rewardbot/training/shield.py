"""A shield in front of a policy of state vectors: a cost that was learned from unsafe intervals, a critic of how much of it lies
ahead, and which actions that lets through.

    c(s')   = mean + doubt x spread of P_m(unsafe | s')         an ensemble: its members differ where they were told nothing
    Q(s, a) = c(s') + gamma min_a' Q(s', a')                    unsafe steps that are to come, if from then on the safest is done

What was asked, if Q <= limit; else of some actions around it, and its opposite, the nearest with Q <= limit; else hold: the action in
the middle of its bounds, which for the arm is no motion. Where nothing is within the limit, the place itself is unsafe, or it is too
late to stay out of one. What is clearly safer than to hold is then the way out, and is done; where nothing is, it holds.

People mark places, and hardly any action is the one that leads there: what moves cannot stop at once. Where it can still be stopped,
and how, the critic learns by fitted iteration from all steps that were made, those too that nobody has looked at; each sweep looks
one step further ahead.

The cost is no reward model and is added into none: a reward that outweighs it would buy the accident. The limits of the arm itself
stand behind all this, see `robots/safety.py`, and nothing that is learned touches them. That a person's interventions are learned by
a blocker, which then stands in for them, is from Saunders, Sastry, Stuhlmueller and Evans 2018, Trial without Error; a critic of the
unsafe steps that are to come from Srinivasan et al. 2020, Learning to be Safe; that the safest is done where the task's action is
refused from Thananjeyan et al. 2021, Recovery RL.

Learns from: unsafe intervals.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from rewardbot.config import from_mapping, setting, to_mapping
from rewardbot.nets.heads import mlp
from rewardbot.nets.weights import from_bytes, load_into, named, reading, to_bytes
from rewardbot.rewards.discriminator import Discriminator, DiscriminatorConfig

KIND = "shield that looks ahead"
# Smooth: a few clips of the same people and places are easily learned by heart.
NETWORK = DiscriminatorConfig(hidden=64, dropout=0.0, noise=0.1, smoothing=0.0, mixup=False, weight_decay=1.0)

CLEARLY = 0.1
"""How many unsafe steps less the way out must come to than holding."""


@dataclass(frozen=True)
class ShieldConfig:
    """Hyper-parameters."""

    network: DiscriminatorConfig = setting(NETWORK, "of each member of the cost")
    members: int = setting(3, "of the cost, each of which learns from a sample of the marks of its own", min=1)
    doubt: float = setting(1.0, "by how many spreads of its members the cost is above their mean", min=0.0)
    lead: int = setting(0, "steps before an interval that count as unsafe, too, where people mark late", min=0)
    steps: int = setting(200, "gradient steps of each fit: of a member, and of the critic in each sweep", min=1)
    hidden: int = setting(64, "width of the two hidden layers of the critic", min=1)
    ahead: int = setting(6, "steps that the critic looks ahead", min=1)
    discount: float = setting(0.9, "discount of the critic, per step", min=0.0, max=1.0)
    limit: float = setting(0.5, "most unsafe steps to come, discounted, that an action may have", min=0.0)
    around: int = setting(64, "actions that are tried instead of one that is refused", min=0)
    tried: int = setting(16, "actions among which the critic finds the safest", min=1)


class Critic(nn.Module):
    """Q of standardised states and actions, (N, S + A) -> (N,)."""

    def __init__(self, inputs: int, hidden: int) -> None:
        super().__init__()
        self.register_buffer("mean", torch.zeros(inputs))
        self.register_buffer("std", torch.ones(inputs))
        self.body = mlp(inputs, hidden, 1)

    def set_scale(self, state_action: Tensor) -> None:
        """Standardises with the mean and spread of `state_action` (N, S + A)."""
        self.mean.copy_(state_action.mean(0))  # type: ignore[operator]
        self.std.copy_(state_action.std(0) + 1e-3)  # type: ignore[operator]

    def forward(self, state_action: Tensor) -> Tensor:
        """See the class."""
        return self.body((state_action - self.mean) / self.std).squeeze(-1)  # type: ignore[operator]


class Shield:
    """See the module.

    Args:
        config: see `ShieldConfig`.
        states, actions: lengths S and A.

    Attributes:
        members: logits of P_m(unsafe | s').
        critic: Q.
    """

    def __init__(self, config: ShieldConfig, states: int, actions: int) -> None:
        self.config, self.states, self.actions = config, states, actions
        self.members = nn.ModuleList(Discriminator(config.network, states) for _ in range(config.members))
        self.critic = Critic(states + actions, config.hidden)
        # The same at all times, so that the world behind the shield is always the same world; the nearest first.
        draw = np.random.default_rng(0)
        spread = draw.uniform(-1.0, 1.0, (config.around, actions)) * 2.0
        self._around = (spread * np.linspace(0.0, 1.0, config.around + 1)[1:, None]).astype(np.float32)
        self._tried = torch.from_numpy(draw.uniform(-1.0, 1.0, (config.tried, actions)).astype(np.float32))

    @torch.no_grad()
    def believed(self, states: Tensor) -> tuple[Tensor, Tensor]:
        """P(unsafe) of steps that led to states (N, S): mean and spread of the members, each (N,)."""
        found = torch.stack([torch.sigmoid(member(states)) for member in self.members])
        return found.mean(0), found.std(0, correction=0)

    def cost(self, states: Tensor) -> Tensor:
        """c of steps that led to states (N, S), (N,)."""
        mean, spread = self.believed(states)
        return (mean + self.config.doubt * spread).clamp(max=1.0)

    @torch.no_grad()
    def risk(self, state_action: Tensor) -> Tensor:
        """Q(s, a), which is never below 0, (N, S + A) -> (N,)."""
        return self.critic(state_action).clamp(min=0.0)

    def least_risk(self, states: Tensor) -> Tensor:
        """min_a Q(s, a), (N, S) -> (N,)."""
        count, tried = len(states), len(self._tried)
        both = torch.cat([states.repeat_interleave(tried, dim=0), self._tried.repeat(count, 1)], dim=1)
        return self.risk(both).view(count, tried).amin(1)

    def filter(self, state: NDArray[np.floating], asked: NDArray[np.floating]) -> NDArray[np.float32]:
        """What may be done in a state (S,) instead of an action, float32 (A,) in [-1, 1].

        A state or an action with NaN is answered with holding.
        """
        asked = np.asarray(asked, np.float32)
        if self._risks(state, asked[None])[0] <= self.config.limit:
            return asked
        hold = np.zeros_like(asked)
        others = np.concatenate([np.clip(asked + self._around, -1.0, 1.0), -asked[None], hold[None]])
        risks = self._risks(state, others)
        if len(safe := np.flatnonzero(risks <= self.config.limit)):
            return others[safe[0]]
        least = int(risks.argmin())
        return others[least] if risks[-1] - risks[least] > CLEARLY else hold

    def to_bytes(self) -> bytes:
        """For `read`."""
        tensors = {**named("members", self.members), **named("critic", self.critic)}
        return to_bytes(tensors, kind=KIND, description={
            "states": self.states, "actions": self.actions, "config": to_mapping(self.config)})

    @staticmethod
    def read(data: bytes) -> Shield:
        """What `to_bytes` gave.

        Raises:
            DataError: other or damaged bytes.
            ConfigError: settings that this version does not know.
        """
        tensors, description = from_bytes(data, kind=KIND)
        with reading(KIND):
            config = from_mapping(ShieldConfig, description["config"])
            shield = Shield(config, int(description["states"]), int(description["actions"]))
        load_into(shield.members, tensors, "members")
        load_into(shield.critic, tensors, "critic")
        return shield

    def _risks(self, state: NDArray[np.floating], actions: NDArray[np.float32]) -> NDArray[np.float32]:
        states = np.repeat(np.asarray(state, np.float32)[None], len(actions), axis=0)
        return self.risk(torch.from_numpy(np.concatenate([states, actions], axis=1))).numpy()
