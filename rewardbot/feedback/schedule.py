"""When to ask how much: a budget spread over a run, more of it early, and never faster than a person can answer."""

from __future__ import annotations

import math
from dataclasses import dataclass

from rewardbot.config import setting


@dataclass(frozen=True)
class Schedule:
    """How many questions are asked when."""

    budget: int = setting(200, "answers to ask for in a run; a skipped question is asked for again", min=0)
    first: int = setting(10, "questions at once at the start", min=0)
    early: float = setting(0.5, "how much earlier the rest is asked: the rate falls as T/(T + t), T this share of the run", min=0.01)
    per_minute: float = setting(12.0, "most questions a minute on average, after the first ones", min=0.0)
    waiting: int = setting(20, "most questions that wait for an answer at a time", min=1)


def wanted(schedule: Schedule, progress: float) -> float:
    """How many answers should have been asked for by now: the rate of Christiano et al. (2017), summed.

    Args:
        schedule: see `Schedule`.
        progress: share of the run that is over, 0 to 1.
    """
    first = min(schedule.first, schedule.budget)
    share = math.log1p(min(max(progress, 0.0), 1.0) / schedule.early) / math.log1p(1.0 / schedule.early)
    return first + share * (schedule.budget - first)


def wait_s(schedule: Schedule, *, progress: float, minutes: float, asked: int, run_s: float) -> float:
    """How long it takes until one more question is due, if the run goes on all the time [s]; 0 when it is due already.

    Args:
        schedule: see `Schedule`.
        progress, minutes: see `due`.
        asked: questions that were answered or wait; fewer than the budget.
        run_s: length of the run [s].
    """
    first = min(schedule.first, schedule.budget)
    if asked < first:
        return 0.0
    share = (asked + 1 - first) / (schedule.budget - first)
    by_progress = run_s * (schedule.early * math.expm1(share * math.log1p(1.0 / schedule.early)) - progress)
    by_pace = 60.0 * ((asked + 1 - first) / schedule.per_minute - minutes) if schedule.per_minute else math.inf
    return max(0.0, by_progress, by_pace)


def due(schedule: Schedule, *, progress: float, minutes: float, answered: int, waiting: int) -> int:
    """How many questions to ask now.

    Args:
        schedule: see `Schedule`.
        progress: share of the run that is over, 0 to 1.
        minutes: since its start.
        answered: answers so far, skips apart.
        waiting: questions that were asked and not answered yet.
    """
    fast = min(schedule.first, schedule.budget) + schedule.per_minute * minutes
    most = min(wanted(schedule, progress), fast)
    return max(0, min(math.floor(most + 1e-9) - answered - waiting, schedule.waiting - waiting))
