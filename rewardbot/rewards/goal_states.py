"""The goal classifier of state vectors, for `goal_classifier` and `vice` without cameras: is this state inside the goal set?

The last states of demonstrations are its success examples, the first ones are none. Frozen it is exploited, as over cameras. With
`step` the states that the policy visits are negatives, too: see `vice.py`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from rewardbot.config import setting
from rewardbot.data.transitions import Transitions
from rewardbot.errors import DataError
from rewardbot.rewards.discriminator import DiscriminatorConfig
from rewardbot.rewards.goal_classifier import GoalClassifier
from rewardbot.rewards.vice import ONLINE_SHARE


@dataclass(frozen=True)
class GoalStatesConfig:
    """Hyper-parameters."""

    ends: int = setting(4, "last states of a demonstration, which are successes", min=1)
    beginnings: int = setting(5, "first states of a demonstration, which are none", min=1)
    heldout: float = setting(0.2, "share of the demonstrations that only calibrate", min=0.01, max=0.9)
    first_steps: int = setting(200, "gradient steps before the policy begins", min=1)
    discriminator: DiscriminatorConfig = setting(DiscriminatorConfig(), "network")


class GoalStates(GoalClassifier):
    """See the module.

    Args:
        config: see `GoalStatesConfig`.
        episodes: states of each demonstration, float32 (T + 1, S).
        seed: of the network and the first steps.

    Raises:
        DataError: fewer than two demonstrations.
    """

    def __init__(self, config: GoalStatesConfig, episodes: Sequence[Tensor], *, seed: int = 0) -> None:
        check_goals(len(episodes))
        held = max(1, round(config.heldout * len(episodes)))
        heldout, ends = (torch.cat([one[-config.ends :] for one in some]) for some in (episodes[:held], episodes[held:]))
        self._early, self._visited = torch.cat([one[: config.beginnings] for one in episodes]), ends[:0]
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            super().__init__(config.discriminator, ends, heldout, self._others)
            self.fit(config.first_steps)

    def _others(self, n: int) -> Tensor:
        """States outside the goal set, as far as is known, (n, S)."""
        online = round(ONLINE_SHARE * n) if len(self._visited) else 0
        return torch.cat([_some(self._visited, online), _some(self._early, n - online)])

    def step(  # pyright: ignore[reportIncompatibleMethodOverride] - against a policy
        self, expert: Transitions, visited: Transitions
    ) -> dict[str, Tensor]:
        """One gradient step, for which the states of `visited` are no goal; of `expert` only the last ones are any."""
        self._visited = visited.next_state
        metrics = super().step()
        self._visited = self._visited[:0]
        self.version += 1
        return {**metrics, "expert_d": self.probability(expert.next_state).mean(),
                "policy_d": self.probability(visited.next_state).mean()}

    @torch.no_grad()
    def reward(self, batch: Transitions) -> Tensor:  # pyright: ignore[reportIncompatibleMethodOverride] - state vectors only
        """See `GoalClassifier.reward`; never negative."""
        return torch.sigmoid(self.discriminator(batch.next_state)) / self.level


def check_goals(demonstrations: int) -> None:
    """Checks that there are enough demonstrations to learn a goal from.

    Raises:
        DataError: fewer than two.
    """
    if demonstrations < 2:
        raise DataError(f"A goal cannot be learned from {demonstrations} demonstration.",
                        valid="At least 2: one to learn it from and one to check it.")


def _some(of: Tensor, n: int) -> Tensor:
    """n of them, with replacement."""
    return of[torch.randint(len(of), (n,))] if n else of[:0]
