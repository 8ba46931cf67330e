"""T-REX: the reward behind ranked demonstrations, which may say what would be better than the best of them.

Brown, Goo, Nagarajan and Niekum 2019, Extrapolating Beyond Suboptimal Demonstrations via Inverse Reinforcement Learning from
Observations. Ranked demonstrations become pairs of snippets: a random part of the better one is better than one of the worse.

Learns from: ranked demonstrations.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor

from rewardbot.config import setting
from rewardbot.rewards.comparisons import Clips, Comparisons
from rewardbot.rewards.preference import PreferenceConfig, PreferenceReward


@dataclass(frozen=True)
class TRexConfig(PreferenceConfig):
    """Hyper-parameters. The reward looks at where the robot is, not at what it does, as in the paper: from observations."""

    sees: tuple[str, ...] = setting(("next_features", "next_proprio"), "parts of a transition that the reward looks at")
    rankings: Literal["whole", "pairs"] = setting("pairs", "whole: snippets of all demonstrations of a ranking at once")
    steps: int = setting(600, "gradient steps of each fit", min=1)
    shortest: int = setting(10, "shortest snippet [steps]", min=1)
    longest: int = setting(50, "longest snippet [steps]; demonstrations that are shorter are taken as a whole", min=1)
    ridge: float = setting(0.0, "squared weights of a network times this are part of its loss; the more, the less one clip is surely "
                                "better, and the more all that differs counts as much as it differs", min=0.0)


class TRex(PreferenceReward):
    """The preference trainer on snippets of ranked demonstrations; see `TRexConfig`."""

    config: TRexConfig

    def loss(self, data: Comparisons, rows: Tensor, generator: torch.Generator) -> Tensor:
        """See `PreferenceReward.loss`. Weight decay, which AdamW keeps out of the gradient that it scales, is no such prior."""
        weights = sum((parameter.square().sum() for parameter in self.network.parameters()), torch.zeros((), device=self.device))
        return super().loss(data, rows, generator) + self.config.ridge * weights

    def cut(self, clips: Clips, options: Tensor, generator: torch.Generator) -> tuple[Tensor, Tensor]:
        """A snippet of each clip, of one random length for those that are compared with each other."""
        config = self.config
        lengths = torch.randint(config.shortest, max(config.shortest, config.longest) + 1, options.shape[:-1], generator=generator,
                                device=options.device)
        lengths = lengths.minimum(clips.lengths[options].amin(-1))
        return clips.windows(options, lengths.unsqueeze(-1).expand(options.shape), generator)
