"""Meter and alarm over a ledger and recorded episodes, see `watch`. What they know is kept beside the ledger: an alarm rings until
somebody clears it, and one that was cleared does not ring again about the same answers.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass

from rewardbot.config import setting
from rewardbot.data.library import Library
from rewardbot.data.replay import Batch
from rewardbot.errors import DataError
from rewardbot.feedback.alarm import Reading as AlarmReading
from rewardbot.feedback.ledger import Ledger
from rewardbot.feedback.meter import Reading as MeterReading
from rewardbot.feedback.records import History
from rewardbot.rewards.base import Context
from rewardbot.rewards.deployed_preference import DeployedPreference
from rewardbot.training.clips import BagClips
from rewardbot.training.files import write_atomic
from rewardbot.training.fitting import clips_in
from rewardbot.training.watch import Watch, WatchConfig
from rewardbot.training.weighting import learned_from
from rewardbot.types import Segment

POLICY = "policy"
SUFFIX = ".oversight"


@dataclass(frozen=True)
class OversightConfig(WatchConfig):
    """As `WatchConfig`."""

    others: int = setting(20, "episodes of other sources that the policy is compared with, such as demonstrations", min=0)
    stop_when_enough: bool = setting(True, "ask no more once the meter says that it is enough")


class Oversight:
    """See the module.

    Args:
        library: the episodes.
        ledger: the answers. What must outlive this process is beside it, in a file with `SUFFIX`.
        config: see `OversightConfig`.

    Raises:
        DataError: that file is damaged.
    """

    def __init__(self, library: Library, ledger: Ledger, config: OversightConfig) -> None:
        self._library, self._ledger, self._config = library, ledger, config
        self._watch = Watch(config)
        self._file = ledger.path.with_name(ledger.path.name + SUFFIX)
        if self._file.exists():
            try:
                self._watch.load(json.loads(self._file.read_text()))
            except (OSError, ValueError, KeyError, TypeError, DataError) as error:
                raise DataError(f"{self._file} is damaged: {error}",
                                next_step="Delete it: meter and alarm then begin anew.") from None

    @property
    def meter(self) -> MeterReading | None:
        """The last reading; None before there is any."""
        return self._watch.enough

    @property
    def alarm(self) -> AlarmReading | None:
        """The last reading; None before there is any, and after `clear`."""
        return self._watch.hacked

    @property
    def enough(self) -> bool:
        """Whether to stop asking."""
        return self._config.stop_when_enough and self.meter is not None and self.meter.enough

    @property
    def ringing(self) -> bool:
        """Whether the reward is frozen, until `clear`."""
        return self._watch.alarm.ringing

    def clear(self) -> None:
        """Ends the alarm, for a person who has looked at the newest episodes.

        Raises:
            StorageError: the disk is full; a process that is started again would not know of it.
        """
        self._watch.alarm.clear()
        self._watch.hacked = None
        self._save()

    def look(self, reward: DeployedPreference, clips: BagClips, progress: Callable[[float], None] = lambda share: None) -> None:
        """Reads meter and alarm, if enough new answers have been learned from; takes seconds then.

        Args:
            reward: the present one.
            clips: what it sees.
            progress: see `Watch.look`.

        Raises:
            DataError: what there is cannot be judged, such as answers that all say the same.
            StorageError: the disk is full.
        """
        library = self._library
        whole = [(Segment(id, 0, library.steps(id)), library.source(id) == POLICY) for id in library.ids]
        own = [segment for segment, of_policy in whole if of_policy]
        others = [segment for segment, of_policy in whole if not of_policy][: self._config.others]
        history = History(self._ledger.records())  # the ledger's own may change meanwhile
        answers = [answer for answer in learned_from(history) if all(one.episode_id in library for one in clips_in(answer))]

        def transitions(segment: Segment) -> Batch:
            progress(0.0)  # an episode that nobody has seen before is read, which takes its time
            return clips.transitions(segment)

        if self._watch.look(reward.reward, history, Context(transitions), own, others, answers=answers, progress=progress):
            self._save()

    def _save(self) -> None:
        write_atomic(self._file, json.dumps(self._watch.to_mapping()))
