"""What a reward model is: a reward for a batch, computed when the batch is sampled, and a fit to what the operator said."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import ClassVar

from torch import Tensor

from rewardbot.data.replay import Batch
from rewardbot.data.transitions import Transitions
from rewardbot.errors import DataError
from rewardbot.feedback.feedback import Feedback
from rewardbot.types import Segment


@dataclass(frozen=True)
class Context:
    """What a fit may need beside the feedback. Whoever trains fills it, so that rewards import nothing above them.

    Attributes:
        transitions: the steps of a segment, from the replay or the episode store.
        weight: how much an answer counts, such as the estimate of its annotator's reliability; 1 counts fully.
        unlabelled: segments that nobody was asked about, for rewards that learn from those too.
    """

    transitions: Callable[[Segment], Batch | Transitions]
    weight: Callable[[Feedback], float] = lambda answer: 1.0
    unlabelled: Sequence[Segment] = ()


class RewardModel(ABC):
    """A learned reward. Versioned: `version` counts its fits, and no reward outlives the batch it was computed for."""

    version: int = 0

    consumes: ClassVar[tuple[type, ...]] = ()
    """Types of feedback that it learns from."""

    @abstractmethod
    def reward(self, batch: Batch) -> Tensor:
        """Reward of each transition, float32 (N,), without gradient."""

    def samples(self, batch: Batch) -> Tensor:
        """Reward of each transition by each of M members of an ensemble or samples of a posterior, float32 (M, N); M is 1 if the
        model is but one.
        """
        return self.reward(batch)[None]

    @classmethod
    def check(cls, feedback: Iterable[object]) -> None:
        """Checks that it learns from `feedback`.

        Raises:
            DataError: it holds something else.
        """
        for answer in feedback:
            if not isinstance(answer, cls.consumes):
                raise DataError(f"{cls.__name__} learns nothing from a {type(answer).__name__}.",
                                valid=f"It learns from: {', '.join(kind.__name__ for kind in cls.consumes) or 'no feedback'}.")
