"""Guided cost learning: a reward network under which the expert's behaviour is likely, normalised by what the policy does meanwhile.

Finn, Levine and Abbeel 2016, Guided Cost Learning: Deep Inverse Optimal Control via Policy Optimization:

    max_r  E_demo R(tau) - log Z,    log Z ~ log mean_j exp(R(tau_j) - log q(tau_j)),    tau_j from the policy, q its density

Reward and policy alternate: the better the policy, the nearer is q to exp(R) / Z, and the better is the estimate of Z. The dynamics
are alike in p and q and cancel, so q is the product of pi(a|s).

Learns from: demonstrations.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from rewardbot.config import setting
from rewardbot.data.transitions import Transitions
from rewardbot.nets.optimisation import adam, descend
from rewardbot.rewards.airl import LogPi
from rewardbot.rewards.base import RewardModel
from rewardbot.rewards.comparisons import inputs
from rewardbot.rewards.discriminator import Discriminator, DiscriminatorConfig
from rewardbot.rewards.gail import PLAIN
from rewardbot.rewards.partition import effective_sample_size, importance_weights, log_partition


@dataclass(frozen=True)
class GCLConfig:
    """Hyper-parameters."""

    sees: tuple[str, ...] = setting(("state_action",), "parts of a transition that the reward looks at")
    length: int = setting(1, "steps of a clip that is weighted as one; the longer, the fewer samples count", min=1)
    penalty: float = setting(0.1, "weight of the penalty on the slope of the reward", min=0.0)
    rate: float = setting(1e-3, "Adam learning rate", min=0.0)
    network: DiscriminatorConfig = setting(PLAIN, "network of the reward")


class GCL(RewardModel):
    """See the file.

    Args:
        config: see `GCLConfig`.
        expert: demonstrated transitions, which set the scale of the inputs.
        log_pi: see `airl.LogPi`.
        soft: the learner subtracts log pi itself, as soft actor-critic does: it then gets r alone.
        seed: of the network.

    Raises:
        ConfigError: the reward looks at parts that the transitions do not have.
    """

    def __init__(self, config: GCLConfig, expert: Transitions, log_pi: LogPi, *, soft: bool, seed: int = 0) -> None:
        self.config, self.log_pi, self.soft = config, log_pi, soft
        seen = inputs(expert, config.sees)
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            self.network = Discriminator(config.network, seen.shape[1]).to(seen.device)
        self.network.set_scale(seen)
        self.optimiser = adam(self.network.parameters(), config.rate)

    def r(self, batch: Transitions) -> Tensor:
        """r(s, a), (N,)."""
        return self.network(inputs(batch, self.config.sees))

    def sampled(self, visited: Transitions) -> tuple[Tensor, Tensor]:
        """R and log q of each clip of `visited`, which holds clips of `length` steps one after another, (J,) each."""
        with torch.no_grad():
            log_pi = self.log_pi(visited)
        length = self.config.length
        return self.r(visited).view(-1, length).sum(-1), log_pi.view(-1, length).sum(-1)

    def loss(self, expert: Transitions, visited: Transitions) -> Tensor:
        """log Z - E_demo R. Its gradient is sum_j w_j grad R(tau_j) - E_demo grad R."""
        demonstrated = self.r(expert).view(-1, self.config.length).sum(-1)
        return log_partition(*self.sampled(visited)) - demonstrated.mean()

    def step(self, expert: Transitions, visited: Transitions) -> dict[str, Tensor]:
        """One gradient step on demonstrated and on *freshly* visited clips, equally many."""
        loss = self.loss(expert, visited)
        if self.config.penalty:
            slope = self.network.slope_penalty(inputs(expert, self.config.sees), inputs(visited, self.config.sees))
            descend(self.optimiser, loss + self.config.penalty * slope)
        else:
            descend(self.optimiser, loss)
        self.version += 1
        with torch.no_grad():
            weights = importance_weights(*self.sampled(visited))
        return {"gcl_loss": loss.detach(), "effective_samples": effective_sample_size(weights)}

    @torch.no_grad()
    def reward(self, batch: Transitions) -> Tensor:  # pyright: ignore[reportIncompatibleMethodOverride] - state vectors only
        """r - log pi(a|s), whose sum the policy is to make large, or r alone for a soft learner, (N,)."""
        r = self.r(batch)
        return r if self.soft else r - self.log_pi(batch)
