"""A ledger in other forms: JSON Lines for programs, with every record as it is, and CSV for spreadsheets, a line per answer."""

from __future__ import annotations

import csv
import io
import json
import re
from collections.abc import Mapping, Sequence
from typing import get_args

from rewardbot.errors import DataError
from rewardbot.feedback.feedback import (
    LEVELS,
    Kind,
    Query,
    Ranking,
    Rating,
    Response,
    Side,
    Skip,
    SuccessMark,
    UnsafeInterval,
    answer_pair,
    side_of,
)
from rewardbot.feedback.records import Amend, History, Record, dump
from rewardbot.types import Segment

COLUMNS = ("answer", "counts", "query", "kind", "strategy", "reward_version", "annotator", "asked", "answered", "seconds", "said",
           "clips", "order", "predicted")
"""Of the CSV: id of the answer; whether it still counts; what was asked, see `Query`; who, when [s since 1970] and how long [s];
what they say in the end; `episode:start-stop` of each clip; which of them was at each place; what the reward had expected."""

_WORDS: Mapping[Kind, str] = {
    "pair": "(left|right|equal)", "ranking": r"\d+( \d+)+", "rating": r"(\d)", "mark": r"(success|failure) at (\d{1,9})",
    "interval": r"unsafe (\d{1,9})-(\d{1,9}): (.+)"}
_VALID: Mapping[Kind, str] = {
    "pair": "left, right, equal or skip.",
    "ranking": "The rank of each clip in the order of show, 0 the best, such as '0 2 1', or skip.",
    "rating": f"{LEVELS[0]} (worst) to {LEVELS[-1]} (best), or skip.", "mark": "'success at STEP' or 'failure at STEP', or skip.",
    "interval": "'unsafe START-STOP: WHY', or skip."}
_KINDS: Mapping[type, Kind] = {Ranking: "ranking", Rating: "rating", SuccessMark: "mark", UnsafeInterval: "interval"}

_FORMULAS = ("=", "+", "-", "@", "\t", "\r")


def json_lines(records: Sequence[Record]) -> str:
    """One object per record: id, kind, time [s since 1970], annotator and document, as the ledger holds them."""
    return "".join(json.dumps({"id": record.id, "kind": record.kind, "time": record.time, "annotator": record.annotator,
                               "document": json.loads(dump(record.entry))}) + "\n" for record in records)


def comma_separated(records: Sequence[Record]) -> str:
    """One line per answer under a line of `COLUMNS`, the withdrawn and undone ones too. No text of it is a formula."""
    history = History(records)
    said: dict[int, Response] = {}
    for record in records:
        if isinstance(record.entry, Response):
            said[record.id] = record.entry
        elif isinstance(record.entry, Amend):
            said[record.entry.answer] = record.entry.response
    out = io.StringIO()
    writer = csv.writer(out)
    writer.writerow(COLUMNS)
    for id, response in said.items():
        query = history.queries.get(response.given.query)
        writer.writerow(map(_cell, [id, "yes" if id in history.responses else "no", *_asked(query), response.given.annotator,
                                    response.given.asked, response.given.answered, response.given.seconds,
                                    in_words(response, query), *_shown(response, query)]))
    return out.getvalue()


def in_words(response: Response, query: Query | None = None) -> str:
    """What was said: the side of a pair, the rank of each clip, the level, success or failure, the interval and why."""
    if isinstance(response, Skip):
        return "skip"
    if isinstance(response, Ranking):
        return side_of(query, response) if query and query.kind == "pair" else " ".join(map(str, response.ranks))
    if isinstance(response, Rating):
        return str(response.level)
    if isinstance(response, SuccessMark):
        return f"{'success' if response.success else 'failure'} at {response.step}"
    return f"unsafe {response.segment.start}-{response.segment.stop}: {response.reason}"


def from_words(said: str, before: Response, query: Query | None = None) -> Response:
    """The inverse of `in_words`: what an answer says if it says `said` instead of what it said `before`.

    Raises:
        DataError: that is no answer to what was asked.
    """
    given, shown = before.given, about(before, query)
    kind: Kind = query.kind if query is not None else _KINDS[type(before)]
    if said == "skip" and query is not None:
        return Skip(given)
    found = re.fullmatch(_WORDS[kind], said, re.DOTALL)
    if found is None:
        raise DataError(f"'{said[:80]}' is no answer to a question of kind {kind}.", valid=_VALID[kind])
    values = found.groups()
    if kind == "pair" and query is not None:
        side: Side = next(side for side in get_args(Side) if side == said)
        return answer_pair(query, side, given)
    if kind == "rating":
        return Rating(shown[0], int(values[0]), given)
    if kind == "mark":
        return SuccessMark(shown[0].episode_id, int(values[1]), values[0] == "success", given)
    if kind == "interval":
        return UnsafeInterval(Segment(shown[0].episode_id, int(values[0]), int(values[1])), values[2], given)
    return Ranking(shown, tuple(map(int, said.split())), given)


def clips(segments: Sequence[Segment]) -> str:
    """References as `episode:start-stop`."""
    return " ".join(f"{segment.episode_id}:{segment.start}-{segment.stop}" for segment in segments)


def about(response: Response, query: Query | None = None) -> tuple[Segment, ...]:
    """The clips that an answer is about; of a mark without a query the step alone."""
    if query is not None:
        return query.options
    if isinstance(response, Ranking):
        return response.segments
    if isinstance(response, SuccessMark):
        return (Segment(response.episode_id, response.step, response.step + 1),)
    return () if isinstance(response, Skip) else (response.segment,)


def _asked(query: Query | None) -> list[object]:
    return ["", "", "", ""] if query is None else [query.id, query.kind, query.strategy, query.reward_version]


def _shown(response: Response, query: Query | None) -> list[str]:
    order, predicted = ((), ()) if query is None else (query.order, query.predicted)
    return [clips(about(response, query)), " ".join(map(str, order)), " ".join(f"{share:.4g}" for share in predicted)]


def _cell(value: object) -> object:
    return f"'{value}" if isinstance(value, str) and value.startswith(_FORMULAS) else value
