"""Questions that are asked a second time, with the sides swapped, to see how consistent somebody's answers are."""

from __future__ import annotations

import numpy as np

from rewardbot.feedback.feedback import Query, Ranking
from rewardbot.feedback.records import History

AGAIN = "again-"
"""How the id of a question begins that was asked before."""


def repeat(history: History, every: int, seed: int, now: float) -> Query | None:
    """A pair that whoever answered last has answered, to be asked again: one for `every` answers, not of the newest.

    Args:
        history: what a ledger holds.
        every: answers to pairs for each that is asked again; 0: none is.
        seed: of which it is.
        now: when it is asked [s since 1970].

    Returns:
        The question; None if it is not time for one.
    """
    rankings = [one for one in history.active().values() if isinstance(one, Ranking)]
    given = [one.given.query for one in rankings if one.given.annotator == rankings[-1].given.annotator]
    pairs = [history.queries[id] for id in given if id in history.queries and history.queries[id].kind == "pair"]
    planted = sum(f"{AGAIN}{query.id}" in history.queries for query in pairs)
    if not every or len(pairs) < every * (planted + 1):
        return None
    first = [query for query in pairs[: len(pairs) - every // 2]
             if not query.id.startswith(AGAIN) and f"{AGAIN}{query.id}" not in history.queries]
    if not first:
        return None
    query = first[int(np.random.default_rng([seed, len(pairs)]).integers(len(first)))]
    return Query(f"{AGAIN}{query.id}", "pair", query.options, query.order[::-1], asked=now, strategy="repeat",
                 reason="asked before, to see how consistent answers are")
