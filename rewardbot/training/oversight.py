"""What is looked at while a reward from preferences is learned and a policy learns to earn it: whether the feedback is enough, and
whether the policy has found a way to please the reward and not the operator.
"""

from __future__ import annotations

import json
from dataclasses import dataclass

import numpy as np

from rewardbot.config import setting
from rewardbot.data.library import Library
from rewardbot.errors import DataError
from rewardbot.feedback.alarm import Alarm, AlarmConfig, fresh
from rewardbot.feedback.alarm import Reading as AlarmReading
from rewardbot.feedback.ledger import Ledger
from rewardbot.feedback.meter import Meter, MeterConfig
from rewardbot.feedback.meter import Reading as MeterReading
from rewardbot.feedback.records import History
from rewardbot.rewards.base import Context
from rewardbot.rewards.comparisons import clips_of, compare
from rewardbot.rewards.deployed_preference import DeployedPreference
from rewardbot.training.calibration import cross_validate, promised, trust
from rewardbot.training.certainty import sampled_returns
from rewardbot.training.clips import BagClips
from rewardbot.training.files import write_atomic
from rewardbot.training.fitting import clips_in
from rewardbot.training.weighting import learned_from
from rewardbot.types import Segment

POLICY = "policy"
SUFFIX = ".oversight"


@dataclass(frozen=True)
class OversightConfig:
    """How often, and at what."""

    every: int = setting(20, "answers between two looks; each fits the reward six times, beside everything else", min=1)
    newest: int = setting(10, "newest episodes of the policy, which stand for what it does now", min=2)
    others: int = setting(40, "other episodes that it is compared with, the newest and demonstrations", min=2)
    stop_when_enough: bool = setting(True, "ask no more once the meter says that it is enough")
    meter: MeterConfig = setting(MeterConfig(), "the enough-feedback meter")
    alarm: AlarmConfig = setting(AlarmConfig(), "the reward-hacking alarm")


class Oversight:
    """See the module.

    Args:
        library: the episodes.
        ledger: the answers. Beside it, in a file with `SUFFIX`, is what must outlive this process: an alarm rings until somebody
            clears it, and one that was cleared does not ring again about the same answers.
        config: see `OversightConfig`.

    Raises:
        DataError: that file is damaged.

    Attributes:
        meter, alarm: the last readings; None before there are any.
    """

    def __init__(self, library: Library, ledger: Ledger, config: OversightConfig) -> None:
        self.meter: MeterReading | None = None
        self.alarm: AlarmReading | None = None
        self._library, self._ledger, self._config = library, ledger, config
        self._alarm = Alarm(config.alarm)
        self._answers, self._seen = 0, 0
        self._file = ledger.path.with_name(ledger.path.name + SUFFIX)
        self._meter = Meter(config.meter, self._load())

    @property
    def enough(self) -> bool:
        """Whether to stop asking."""
        return self._config.stop_when_enough and self.meter is not None and self.meter.enough

    @property
    def ringing(self) -> bool:
        """Whether the reward is frozen, until `clear`."""
        return self._alarm.ringing

    def clear(self) -> None:
        """Ends the alarm, for a person who has looked at the newest episodes.

        Raises:
            StorageError: the disk is full; a process that is started again would not know of it.
        """
        self._alarm.clear()
        self.alarm = None
        self._save()

    def look(self, reward: DeployedPreference, clips: BagClips) -> None:
        """Reads meter and alarm, if enough new answers have been learned from; takes seconds then.

        Args:
            reward: the present one.
            clips: what it sees.

        Raises:
            DataError: what there is cannot be judged, such as answers that all say the same.
            StorageError: the disk is full.
        """
        now, others = self._episodes()
        if abs(reward.answers - self._answers) < self._config.every or len(now) < 2 or len(others) < 2:
            return
        self._answers = reward.answers
        history = History(self._ledger.records())  # the ledger's own may change meanwhile
        answers = [answer for answer in learned_from(history) if all(one.episode_id in self._library for one in clips_in(answer))]
        context, sees = Context(clips.transitions), reward.reward.config.sees
        judged = clips_of([*now, *others], context, sees, reward.reward.device)
        data = compare(answers, context, sees)
        returns = sampled_returns(reward.reward, data, judged)
        self.meter = self._meter.update(returns[:, : len(now)].mean(1), returns[:, len(now) :])
        sure, agreed = fresh(history)
        first, self._seen = min(self._seen, len(sure)), len(sure)  # fewer, if some were undone
        share = trust(cross_validate(reward.reward, answers, context))
        learned = reward.reward.returns(judged).mean(0).double().numpy()
        self.alarm = self._alarm.update(agreed[first:], promised(np.array(sure[first:]), share).tolist(), learned[len(now) :],
                                        learned[: len(now)])
        self._save()

    def _save(self) -> None:
        known = {"alarm": self._alarm.to_mapping(), "seen": self._seen, "in_a_row": self.meter.in_a_row if self.meter else 0}
        write_atomic(self._file, json.dumps(known))

    def _load(self) -> int:
        """What `_save` wrote, if it did; returns the meter's fits in a row."""
        if not self._file.exists():
            return 0
        try:
            known = json.loads(self._file.read_text())
            self._alarm.load(known["alarm"])
            self._seen = int(known["seen"])
            if self._alarm.ringing:
                self.alarm = self._alarm.update([], 1.0, np.empty(0), np.empty(0))
            return int(known["in_a_row"])
        except (OSError, ValueError, KeyError, TypeError, DataError) as error:
            raise DataError(f"{self._file} is damaged: {error}", next_step="Delete it: meter and alarm then begin anew.") from None

    def _episodes(self) -> tuple[list[Segment], list[Segment]]:
        """The policy's newest, and others, whole."""
        library = self._library
        whole = [(Segment(id, 0, library.steps(id)), library.source(id) == POLICY) for id in library.ids]
        now = [segment for segment, of_policy in whole if of_policy][-self._config.newest :]
        others = [segment for segment, _ in whole if segment not in now]
        return now, others[-self._config.others :]
