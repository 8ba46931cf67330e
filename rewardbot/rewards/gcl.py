"""Guided cost learning: a reward network under which the expert's behaviour is likely, normalised by what the policy does meanwhile.

Finn, Levine and Abbeel 2016, Guided Cost Learning: Deep Inverse Optimal Control via Policy Optimization:

    max_r  E_demo R(tau) - log Z,    log Z ~ log mean_j exp(R(tau_j) - log q(tau_j)),    tau_j from the policy, q its density

Reward and policy alternate: the better the policy, the nearer is q to exp(R) / Z, and the better is the estimate of Z. The dynamics
are alike in p and q and cancel, so q is the product of pi(a|s).

What the policy hardly ever does has all the weight in that mean, 1 / q. So the demonstrations are samples too, as in the paper, and q
is the density of the mixture, half of which is exp(R) / Z itself (Finn et al. 2016, A Connection between GANs, Inverse RL and
Energy-Based Models). No weight is above twice the mean then.

Learns from: demonstrations.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor

from rewardbot.config import setting
from rewardbot.data.transitions import Transitions
from rewardbot.nets.adam import Adam
from rewardbot.nets.optimisation import descend
from rewardbot.rewards.airl import LogPi
from rewardbot.rewards.base import RewardModel
from rewardbot.rewards.comparisons import inputs
from rewardbot.rewards.discriminator import Discriminator, DiscriminatorConfig
from rewardbot.rewards.gail import PLAIN
from rewardbot.rewards.partition import effective_sample_size, importance_weights, log_partition, log_partition_between


@dataclass(frozen=True)
class GCLConfig:
    """Hyper-parameters."""

    sees: tuple[str, ...] = setting(("state_action",), "parts of a transition that the reward looks at")
    length: int = setting(1, "steps of a clip that is weighted as one; the longer, the fewer samples count", min=1)
    fused: bool = setting(True, "the demonstrations are samples for Z too; else the policy's alone")
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
        self.optimiser = Adam(self.network.parameters(), config.rate)

    def r(self, batch: Transitions) -> Tensor:
        """r(s, a), (N,)."""
        return self.network(inputs(batch, self.config.sees))

    def sampled(self, expert: Transitions, visited: Transitions) -> tuple[Tensor, Tensor]:
        """R and log q of each sample for Z, (J,) each. Both hold clips of `length` steps one after another.

        With `fused` these are the clips of both, as many of each, and q is the mixture's density.
        """
        samples = visited
        if self.config.fused:
            samples = Transitions(torch.cat([expert.rows, visited.rows]), visited.states, visited.actions)
        with torch.no_grad():
            log_q = self._clips(self.log_pi(samples))
        returns = self._clips(self.r(samples))
        if self.config.fused:
            of_expert = returns.detach() - log_partition_between(returns.detach(), log_q)
            log_q = torch.logaddexp(of_expert, log_q) - math.log(2.0)
        return returns, log_q

    def loss(self, expert: Transitions, visited: Transitions) -> Tensor:
        """log Z - E_demo R. Its gradient is sum_j w_j grad R(tau_j) - E_demo grad R."""
        return log_partition(*self.sampled(expert, visited)) - self._clips(self.r(expert)).mean()

    def _clips(self, of_steps: Tensor) -> Tensor:
        return of_steps.view(-1, self.config.length).sum(-1)

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
            weights = importance_weights(*self.sampled(expert, visited))
        return {"gcl_loss": loss.detach(), "effective_samples": effective_sample_size(weights)}

    @torch.no_grad()
    def reward(self, batch: Transitions) -> Tensor:  # pyright: ignore[reportIncompatibleMethodOverride] - state vectors only
        """r - log pi(a|s), whose sum the policy is to make large, or r alone for a soft learner, (N,)."""
        r = self.r(batch)
        return r if self.soft else r - self.log_pi(batch)
