"""AIRL: a discriminator whose logit is a reward, a shaping and the policy's own density, so that the reward outlives the policy.

Fu, Luo and Levine 2018, Learning Robust Rewards with Adversarial Inverse Reinforcement Learning:

    f(s, a, s') = g(s) + gamma h(s') - h(s)        D = exp f / (exp f + pi(a|s))        log D - log(1 - D) = f - log pi(a|s)

At the optimum f is the expert's advantage, h its value and g, where it looks at the state alone, its reward up to a constant, which
is right under other dynamics too. The value of a terminal state is 0.

A soft learner of temperature alpha ends at pi ~ exp(f / alpha), so that beside it f / alpha stands in D: else the two never fit, and
drive each other ever further. A density has no bounds where a policy hardly moves any more, or where it no longer goes; what is
certain anyhow is not told apart further (`most_log_pi`), or steps of long ago decide what is learned.

Learns from: demonstrations.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

from rewardbot.config import setting
from rewardbot.data.transitions import Transitions
from rewardbot.nets.adam import Adam
from rewardbot.rewards.comparisons import inputs
from rewardbot.rewards.discriminator import AdversarialReward, Discriminator, DiscriminatorConfig, balanced_bce
from rewardbot.rewards.gail import PLAIN

LogPi = Callable[[Transitions], Tensor]
"""log pi(a|s) of transitions under the policy as it is now, (N,)."""


@dataclass(frozen=True)
class AIRLConfig:
    """Hyper-parameters."""

    sees: tuple[str, ...] = setting(("state",), "parts of a transition that g looks at; with the state alone it transfers")
    penalty: float = setting(1.0, "weight of the penalty on the slopes of g and h", min=0.0)
    rate: float = setting(3e-4, "Adam learning rate", min=0.0)
    most_log_pi: float = setting(6.0, "log pi counts as being between minus this and this [nat]", min=0.0)
    discriminator: DiscriminatorConfig = setting(PLAIN, "networks of g and h")


class AIRL(AdversarialReward):
    """See the file.

    Args:
        config: see `AIRLConfig`.
        expert: demonstrated transitions, which set the scale of the inputs.
        log_pi: see `LogPi`.
        discount: gamma of the shaping, which is the learner's.
        temperature: of a soft learner, which subtracts alpha log pi itself, with fresh actions: it then gets f alone; None: of one
            that does not.
        seed: of the networks.

    Raises:
        ConfigError: g looks at parts that the transitions do not have.
    """

    def __init__(
        self, config: AIRLConfig, expert: Transitions, log_pi: LogPi, *, discount: float, temperature: float | None, seed: int = 0
    ) -> None:
        self.config, self.log_pi, self.discount, self.temperature = config, log_pi, discount, temperature
        seen = inputs(expert, config.sees)
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            self.g, self.h = (Discriminator(config.discriminator, x.shape[1]).to(x.device) for x in (seen, expert.state))
        self.g.set_scale(seen)
        self.h.set_scale(expert.state)
        self.optimiser = Adam([*self.g.parameters(), *self.h.parameters()], config.rate)

    def f(self, batch: Transitions) -> Tensor:
        """g(s) + gamma h(s') - h(s), (N,)."""
        shaping = self.discount * batch.continues * self.h(batch.next_state) - self.h(batch.state)
        return self.g(inputs(batch, self.config.sees)) + shaping

    def logit(self, batch: Transitions) -> Tensor:
        """log D - log(1 - D) = f / alpha - log pi, (N,)."""
        with torch.no_grad():
            log_pi = self.log_pi(batch).clamp(-self.config.most_log_pi, self.config.most_log_pi)
        return self.f(batch) / (1.0 if self.temperature is None else self.temperature) - log_pi

    def loss(self, expert: Transitions, visited: Transitions) -> Tensor:
        """-(E_expert log D + E_pi log(1 - D)) / 2, and the penalty on slopes."""
        loss = balanced_bce(self.logit(expert), self.logit(visited))
        if self.config.penalty:
            slopes = self.g.slope_penalty(inputs(expert, self.config.sees), inputs(visited, self.config.sees))
            loss = loss + self.config.penalty * (slopes + self.h.slope_penalty(expert.state, visited.state))
        return loss

    @torch.no_grad()
    def reward(self, batch: Transitions) -> Tensor:  # pyright: ignore[reportIncompatibleMethodOverride] - state vectors only
        """log D - log(1 - D), or f alone for a soft learner, (N,)."""
        return self.logit(batch) if self.temperature is None else self.f(batch)

    @torch.no_grad()
    def transferable(self, batch: Transitions) -> Tensor:
        """g alone, (N,): what is left when the dynamics change."""
        return self.g(inputs(batch, self.config.sees))
