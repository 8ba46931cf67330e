"""GAIL: the reward is what tells the expert's steps from the policy's, and both learn against each other.

Ho and Ermon 2016, Generative Adversarial Imitation Learning:

    max_D  E_expert log D(s, a) + E_pi log(1 - D(s, a))        min_pi  E_pi -r(D(s, a)) - entropy

Once nothing tells them apart, D is 1/2 everywhere and the policy visits what the expert visits. The policy's density plays no part:
a reward that needs log pi is `airl`. The generator may be on-policy, as in the paper, or off-policy (Kostrikov et al. 2019).

Learns from: demonstrations.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from rewardbot.config import setting
from rewardbot.data.replay import Batch
from rewardbot.data.transitions import Transitions
from rewardbot.nets.adam import Adam
from rewardbot.rewards.comparisons import inputs
from rewardbot.rewards.discriminator import (
    AdversarialReward,
    Discriminator,
    DiscriminatorConfig,
    Head,
    balanced_bce,
    head,
)

PLAIN = DiscriminatorConfig(hidden=128, dropout=0.0, noise=0.0, smoothing=0.0, mixup=False, weight_decay=0.0)
"""New steps of the policy and a penalty on the slope regularise instead."""


@dataclass(frozen=True)
class GAILConfig:
    """Hyper-parameters."""

    sees: tuple[str, ...] = setting(("state_action",), "parts of a transition that D looks at")
    head: Head = setting("log_odds", "reward: positive -log(1 - D), negative log D, log_odds log D - log(1 - D)")
    penalty: float = setting(1.0, "weight of the penalty on D's slope", min=0.0)
    rate: float = setting(3e-4, "Adam learning rate", min=0.0)
    discriminator: DiscriminatorConfig = setting(PLAIN, "network of D")


class GAIL(AdversarialReward):
    """See the file.

    Args:
        config: see `GAILConfig`.
        expert: demonstrated transitions, which set the scale of the inputs.
        seed: of the network.

    Raises:
        ConfigError: D looks at parts that the transitions do not have.
    """

    def __init__(self, config: GAILConfig, expert: Transitions, *, seed: int = 0) -> None:
        self.config = config
        seen = inputs(expert, config.sees)
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            self.discriminator = Discriminator(config.discriminator, seen.shape[1]).to(seen.device)
        self.discriminator.set_scale(seen)
        self.optimiser = Adam(self.discriminator.parameters(), config.rate)

    def logit(self, batch: Batch | Transitions) -> Tensor:
        """log D - log(1 - D), (N,)."""
        return self.discriminator(inputs(batch, self.config.sees))

    def loss(self, expert: Transitions, visited: Transitions) -> Tensor:
        """-(E_expert log D + E_pi log(1 - D)) / 2, and the penalty on slopes."""
        loss = balanced_bce(self.logit(expert), self.logit(visited))
        if self.config.penalty:
            positives, negatives = inputs(expert, self.config.sees), inputs(visited, self.config.sees)
            loss = loss + self.config.penalty * self.discriminator.slope_penalty(positives, negatives)
        return loss

    @torch.no_grad()
    def reward(self, batch: Batch | Transitions) -> Tensor:
        """The configured head of D, (N,)."""
        return head(self.logit(batch), self.config.head)
