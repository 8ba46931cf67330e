"""The tightrope (after Ross and Bagnell 2010): on the rope each step has its right foot; with the wrong one the walker falls off.

The expert sees where the rope goes and never falls. A learner sees it wrongly with a small probability, and falls as often. Below,
only the third action climbs back, which the expert, who is never there, never shows. Each step below costs 1.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

Labelled = tuple[int, int]
"""What the walker saw, and what the expert would have done."""

LEFT, RIGHT, BELOW = 0, 1, 2
"""What there is to see; the right action is the same number: left foot, right foot, climb."""

Policy = NDArray[np.intp]
"""An action for each thing that there is to see, (3,)."""


class Tightrope:
    """Args:
        horizon: T.
        blur: probability of seeing left for right and right for left.
        seed: of what chance decides.
    """

    def __init__(self, horizon: int, blur: float, seed: int) -> None:
        self.horizon, self.blur, self.rng = horizon, blur, np.random.default_rng(seed)

    def demonstrate(self, count: int) -> list[Labelled]:
        """The expert's walks: always on the rope."""
        return [label for _ in range(count) for label in self._walk(None, 1.0)]

    def collect(self, policy: Policy, beta: float) -> list[Labelled]:
        """A hundred walks, in each step of which the expert acts with probability `beta`; his labels for all that was seen."""
        return [label for _ in range(100) for label in self._walk(policy, beta)]

    def _walk(self, policy: Policy | None, beta: float) -> list[Labelled]:
        seen_and_right, below = [], False
        for _ in range(self.horizon):
            right = BELOW if below else int(self.rng.integers(2))
            seen = right if below or self.rng.random() >= self.blur else 1 - right
            seen_and_right.append((seen, right))
            action = right if policy is None or self.rng.random() < beta else int(policy[seen])
            below = action != right
        return seen_and_right

    def cost(self, policy: Policy) -> float:
        """Expected steps below in a walk that `policy` goes alone; exact."""
        fall = (1 - self.blur) * (policy[LEFT] != LEFT) + self.blur * (policy[RIGHT] != LEFT)
        fall = (fall + (1 - self.blur) * (policy[RIGHT] != RIGHT) + self.blur * (policy[LEFT] != RIGHT)) / 2
        stay = float(policy[BELOW] != BELOW)
        below = total = 0.0
        for _ in range(self.horizon):
            below = below * stay + (1 - below) * fall
            total += below
        return total


def most_frequent(data: Sequence[Labelled]) -> Policy:
    """Behaviour cloning of a table: the most frequent label; of what was never seen, the first action."""
    counts = np.zeros((3, 3))
    np.add.at(counts, tuple(np.array(data).T), 1)
    return counts.argmax(1)
