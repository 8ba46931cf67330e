"""Meter and alarm beside a loop that learns a reward from answers and a policy from the reward, from what such a loop has at hand."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from rewardbot.config import setting
from rewardbot.feedback import alarm, meter
from rewardbot.feedback.feedback import Ranking, Rating
from rewardbot.feedback.records import History
from rewardbot.rewards.base import Context
from rewardbot.rewards.comparisons import clips_of, compare
from rewardbot.rewards.preference import PreferenceReward
from rewardbot.training.calibration import cross_validate, promised, trust
from rewardbot.training.certainty import sampled_returns
from rewardbot.training.weighting import learned_from
from rewardbot.types import Segment


@dataclass(frozen=True)
class WatchConfig:
    """When to look, and at what."""

    every: int = setting(20, "answers between two looks; each fits the reward five times", min=1)
    newest: int = setting(10, "newest episodes of the policy, which stand for what it does now", min=2)
    earlier: int = setting(40, "episodes before them that it is compared with", min=2)
    meter: meter.MeterConfig = setting(meter.MeterConfig(), "of the meter")
    alarm: alarm.AlarmConfig = setting(alarm.AlarmConfig(), "of the alarm")


class Watch:
    """See the module.

    Args:
        config: see `WatchConfig`.
        history: whose answers are old: what an earlier process has seen, or somebody has looked at.

    Attributes:
        alarm: told of each answer whose question foretold it; clear it when somebody has looked.
        enough: the meter's last reading, None before the first.
        hacked: the alarm's last reading, None before the first.
    """

    def __init__(self, config: WatchConfig | None = None, history: History | None = None) -> None:
        self.config = config or WatchConfig()
        self.alarm = alarm.Alarm(self.config.alarm)
        self.enough: meter.Reading | None = None
        self.hacked: alarm.Reading | None = None
        self._meter = meter.Meter(self.config.meter)
        self._trust: float | None = None
        self._answers, self._fresh = 0, 0 if history is None else len(alarm.fresh(history)[0])

    def look(
        self, reward: PreferenceReward, history: History, context: Context, own: Sequence[Segment], others: Sequence[Segment] = (),
        *, answers: Sequence[Ranking | Rating] | None = None, progress: Callable[[float], None] = lambda share: None,
    ) -> bool:
        """Reads both, if enough answers came since the last look; whether it did.

        What held-out answers promise of fresh ones is taken from the look before: a hacked reward must not lower what is expected
        of it.

        Args:
            reward: fitted to what counts.
            history: the ledger's.
            context: where clips come from.
            own: whole episodes of the policy, the oldest first.
            others: more that the policy is compared with, such as demonstrations.
            answers: those that the reward was fitted to; if not given, all that count.
            progress: told the share that is done; what it raises ends the look, as if there had been none.

        Raises:
            ConfigError, DataError: answers that prefer nothing, or a clip that cannot be judged.
        """
        config, answers = self.config, learned_from(history) if answers is None else answers
        if abs(len(answers) - self._answers) < config.every or len(own) <= config.newest:
            return False
        now, before = own[-config.newest :], own[: -config.newest][-config.earlier :]
        judged = clips_of([*now, *before, *others], context, reward.config.sees, reward.device)
        data = compare(answers, context, reward.config.sees, device=reward.device)
        returns = sampled_returns(reward, data, judged, seed=reward.seed)
        foretold = cross_validate(reward, answers, context, progress=progress)
        found = trust(foretold.about(alarm.by_chance(history)))
        learned = reward.returns(judged).mean(0).double().cpu().numpy()
        sure, agreed = alarm.fresh(history)
        new = slice(min(self._fresh, len(sure)), None)  # fewer, if some were undone
        expected = promised(np.array(sure[new]), found if self._trust is None else self._trust)
        first, last = len(now), len(now) + len(before)
        self.hacked = self.alarm.update(agreed[new], expected.tolist(), learned[first:last], learned[:first])
        self.enough = self._meter.update(returns[:, : len(now)].mean(-1), returns)
        self._answers, self._fresh, self._trust = len(answers), len(sure), found
        return True

    def to_mapping(self) -> dict[str, Any]:
        """What must outlive this process, as JSON takes it."""
        return {"alarm": self.alarm.to_mapping(), "fresh": self._fresh, "trust": self._trust,
                "in_a_row": self.enough.in_a_row if self.enough else 0}

    def load(self, known: Mapping[str, Any]) -> None:
        """Takes what `to_mapping` gave.

        Raises:
            KeyError, TypeError, ValueError, DataError: something else.
        """
        self.alarm.load(known["alarm"])
        self._fresh, self._trust = int(known["fresh"]), None if known["trust"] is None else float(known["trust"])
        self._meter = meter.Meter(self.config.meter, int(known["in_a_row"]))
        if self.alarm.ringing:
            self.hacked = self.alarm.update([], 1.0, np.empty(0), np.empty(0))
