"""Questions about what was answered before: to whoever answered it, to see how consistent they are, and to somebody else, to see how
far people agree.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from rewardbot.feedback.feedback import Kind, Query, Ranking, Rating
from rewardbot.feedback.records import History

AGAIN, ALSO = "again-", "also-"
"""How the id of a question begins that was asked before: of the same person, and of another one."""

COMPARED: tuple[Kind, ...] = ("pair", "ranking", "rating")
"""Kinds of questions whose answers by two people can be held against each other."""


def repeat(history: History, every: int, person: str, seed: int, now: float) -> Query | None:
    """A pair that `person` has answered, to be asked of them again: one for `every` answers, not of the newest.

    Args:
        history: what a ledger holds.
        every: answers to pairs for each that is asked again; 0: none is.
        person: who is asked.
        seed: of which it is.
        now: when it is asked [s since 1970].

    Returns:
        The question; None if it is not time for one.
    """
    given = [one.given.query for one in history.active().values() if isinstance(one, Ranking) and one.given.annotator == person]
    pairs = [history.queries[id] for id in given if id in history.queries and history.queries[id].kind == "pair"]
    planted = sum(f"{AGAIN}{query.id}" in history.queries for query in pairs)
    if not every or len(pairs) < every * (planted + 1):
        return None
    first = [query for query in pairs[: len(pairs) - every // 2]
             if not query.id.startswith(AGAIN) and f"{AGAIN}{query.id}" not in history.queries]
    if not first:
        return None
    query = first[int(np.random.default_rng([seed, len(pairs)]).integers(len(first)))]
    return _anew(query, AGAIN, person, query.order[::-1], now, "asked before, to see how consistent answers are")


def second(history: History, share: float, people: Sequence[str], seed: int, now: float) -> list[Query]:
    """Questions that one person has answered, to be asked of another one; at most one for each who is there.

    Args:
        history: what a ledger holds.
        share: of a person's answers that are to such questions, 0 to 1.
        people: who is there.
        seed: of which they are, and of the sides on which their clips are shown.
        now: when they are asked [s since 1970].
    """
    given: dict[str, list[str]] = {}
    for answer in history.active().values():
        if isinstance(answer, (Ranking, Rating)):
            given.setdefault(answer.given.annotator, []).append(answer.given.query)
    waiting = Counter(query.to for query in history.waiting() if query.id.startswith(ALSO))
    planted = Counter(query.to for query in history.queries.values() if query.id.startswith(ALSO))
    found: list[Query] = []
    for person in people:
        answered = len(given.get(person, ()))
        if waiting[person] or planted[person] + 1 > share * answered + 1e-9:
            continue
        seen = {frozenset(history.queries[id].options) for id in given[person] if id in history.queries}
        taken = {*history.queries, *(query.id for query in found)}
        others = [query for name, ids in given.items() if name != person for id in ids
                  if (query := history.queries.get(id)) is not None and query.kind in COMPARED
                  and not id.startswith((AGAIN, ALSO)) and f"{ALSO}{id}" not in taken and frozenset(query.options) not in seen]
        if others:
            rng = np.random.default_rng([seed, answered])
            query = others[int(rng.integers(len(others)))]
            order = tuple(map(int, rng.permutation(len(query.options))))
            found.append(_anew(query, ALSO, person, order, now, "somebody else has answered it; to see how far people agree"))
    return found


def _anew(query: Query, prefix: str, to: str, order: tuple[int, ...], now: float, reason: str) -> Query:
    return replace(query, id=f"{prefix}{query.id}", to=to, order=order, asked=now, reason=reason, reward_version=0, predicted=(),
                   strategy="repeat" if prefix == AGAIN else "second opinion")
