"""The reward that a ledger stands for, fitted anew when what counts in it has changed: to the bit the same from the same answers."""

from __future__ import annotations

import logging
from collections.abc import Callable
from pathlib import Path

from rewardbot.errors import DataError, RewardbotError
from rewardbot.feedback.feedback import Ranking, Rating
from rewardbot.feedback.ledger import Ledger
from rewardbot.feedback.records import History, Record, Undo
from rewardbot.rewards.base import Context
from rewardbot.rewards.comparisons import inputs
from rewardbot.rewards.preference import PreferenceConfig, PreferenceReward
from rewardbot.training.clips import BagClips
from rewardbot.training.weighting import fit_weighted
from rewardbot.types import Metrics, Segment

LEDGER = "feedback.db"
"""Name of the ledger in a run folder."""

Answer = Ranking | Rating

_log = logging.getLogger(__name__)


class RewardFitter:
    """See the module. Somebody else may write the ledger at any time, and it need not be there yet.

    Args:
        path: the ledger.
        clips: the steps of clips.
        config: of the reward.
        seed: of its networks.
        device: where it computes.
        check: raises a RewardbotError for a reward that nobody shall learn from; the one before is kept then.
        warn: told of answers that cannot be learned from, each once.

    Attributes:
        trouble: why there is no newer reward; empty if nothing is the matter.
        answers: how many the last reward was fitted to.
    """

    def __init__(
        self, path: Path, clips: BagClips, config: PreferenceConfig, *, seed: int = 0, device: object = "cpu",
        check: Callable[[PreferenceReward], object] = lambda reward: None, warn: Callable[[str], object] = _log.warning,
    ) -> None:
        self._path, self._clips, self._config, self._seed, self._device = path, clips, config, seed, device
        self._check, self._warn = check, warn
        self._ledger: Ledger | None = None
        self._last, self._fitted = 0, dict[int, Answer]()
        self._kept: PreferenceReward | None = None
        self._warned: set[int] = set()
        self.trouble, self.answers = "", 0

    def due(self) -> bool:
        """Whether something else counts than at the last `fit`."""
        try:
            if self._ledger is None and self._path.exists():
                self._ledger = Ledger(self._path, read_only=True)
            if self._ledger is None or self._ledger.history().last == self._last:
                return False
            if self._counting() == self._fitted:
                self._last = self._ledger.history().last
                return False
        except DataError as error:
            self.trouble = str(error)
            return False
        return True

    @property
    def news(self) -> int:
        """How many answers are there that were not fitted to as they are now, or the other way round."""
        now = self._counting() if self._ledger is not None else {}
        return len(now.items() ^ self._fitted.items())

    def fit(self, progress: Callable[[float], None] = lambda share: None) -> tuple[PreferenceReward | None, Metrics]:
        """The reward of what counts now, each answer weighing as much as its annotator can be relied on, and how well it fits; None
        if nobody prefers anything. Its version is the number of the ledger's last record. To be called when it is `due`.

        Args:
            progress: told again and again how far the fit is; what it raises ends the call, as if it had not been made.
        """
        assert self._ledger is not None
        history = History(self._ledger.records())
        last, counting = history.last, _answers(history)
        for id, answer in counting.items():
            progress(0.0)  # whoever has not seen its clips before reads them
            if not self._is_usable(id, answer):
                history.add(Record(history.last + 1, 0.0, answer.given.annotator, Undo(id)))  # in this copy only
        usable = list(_answers(history).values())
        reward, metrics = None, {}
        self.trouble = ""
        try:
            if usable:
                size = inputs(self._clips.transitions(clips_in(usable[0])[0]), self._config.sees).shape[-1]
                reward = PreferenceReward(self._config, size, device=str(self._device), seed=self._seed)
                metrics, _ = fit_weighted(reward, history, Context(self._clips.transitions), progress)
                reward.version = last
        except DataError as error:  # all are equal
            reward, self.trouble = None, str(error)
        self._last, self._fitted = last, counting
        try:
            if reward is not None:
                self._check(reward)
        except RewardbotError as error:
            self.trouble = str(error)
        else:
            self._kept, self.answers = reward, len(usable) if reward else 0
        return self._kept, metrics

    def close(self) -> None:
        """Closes the ledger."""
        if self._ledger is not None:
            self._ledger.close()

    def _counting(self) -> dict[int, Answer]:
        assert self._ledger is not None
        return _answers(self._ledger.history())

    def _is_usable(self, id: int, answer: Answer) -> bool:
        try:
            for clip in clips_in(answer):
                self._clips.transitions(clip)
        except DataError as error:
            if id not in self._warned:
                self._warn(f"Answer {id} is not learned from: {error}")
            self._warned.add(id)
            return False
        return True


def _answers(history: History) -> dict[int, Answer]:
    return {id: answer for id, answer in history.active().items() if isinstance(answer, (Ranking, Rating))}


def clips_in(answer: Answer) -> tuple[Segment, ...]:
    """The clips that an answer is about."""
    return answer.segments if isinstance(answer, Ranking) else (answer.segment,)
