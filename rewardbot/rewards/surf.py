"""SURF: a preference reward that also learns from clips nobody was asked about, where it is sure of the answer.

Park et al. 2022, SURF: Semi-Supervised Reward Learning with Data Augmentation for Feedback-Efficient Preference-based RL.

    loss = E_labelled[-log P(order | parts)] + lambda E_unlabelled[1(P > tau) -log P(the model's own answer | parts)]

The model answers about whole clips and learns from random parts of them.

Learns from: rankings and ratings.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from rewardbot.config import setting
from rewardbot.errors import DataError
from rewardbot.feedback.feedback import Ranking, Rating
from rewardbot.rewards.base import Context
from rewardbot.rewards.comparisons import Clips, Comparisons, clips_of, random_starts
from rewardbot.rewards.plackett_luce import returns
from rewardbot.rewards.preference import PreferenceConfig, PreferenceReward
from rewardbot.types import Metrics


@dataclass(frozen=True)
class SurfConfig(PreferenceConfig):
    """Hyper-parameters; those of SURF are the paper's, with its crops of 45 to 55 of 60 steps as shares."""

    confidence: float = setting(0.99, "probability of the model's answer above which it is taken for a label", min=0.5, max=1.0)
    pseudo_weight: float = setting(1.0, "weight of the model's own answers", min=0.0)
    unlabelled_ratio: int = setting(4, "unlabelled pairs per answer of a batch", min=1)
    shortest: float = setting(0.75, "shortest part of a clip that is learned from, as a share of it", min=0.01, max=1.0)
    longest: float = setting(0.92, "longest part of a clip that is learned from, as a share of it", min=0.01, max=1.0)


class Surf(PreferenceReward):
    """The preference trainer with pseudo-labels and temporal crops; see `SurfConfig`.

    Its weights are a function of the unlabelled clips, too.
    """

    config: SurfConfig
    _unlabelled: Clips | None = None

    def fit(
        self, feedback: Sequence[Ranking | Rating], context: Context, progress: Callable[[float], None] = lambda share: None
    ) -> Metrics:
        """See `PreferenceReward.fit`; `context.unlabelled` are the clips that nobody was asked about.

        Raises:
            DataError: fewer than two of them, too.
        """
        check_count(len(context.unlabelled))
        self.use_unlabelled(clips_of(context.unlabelled, context, self.config.sees, self.device))
        return super().fit(feedback, context, progress)

    def use_unlabelled(self, clips: Clips) -> None:
        """Takes the clips that nobody was asked about, for the fits from now on.

        Raises:
            DataError: fewer than two.
        """
        check_count(len(clips))
        self._unlabelled = clips

    def loss(self, data: Comparisons, rows: Tensor, generator: torch.Generator) -> Tensor:
        """What was answered, and what the model would answer."""
        labelled = super().loss(data, rows, generator)
        if self._unlabelled is None:
            raise DataError("SURF has no unlabelled clips.", next_step="Give it some with `use_unlabelled`.")
        shape = (rows.shape[0], rows.shape[1] * self.config.unlabelled_ratio, 2)
        options = torch.randint(len(self._unlabelled), shape, generator=generator, device=rows.device)
        return labelled + self.config.pseudo_weight * self.pseudo_loss(self._unlabelled, options, generator)

    def pseudo_loss(self, clips: Clips, options: Tensor, generator: torch.Generator) -> Tensor:
        """sum_m E[1(P > tau) -log P(answer | parts)] of unlabelled pairs, int64 (M, n, 2); each member answers for itself."""
        steps, parts = self.cut(clips, options, generator)
        rewards = self.rewards(steps)
        place, sure = pseudo_labels(returns(rewards.detach(), clips.mask[options], self.config.returns), self.config.confidence)
        return self.preference_loss(returns(rewards, parts, self.config.returns), place, sure.float())

    def cut(self, clips: Clips, options: Tensor, generator: torch.Generator) -> tuple[Tensor, Tensor]:
        """A random part of each clip: the same share of those that are compared, from anywhere in each."""
        low, high = self.config.shortest, max(self.config.shortest, self.config.longest)
        share = low + (high - low) * torch.rand(options.shape[:-1], generator=generator, device=options.device)
        whole = clips.lengths[options]
        lengths = (share.unsqueeze(-1) * whole).round().long().clamp(min=1)
        start = random_starts(whole - lengths, generator).unsqueeze(-1)
        along = torch.arange(clips.mask.shape[1], device=options.device)
        return clips.steps[options], (along >= start) & (along < start + lengths.unsqueeze(-1))


def check_count(unlabelled: int) -> None:
    """Checks that so many unlabelled clips make a pair."""
    if unlabelled < 2:
        raise DataError(f"{unlabelled} unlabelled clips make no pair.", valid="SURF needs at least two.",
                        next_step="Collect more episodes, or take the reward 'preference', which needs none.")


def pseudo_labels(utility: Tensor, confidence: float) -> tuple[Tensor, Tensor]:
    """The model's answers about pairs with utilities (..., 2): place of each option, int64 (..., 2), and whether it is surer than
    `confidence`, bool (...).
    """
    probability, best = torch.softmax(utility, dim=-1).max(-1)
    return (torch.arange(2, device=utility.device) != best.unsqueeze(-1)).long(), probability > confidence
