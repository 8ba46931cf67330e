"""TAMER: what a trainer would say of an action right now, from "good" and "bad" given while the robot acts.

Knox and Stone 2009, Interactively Shaping Agents via Human Reinforcement: the TAMER Framework. A signal comes late, so it is
credited to the steps of a window before it; the model's credited sum is fitted to it:

    H^ = argmin sum_signals (h - sum_t c_t H^(s_t, a_t))^2,   c_t the probability that the trainer meant step t

The trainer has judged the consequences already. The robot takes argmax_a H^(s, a); to add H^ up over time would count them twice, so
this model refuses to be the reward of a learner.

Learns from: ratings while the robot acts.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Never

import torch
from torch import Tensor

from rewardbot.config import setting
from rewardbot.data.replay import Batch
from rewardbot.errors import ConfigError, DataError
from rewardbot.nets.heads import mlp
from rewardbot.nets.optimisation import train
from rewardbot.rewards.base import RewardModel
from rewardbot.types import Metrics


@dataclass(frozen=True)
class TamerConfig:
    """Hyper-parameters. The window is the paper's: people answer 0.2 to 0.8 s after what they mean."""

    shortest: float = setting(0.2, "shortest delay of a signal [s]", min=0.0)
    longest: float = setting(0.8, "longest delay of a signal [s]", min=0.001)
    hidden: int = setting(64, "width of the two hidden layers", min=1)
    steps: int = setting(400, "gradient steps of each fit", min=1)
    batch: int = setting(64, "signals per step", min=1)
    rate: float = setting(3e-3, "peak of the one-cycle schedule", min=0.0)
    weight_decay: float = setting(1e-3, "AdamW weight decay", min=0.0)


@dataclass(frozen=True)
class Signal:
    """A trainer's momentary word.

    Attributes:
        stamp: when it was given, by the clock of the episode's stamps [s].
        value: above 0 good, below 0 bad.
    """

    stamp: float
    value: float


class Tamer(RewardModel):
    """H^(s, a). Every fit begins anew from the seed.

    Args:
        config: see `TamerConfig`.
        size: length D of what it sees of a step.
        seed: of network and minibatches.

    Raises:
        ConfigError: the window is empty.
    """

    def __init__(self, config: TamerConfig, size: int, seed: int = 0) -> None:
        if not config.shortest < config.longest:
            raise ConfigError(f"The window of credit is {config.shortest} to {config.longest} s.", valid="shortest < longest.")
        self.config, self.seed, self.size = config, seed, size
        self._steps: list[Tensor] = []
        self._credits: list[Tensor] = []
        self._values: list[float] = []
        self._new_network()

    def _new_network(self) -> None:
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(self.seed)
            self.network = mlp(self.size, self.config.hidden, 1).eval()

    def add(self, steps: Tensor, stamps: Tensor, signals: Sequence[Signal]) -> None:
        """Takes an episode and what was said during it. A signal whose window holds no step of it is left out.

        Args:
            steps: float32 (T, D).
            stamps: when the steps begin, and when the last one ends, float64 (T + 1,) [s].
            signals: in any order.
        """
        for signal in signals:
            share = credit(stamps, signal.stamp, self.config.shortest, self.config.longest)
            meant = share > 0.0
            if bool(meant.any()):
                self._steps.append(steps[meant])
                self._credits.append(share[meant].float())
                self._values.append(signal.value)

    @property
    def signals(self) -> int:
        """How many there are to learn from."""
        return len(self._values)

    def fit(self) -> Metrics:
        """Learns from all signals; returns the mean squared error of the last steps.

        Raises:
            DataError: there are none.
        """
        if not self._values:
            raise DataError("No signal falls to any step.", next_step="Say good or bad while the robot acts.")
        steps = torch.nn.utils.rnn.pad_sequence(self._steps, batch_first=True)
        credits = torch.nn.utils.rnn.pad_sequence(self._credits, batch_first=True)
        values = torch.tensor(self._values)
        generator = torch.Generator().manual_seed(self.seed)
        self._new_network()

        def loss_of_a_batch() -> Tensor:
            rows = torch.randint(len(values), (self.config.batch,), generator=generator)
            return self.credit_loss(steps[rows], credits[rows], values[rows])

        loss = train(self.network, loss_of_a_batch, steps=self.config.steps, rate=self.config.rate,
                     weight_decay=self.config.weight_decay, progress=lambda share: None)
        self.version += 1
        return {"loss": loss, "signals": float(len(values))}

    def credit_loss(self, steps: Tensor, credits: Tensor, values: Tensor) -> Tensor:
        """E (h - sum_t c_t H^(s_t, a_t))^2, from (N, T, D), (N, T) and (N,)."""
        return (values - (credits * self.score(steps)).sum(-1)).square().mean()

    def score(self, steps: Tensor) -> Tensor:
        """H^(s, a) with its gradient, (..., D) -> (...)."""
        return self.network(steps).squeeze(-1)

    @torch.no_grad()
    def praise(self, steps: Tensor) -> Tensor:
        """H^(s, a), what the trainer would say, (N, D) -> (N,)."""
        return self.score(steps)

    def best(self, candidates: Tensor) -> int:
        """Number of the candidate, (K, D), that the trainer would like best: how the robot acts."""
        return int(self.praise(candidates).argmax())

    def state(self) -> dict[str, Any]:
        """What was said so far, as tensors and plain values."""
        return {"steps": list(self._steps), "credits": list(self._credits), "values": list(self._values), "version": self.version}

    def restore(self, state: dict[str, Any]) -> None:
        """Takes what `state` gave; the next fit makes of it what it would have made there."""
        self._steps, self._credits, self._values = list(state["steps"]), list(state["credits"]), list(state["values"])
        self.version = state["version"]

    def reward(self, batch: Batch) -> Never:
        """Refuses.

        Raises:
            ConfigError: always.
        """
        raise ConfigError(
            "TAMER's prediction is myopic and cannot be the reward of a learner that adds rewards up over time.",
            valid="A reward for such a learner: preference, pebble, surf, t_rex or a goal classifier.",
            next_step="Act on it directly: Tamer.best(candidates) is the action that the trainer would like best.")

    samples = reward


def credit(stamps: Tensor, at: float, shortest: float, longest: float) -> Tensor:
    """Probability that a signal at time `at` means each step, when its delay is uniform from `shortest` to `longest`, (T,).

    Args:
        stamps: when the steps begin, and when the last one ends, (T + 1,) [s].

    Returns:
        The share of the window [at - longest, at - shortest] that lies in each step; their sum is 1 if the episode holds all of it.
    """
    inside = stamps.clamp(at - longest, at - shortest)
    return inside.diff() / (longest - shortest)
