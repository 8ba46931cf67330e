"""Reward from preferences: an ensemble of networks whose returns explain the operator's rankings and ratings.

Christiano et al. 2017, Deep Reinforcement Learning from Human Preferences; rankings of k: see `plackett_luce.py`. The other rewards
from rankings are this trainer with other data or one more term of the loss: `pebble`, `surf`, `mrn`, `t_rex`, `d_rex`.

Learns from: rankings and ratings.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, Literal

import torch
from torch import Tensor, nn

from rewardbot.config import setting, to_mapping
from rewardbot.data.replay import Batch
from rewardbot.data.transitions import Transitions
from rewardbot.feedback.feedback import Ranking, Rating
from rewardbot.nets.heads import EnsembleLinear
from rewardbot.nets.optimisation import train
from rewardbot.nets.weights import named, to_bytes
from rewardbot.rewards.base import Context, RewardModel
from rewardbot.rewards.comparisons import Clips, Comparisons, compare, inputs
from rewardbot.rewards.plackett_luce import Returns, accuracy, log_likelihood, returns
from rewardbot.types import Metrics

AT_ONCE = 8192
"""Steps that are judged in one pass."""


@dataclass(frozen=True)
class PreferenceConfig:
    """Hyper-parameters of the trainer."""

    sees: tuple[str, ...] = setting(("features", "proprio", "actions"), "parts of a transition that the reward looks at")
    members: int = setting(3, "networks in the ensemble", min=1, max=100)
    layers: int = setting(2, "hidden layers; 0: the reward is linear", min=0, max=8)
    hidden: int = setting(64, "width of the hidden layers", min=1)
    clip: float = setting(10.0, "inputs further from the labelled ones' mean, in their spreads, count as this far: no reward grows "
                                "on where nobody looked", min=0.1)
    bounded: bool = setting(False, "each reward is the tanh of the network's output, in [-1, 1]")
    returns: Returns = setting("sum", "a clip's goodness: sum of its rewards, or their mean, which is blind to its length")
    rankings: Literal["whole", "pairs"] = setting("whole", "rankings of three or more by Plackett and Luce, or as all their pairs")
    normalise: bool = setting(True, "give the rewards of the labelled steps a spread of 1, see `RewardEnsemble.set_scale`")
    steps: int = setting(400, "gradient steps of each fit", min=1)
    batch: int = setting(32, "answers per step and member", min=1)
    bootstrap: bool = setting(False, "each member learns from answers drawn with replacement")
    rate: float = setting(3e-3, "peak of the one-cycle schedule", min=0.0)
    weight_decay: float = setting(1e-3, "AdamW weight decay", min=0.0)


class RewardEnsemble(nn.Module):
    """r_m(x), M networks in one batched product, on inputs standardised with those of the labelled steps.

    Args:
        config: see `PreferenceConfig`.
        size: length D of an input.
    """

    def __init__(self, config: PreferenceConfig, size: int) -> None:
        super().__init__()
        self.config = config
        widths = [size, *[config.hidden] * config.layers, 1]
        self.layers = nn.ModuleList(EnsembleLinear(config.members, *pair) for pair in itertools.pairwise(widths))
        self.register_buffer("mean", torch.zeros(size))
        self.register_buffer("std", torch.ones(size))
        self.register_buffer("offset", torch.zeros(config.members, 1))
        self.register_buffer("scale", torch.ones(config.members, 1))

    def set_inputs(self, x: Tensor) -> None:
        """Standardises with the mean and spread of `x` (N, D)."""
        self.mean.copy_(x.mean(0))  # type: ignore[operator]
        self.std.copy_(x.std(0, correction=0) + 1e-3)  # type: ignore[operator]

    def standardised(self, x: Tensor) -> Tensor:
        """Inputs (..., D) in spreads from the labelled ones' mean, at most `clip`."""
        return ((x - self.mean) / self.std).clamp(-self.config.clip, self.config.clip)  # type: ignore[operator]

    def hidden(self, x: Tensor) -> Tensor:
        """What the last layer reads, (N, D) for all members or (M, N, D) -> (M, N, hidden)."""
        x = self.standardised(x)
        x = x.expand(self.config.members, *x.shape[-2:])
        for layer in list(self.layers)[:-1]:
            x = torch.relu(layer(x))
        return x

    def forward(self, x: Tensor) -> Tensor:
        """Rewards as they were learned, in units of log-odds, (N, D) for all members or (M, N, D) -> (M, N)."""
        reward = self.layers[-1](self.hidden(x)).squeeze(-1)
        return torch.tanh(reward) if self.config.bounded else reward

    @torch.no_grad()
    def set_scale(self, clips: Clips) -> None:
        """Gives each member's rewards of the labelled steps a spread of 1, so that a policy finds them alike after every fit.

        Their mean becomes 0 where no answer could say what it is: with clips of one length, or whose mean counts. With sums over
        clips of different lengths the answers do say what one more step is worth, and it stays.
        """
        reward = in_parts(self, clips.steps[clips.mask])
        lengths = clips.lengths
        if self.config.returns == "mean" or bool((lengths == lengths[0]).all()):
            self.offset.copy_(reward.mean(-1, keepdim=True))  # type: ignore[operator]
        self.scale.copy_(reward.std(-1, keepdim=True, correction=0).clamp(min=1e-6))  # type: ignore[operator]

    def normalised(self, x: Tensor) -> Tensor:
        """Rewards as a policy gets them, (N, D) -> (M, N)."""
        return (self(x) - self.offset) / self.scale  # type: ignore[operator]


class PreferenceReward(RewardModel):
    """The preference trainer.

    Every `fit` begins anew, from the seed: the weights are a function of configuration, feedback and seed, to the bit on one kind of
    machine, so that they can be rebuilt from the ledger. Before the first fit the reward is that of random networks.

    Args:
        config: see `PreferenceConfig`.
        size: length D of what the reward sees.
        device: where it computes.
        seed: of networks and minibatches.

    Attributes:
        network: the ensemble, in evaluation mode.
    """

    consumes: ClassVar[tuple[type, ...]] = (Ranking, Rating)

    def __init__(self, config: PreferenceConfig, size: int, *, device: torch.device | str = "cpu", seed: int = 0) -> None:
        self.config, self.size, self.device, self.seed = config, size, torch.device(device), seed
        self.network = self._new_network()

    def _new_network(self) -> RewardEnsemble:
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(self.seed)
            return RewardEnsemble(self.config, self.size).to(self.device).eval()

    # Learning ------------------------------------------------------------------------------------------------------------

    def fit(
        self, feedback: Sequence[Ranking | Rating], context: Context, progress: Callable[[float], None] = lambda share: None
    ) -> Metrics:
        """Learns from all `feedback`; see `fit_comparisons`.

        Raises:
            ConfigError: the reward looks at parts that the transitions do not have.
            DataError: feedback of another kind, or nothing to learn from, see `comparisons.compare`.
        """
        self.check(feedback)
        pairs = self.config.rankings == "pairs"
        data = compare(feedback, context, self.config.sees, pairs=pairs, device=self.device)
        return self.fit_comparisons(data, progress)

    def fit_comparisons(self, data: Comparisons, progress: Callable[[float], None] = lambda share: None) -> Metrics:
        """As `fit`, from tensors.

        Args:
            data: on this model's device.
            progress: told the share that is done; what it raises ends the fit, and the reward stays as it was.

        Returns:
            `loss`, mean negative log-likelihood of the last steps, per member; `accuracy`, see there, of the ensemble on what it
            learned from; `answers`, how many these were.
        """
        config, before = self.config, self.network
        generator = torch.Generator(self.device).manual_seed(self.seed)
        members, count = (config.members, len(data))
        drawn = torch.arange(count, device=self.device).expand(members, count)
        if config.bootstrap:
            drawn = torch.randint(count, (members, count), generator=generator, device=self.device)

        def loss_of_a_batch() -> Tensor:
            some = torch.randint(count, (members, config.batch), generator=generator, device=self.device)
            return self.loss(data, drawn.gather(1, some), generator)

        self.network = self._new_network()
        try:
            self.network.set_inputs(data.clips.steps[data.clips.mask])
            loss = train(self.network, loss_of_a_batch, steps=config.steps, rate=config.rate,
                         weight_decay=config.weight_decay, progress=progress)
            if config.normalise:
                self.network.set_scale(data.clips)
        except BaseException:
            self.network = before
            raise
        self.version += 1
        utility = self.returns(data.clips).mean(0)[data.options]
        return {"loss": loss / members, "accuracy": float(accuracy(utility, data.place)), "answers": float(count)}

    def loss(self, data: Comparisons, rows: Tensor, generator: torch.Generator) -> Tensor:
        """Loss of each member's minibatch, `rows` int64 (M, n) of `data`."""
        steps, mask = self.cut(data.clips, data.options[rows], generator)
        return self.preference_loss(returns(self.rewards(steps), mask, self.config.returns), data.place[rows], data.weight[rows])

    def cut(self, clips: Clips, options: Tensor, generator: torch.Generator) -> tuple[Tensor, Tensor]:
        """What is compared of clips, numbers (M, n, K): steps (M, n, K, T, D) and mask (M, n, K, T). Here all of each."""
        return clips.steps[options], clips.mask[options]

    def rewards(self, steps: Tensor) -> Tensor:
        """Reward of each step by its member, (M, n, K, T, D) -> (M, n, K, T)."""
        return self.network(steps.flatten(1, 3)).view(steps.shape[:-1])

    def preference_loss(self, utility: Tensor, place: Tensor, weight: Tensor) -> Tensor:
        """sum_m E[-w log P(order | returns by r_m)], from (M, n, K), (M, n, K) and (M, n)."""
        return -(weight * log_likelihood(utility, place)).mean(-1).sum()

    # Judging -------------------------------------------------------------------------------------------------------------

    @torch.no_grad()
    def returns(self, clips: Clips) -> Tensor:
        """Return of each clip by each member, in units of log-odds: with `plackett_luce` they give the probability of each answer.
        (M, C).
        """
        rewards = torch.zeros(self.config.members, *clips.mask.shape, device=self.device)
        rewards[:, clips.mask] = in_parts(self.network, clips.steps[clips.mask])
        return returns(rewards, clips.mask, self.config.returns)

    @torch.no_grad()
    def samples(self, batch: Batch | Transitions) -> Tensor:
        """Normalised reward of each transition by each member, (M, N)."""
        return in_parts(self.network.normalised, inputs(batch, self.config.sees))

    def reward(self, batch: Batch | Transitions) -> Tensor:
        """The members' mean, (N,)."""
        return self.samples(batch).mean(0)

    def to_bytes(self, description: Mapping[str, Any]) -> bytes:
        """The reward for a file; what the JSON-able `description` says travels with it. `training/reward_file.py` reads it."""
        note = {**description, "version": self.version, "size": self.size, "seed": self.seed, "config": to_mapping(self.config)}
        return to_bytes(named("network", self.network), kind="reward", description=note)


def in_parts(network: Callable[[Tensor], Tensor], x: Tensor) -> Tensor:
    """`network` of inputs (N, D) -> (M, N), without needing more memory for many than for few."""
    return torch.cat([network(some) for some in x.split(AT_ONCE)], dim=-1)
