"""Who answers, how far each can be relied on, how far they agree, and where they contradict each other: what windows show of it."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from rewardbot.feedback.annotators import Annotator, Annotators, Conflict, agreement, conflicts, consistency, judgements
from rewardbot.feedback.records import History

LISTED = 30
"""Conflicts that are told of, those with the most answers."""


@dataclass(frozen=True)
class Person:
    """An annotator.

    Attributes:
        name: theirs.
        answers: how many of theirs count.
        same, again: how often they said the same again, of so many times that they were asked again.
        estimate: how far they can be relied on; None as long as nobody else has answered, and before there is a reward.
    """

    name: str
    answers: int
    same: int = 0
    again: int = 0
    estimate: Annotator | None = None


@dataclass(frozen=True)
class Dispute:
    """A conflict, and the absolute path of the bag of each of its clips, empty where it is gone."""

    conflict: Conflict
    bags: tuple[str, str]


@dataclass(frozen=True)
class People:
    """All of them.

    Attributes:
        people: by name.
        agreement: Krippendorff's alpha of who is better; None where nothing was judged twice, or all alike.
        disputes: at most `LISTED`.
        disputed: how many there are.
    """

    people: tuple[Person, ...] = ()
    agreement: float | None = None
    disputes: tuple[Dispute, ...] = ()
    disputed: int = 0


def people(history: History, estimates: Annotators, bag_of: Callable[[str], Path | None]) -> People:
    """What a ledger says of those who answered.

    Args:
        history: the ledger's.
        estimates: of them.
        bag_of: the bag of an episode, None where there is none.
    """
    given = judgements(history)
    again, found, alpha = consistency(given), conflicts(given), agreement(given)
    counts = Counter(answer.given.annotator for answer in history.active().values())
    return People(
        tuple(Person(name, count, *again.get(name, (0, 0)), estimates.people.get(name)) for name, count in sorted(counts.items())),
        None if math.isnan(alpha) else alpha,
        tuple(Dispute(one, (_path(bag_of, one.clips[0].episode_id), _path(bag_of, one.clips[1].episode_id)))
              for one in found[:LISTED]),
        len(found))


def _path(bag_of: Callable[[str], Path | None], episode: str) -> str:
    bag = bag_of(episode)
    return "" if bag is None else str(bag.resolve())
