"""Safe reinforcement learning with a person in the loop: what a person marked as unsafe becomes a cost and a shield.

A person is shown episodes, as many as a budget allows, those first of which the cost is least sure, and marks unsafe intervals with
a reason. Each step of an interval is an example of what is unsafe, every other step of what was shown of what is not:

    c(s, a) = P(unsafe | s, a)          shield: of the actions that a policy proposes, the first with c <= limit, else the least c

The cost is no reward model and is added into none: a reward that outweighs it would buy the accident. The limits of the arm itself
stand behind all this, see `robots/safety.py`, and nothing that is learned touches them.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from rewardbot.config import setting
from rewardbot.data.transitions import Transitions
from rewardbot.errors import DataError
from rewardbot.feedback.feedback import UnsafeInterval
from rewardbot.feedback.schedule import Schedule, due
from rewardbot.nets.optimisation import train
from rewardbot.rewards.discriminator import Discriminator, DiscriminatorConfig
from rewardbot.types import Metrics, Segment

NETWORK = DiscriminatorConfig(hidden=64, dropout=0.0, noise=0.05, smoothing=0.02, mixup=False)


@dataclass(frozen=True)
class SafetyConfig:
    """Hyper-parameters."""

    schedule: Schedule = setting(Schedule(budget=20, first=3, per_minute=2.0, waiting=3), "of the episodes that a person is shown")
    network: DiscriminatorConfig = setting(NETWORK, "of the cost")
    steps: int = setting(300, "gradient steps of each fit", min=1)
    limit: float = setting(0.3, "largest probability of being unsafe that an action may have", min=0.0, max=1.0)
    proposals: int = setting(16, "actions that the policy proposes", min=1)


class SafeLearning:
    """See the module.

    Args:
        config: see `SafetyConfig`.
        transitions: the steps of an episode, such as `EpisodeReplay.transitions`.
        seed: of the network.

    Attributes:
        shown: what a person has looked at.
        fitted: how many fits there were; before the first, nothing is known to be unsafe.
        refused: how many proposals the shield did not let through.
    """

    def __init__(self, config: SafetyConfig, transitions: Callable[[Segment], Transitions], *, seed: int = 0) -> None:
        self.config, self._transitions, self.seed = config, transitions, seed
        self.shown: list[Segment] = []
        self.fitted = self.refused = 0
        self._waiting: list[Segment] = []
        self._steps: list[Tensor] = []
        self._unsafe: list[Tensor] = []
        self._network: Discriminator | None = None

    def ask(self, episodes: Sequence[Segment], *, progress: float, minutes: float) -> list[Segment]:
        """Episodes to show now, none that was shown before; as many as the budget has left for now.

        Args:
            episodes: to choose from.
            progress: share of the run that is over.
            minutes: since its start.
        """
        most = due(self.config.schedule, progress=progress, minutes=minutes, answered=len(self.shown), waiting=len(self._waiting))
        fresh = [episode for episode in episodes if episode not in self.shown and episode not in self._waiting]
        chosen = sorted(fresh, key=self._doubt, reverse=True)[:most]
        self._waiting += chosen
        return chosen

    def answer(self, episode: Segment, intervals: Sequence[UnsafeInterval]) -> None:
        """A person has looked at all of an episode that was asked about, and marked these intervals in it, or none.

        Raises:
            DataError: nobody asked about it, or an interval lies elsewhere.
        """
        if episode not in self._waiting:
            raise DataError(f"Nobody asked about episode '{episode.episode_id}'.", next_step="Answer what `ask` gave.")
        unsafe = torch.zeros(episode.stop - episode.start)
        for marked in (interval.segment for interval in intervals):
            if marked.episode_id != episode.episode_id or not episode.start <= marked.start < marked.stop <= episode.stop:
                raise DataError(f"An unsafe interval is in {marked}, outside what was shown.", valid=f"{episode}.")
            unsafe[marked.start - episode.start : marked.stop - episode.start] = 1.0
        self._waiting.remove(episode)
        self.shown.append(episode)
        self._steps.append(self._transitions(episode).state_action)
        self._unsafe.append(unsafe)

    def fit(self) -> Metrics:
        """Learns from all that was marked; returns the loss and the number of unsafe and of safe steps.

        Raises:
            DataError: there are no unsafe or no safe steps.
        """
        unsafe = torch.cat([torch.zeros(0), *self._unsafe]) > 0.5
        if not bool(unsafe.any()) or bool(unsafe.all()):
            raise DataError(f"{int(unsafe.sum())} of {len(unsafe)} steps that were shown are unsafe: there is nothing to tell apart.",
                            next_step="Show more episodes.")
        steps = torch.cat(self._steps)
        bad, good = steps[unsafe], steps[~unsafe]
        generator = torch.Generator().manual_seed(self.seed)
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(self.seed)
            network = Discriminator(self.config.network, steps.shape[1])
            network.set_scale(steps)

            def loss() -> Tensor:
                n = network.config.batch
                return network.bce_loss(*(of[torch.randint(len(of), (n,), generator=generator)] for of in (bad, good)))

            found = train(network, loss, steps=self.config.steps, rate=network.config.learning_rate * 10,
                          weight_decay=network.config.weight_decay, progress=lambda share: None)
        self._network = network
        self.fitted += 1
        return {"loss": found, "unsafe_steps": float(unsafe.sum()), "safe_steps": float((~unsafe).sum())}

    @torch.no_grad()
    def cost(self, state_action: Tensor) -> Tensor:
        """P(unsafe | s, a), (N, S + A) -> (N,); 0 before the first fit."""
        return torch.zeros(len(state_action)) if self._network is None else torch.sigmoid(self._network(state_action))

    def act(self, state: NDArray[np.floating], propose: Callable[[], NDArray[np.floating]]) -> NDArray[np.float32]:
        """What the shield lets the policy do in a state (S,), float32 (A,).

        Args:
            propose: an action of the policy, a new one each time; (A,).
        """
        actions = np.stack([propose() for _ in range(1 if self._network is None else self.config.proposals)]).astype(np.float32)
        states = np.repeat(np.asarray(state, np.float32)[None], len(actions), axis=0)
        cost = self.cost(torch.from_numpy(np.concatenate([states, actions], axis=1))).numpy()
        safe = np.flatnonzero(cost <= self.config.limit)
        chosen = int(safe[0]) if len(safe) else int(cost.argmin())
        self.refused += chosen if len(safe) else len(actions)
        return actions[chosen]

    def _doubt(self, episode: Segment) -> float:
        """How unsure the cost is about its most doubtful step; alike before the first fit."""
        cost = self.cost(self._transitions(episode).state_action)
        return float((cost * (1.0 - cost)).max())
