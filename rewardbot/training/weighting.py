"""A reward from several annotators, each of whose answers weigh as much as the annotator can be relied on."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from rewardbot.feedback.annotators import Annotators, judgements
from rewardbot.feedback.feedback import Ranking, Rating
from rewardbot.feedback.records import History
from rewardbot.rewards.base import Context
from rewardbot.rewards.comparisons import clips_of
from rewardbot.rewards.preference import PreferenceReward
from rewardbot.types import Metrics, Segment


def learned_from(history: History) -> list[Ranking | Rating]:
    """What counts of a ledger for a reward from preferences, in the order of the answers."""
    return [answer for answer in history.active().values() if isinstance(answer, (Ranking, Rating))]


def fit_weighted(
    reward: PreferenceReward, history: History, context: Context, progress: Callable[[float], None] = lambda share: None
) -> tuple[Metrics, Annotators]:
    """Fits `reward` to all that counts, with weights that are a function of the ledger, too.

    With several annotators it is fitted twice: a copy to all answers alike, which says how good each clip is, from which the
    annotators are estimated; and then itself, to the answers with their weights.

    Args:
        reward: the reward.
        history: the ledger's.
        context: where clips come from.
        progress: told the share of each fit that is done; what it raises ends the fit, and the reward stays as it was.

    Returns:
        See `PreferenceReward.fit`, and the annotators; nobody where there is only one.

    Raises:
        ConfigError, DataError: see `PreferenceReward.fit`.
    """
    answers = learned_from(history)
    if len({answer.given.annotator for answer in answers}) < 2:
        return reward.fit(answers, context, progress), Annotators(())  # of one alone nothing is known, and it takes seconds
    alike = type(reward)(reward.config, reward.size, device=reward.device, seed=reward.seed)
    alike.fit(answers, context, progress)
    known = Annotators(judgements(history), utility_of(alike, context))
    weight = context.weight
    return reward.fit(answers, replace(context, weight=lambda answer: weight(answer) * known.weight(answer)), progress), known


def utility_of(reward: PreferenceReward, context: Context) -> Callable[[Sequence[Segment]], NDArray[np.float64]]:
    """What `Annotators` are estimated from: how good `reward` finds clips, float64 (N,); DataError of one that is gone."""

    def utility(clips: Sequence[Segment]) -> NDArray[np.float64]:
        return reward.returns(clips_of(clips, context, reward.config.sees, reward.device)).mean(0).double().cpu().numpy()

    return utility
