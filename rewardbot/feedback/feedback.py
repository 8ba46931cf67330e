"""What an operator is asked and what they say, as data: queries, answers of each kind, and both as JSON.

Clips are references, `rewardbot.types.Segment`. Times are seconds since 1970 (UTC); ranks count from 0, the best.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, get_args

from rewardbot.config import from_mapping, to_mapping
from rewardbot.errors import ConfigError, DataError, unknown_name
from rewardbot.types import Segment

VERSION = 1
"""Of the JSON form."""

LEVELS = range(1, 8)
"""Of a rating, worst to best."""

MAX_ID, MAX_TEXT = 128, 4000
"""Longest name of a query, episode or annotator, and longest reason [characters]."""

Kind = Literal["pair", "ranking", "rating", "mark", "interval"]
"""What is asked: which of two clips, an order of several, how good one is, success on a frame of one, what is unsafe in one."""

Side = Literal["left", "right", "equal", "skip"]
"""What a pair is answered with."""

_RANKS_AS_SHOWN: dict[Side, tuple[int, int]] = {"left": (0, 1), "right": (1, 0), "equal": (0, 0)}


def _in_data(error: ConfigError) -> DataError:
    return DataError(error.what, valid=error.valid, next_step=error.next_step)


def _check_segments(segments: Sequence[Segment]) -> None:
    for segment in segments:
        _check_name("An episode's id", segment.episode_id)
        if not 0 <= segment.start < segment.stop:
            raise DataError(f"A clip of '{segment.episode_id}' holds steps {segment.start} to {segment.stop}.",
                            valid="0 <= start < stop.")
    if len(set(segments)) != len(segments):
        raise DataError("A clip is compared with itself.", next_step="Choose different clips.")


def _check_times(**times: float) -> None:
    for name, value in times.items():
        if not (math.isfinite(value) and value >= 0.0):
            raise DataError(f"'{name}' is {value}.", valid="Finite seconds, 0 or more.")


def _check_name(what: str, name: str) -> None:
    if not 0 < len(name) <= MAX_ID or not name.isprintable():
        raise DataError(f"{what} is {name[:MAX_ID]!r}.", valid=f"1 to {MAX_ID} printable characters.")


def _check_text(what: str, text: str) -> None:
    if len(text) > MAX_TEXT:
        raise DataError(f"{what} has {len(text)} characters.", valid=f"At most {MAX_TEXT}.")
    if not all(sign.isprintable() or sign == "\n" for sign in text):
        raise DataError(f"{what} holds signs that cannot be shown: {text[:80]!r}.", valid="Text in Unicode, with new lines.")


@dataclass(frozen=True)
class Query:
    """A question about clips.

    Attributes:
        id: unique name.
        kind: what is asked.
        options: the clips; two of a pair, two or more of a ranking, else one. In the order in which they were chosen.
        order: which option is shown at each place, left to right, a permutation of the options' indices.
        asked: when it was made [s since 1970].
        reward_version: version of the reward that asked, 0 for none.
        strategy: what chose it, such as `disagreement`.
        reason: why it was chosen, in words for the annotator.
        predicted: what that reward held of each answer, probabilities (K,) in the order of `feedback.answers`; or empty.
        to: the annotator who is to answer, empty for anybody who comes.

    Raises:
        DataError: a number of clips, a clip, an order or a value that cannot be.
    """

    id: str
    kind: Kind
    options: tuple[Segment, ...]
    order: tuple[int, ...]
    asked: float = 0.0
    reward_version: int = 0
    strategy: str = ""
    reason: str = ""
    predicted: tuple[float, ...] = ()
    to: str = ""

    def __post_init__(self) -> None:
        _check_name("A query's id", self.id)
        if self.kind not in get_args(Kind):
            raise _in_data(unknown_name("kind of query", str(self.kind), get_args(Kind)))
        _check_segments(self.options)
        count = len(self.options)
        if (count < 2) if self.kind == "ranking" else (count != (2 if self.kind == "pair" else 1)):
            wanted = {"pair": "two", "ranking": "two or more"}.get(self.kind, "one")
            raise DataError(f"A query of kind '{self.kind}' has {count} clips.", valid=f"It must have {wanted}.")
        if sorted(self.order) != list(range(count)):
            raise DataError(f"The order in which clips are shown is {list(self.order)}.",
                            valid=f"It must name each of 0 to {count - 1} once.")
        _check_times(asked=self.asked)
        if self.to:
            _check_name("An annotator's name", self.to)
        _check_text("A query's strategy", self.strategy)
        _check_text("A query's reason", self.reason)
        if not all(0.0 <= share <= 1.0 for share in self.predicted):
            raise DataError(f"Predicted answers are {list(self.predicted)}.", valid="Probabilities from 0 to 1.")


@dataclass(frozen=True)
class Given:
    """How an answer came about.

    Attributes:
        annotator: who gave it; the ledger refuses an empty one.
        query: id of the query that it answers, or empty when nobody asked.
        asked: when the annotator was asked [s since 1970].
        answered: when they answered [s since 1970]. May lie before `asked` if the clock was set back in between.
        seconds: how long they took, by a clock that nobody sets [s].

    Raises:
        DataError: a value that cannot be.
    """

    annotator: str = ""
    query: str = ""
    asked: float = 0.0
    answered: float = 0.0
    seconds: float = 0.0

    def __post_init__(self) -> None:
        for what, name in (("An annotator's name", self.annotator), ("A query's id", self.query)):
            if name:
                _check_name(what, name)
        _check_times(asked=self.asked, answered=self.answered, seconds=self.seconds)


@dataclass(frozen=True)
class Ranking:
    """Clips in an order of preference; of a pair, two.

    Attributes:
        segments: k >= 2 clips, in the order of the query's options.
        ranks: rank of each, 0 the best, the same number for a tie, without gaps: (0, 0) calls two clips equally good.

    Raises:
        DataError: fewer than two clips, one twice, or ranks that are none.
    """

    segments: tuple[Segment, ...]
    ranks: tuple[int, ...]
    given: Given = Given()

    def __post_init__(self) -> None:
        _check_segments(self.segments)
        if len(self.segments) < 2:
            raise DataError(f"A ranking has {len(self.segments)} clips.", valid="It must have two or more.")
        if len(self.ranks) != len(self.segments) or self.ranks != dense(self.ranks):
            raise DataError(f"The ranks of {len(self.segments)} clips are {list(self.ranks)}.",
                            valid="One for each clip: 0 the best, then 1, 2 and so on without gaps; ties share a rank.")


@dataclass(frozen=True)
class Rating:
    """How good one clip is: an ordinal `level` of `LEVELS`, 1 the worst and 7 the best."""

    segment: Segment
    level: int
    given: Given = Given()

    def __post_init__(self) -> None:
        _check_segments((self.segment,))
        if self.level not in LEVELS:
            raise DataError(f"A rating is {self.level}.", valid=f"{LEVELS[0]} (worst) to {LEVELS[-1]} (best).")


@dataclass(frozen=True)
class SuccessMark:
    """Whether observation `step` of an episode (0 to T) shows success."""

    episode_id: str
    step: int
    success: bool
    given: Given = Given()

    def __post_init__(self) -> None:
        _check_name("An episode's id", self.episode_id)
        if self.step < 0:
            raise DataError(f"A mark is on step {self.step}.", valid="0 or later.")


@dataclass(frozen=True)
class UnsafeInterval:
    """Steps that nobody should do again, with the annotator's `reason`."""

    segment: Segment
    reason: str
    given: Given = Given()

    def __post_init__(self) -> None:
        _check_segments((self.segment,))
        _check_text("The reason of an unsafe interval", self.reason)
        if not self.reason.strip():
            raise DataError("An unsafe interval has no reason.", next_step="Say in a few words what is unsafe.")


@dataclass(frozen=True)
class Skip:
    """"I cannot say": recorded, and never trained on."""

    given: Given = Given()


Feedback = Ranking | Rating | SuccessMark | UnsafeInterval
"""What a reward may learn from."""

Response = Feedback | Skip
"""What may be said to a query."""

_TYPES: dict[str, type[Any]] = {
    "query": Query, "ranking": Ranking, "rating": Rating, "mark": SuccessMark, "interval": UnsafeInterval, "skip": Skip}
_NAMES = {cls: name for name, cls in _TYPES.items()}
_RESPONSES: dict[Kind, type[Any]] = {
    "pair": Ranking, "ranking": Ranking, "rating": Rating, "mark": SuccessMark, "interval": UnsafeInterval}


def dense(ranks: Sequence[float]) -> tuple[int, ...]:
    """The same order as ranks from 0 without gaps: (10, 30, 10) is (0, 1, 0)."""
    places = {value: rank for rank, value in enumerate(sorted(set(ranks)))}
    return tuple(places[value] for value in ranks)


def answer_ranking(query: Query, ranks: Sequence[int], given: Given) -> Ranking:
    """The answer to a pair or ranking, from the rank of each *place*, left to right."""
    if len(ranks) != len(query.order):
        raise DataError(f"{len(ranks)} ranks were given for {len(query.order)} clips.", valid="One for each clip.")
    by_option = dict(zip(query.order, dense(ranks), strict=True))
    return Ranking(query.options, tuple(by_option[option] for option in range(len(query.options))), given)


def answer_pair(query: Query, side: Side, given: Given) -> Ranking | Skip:
    """The answer to a pair, from the side that was pressed."""
    if side == "skip":
        return Skip(given)
    if side not in _RANKS_AS_SHOWN:
        raise _in_data(unknown_name("answer to a pair", str(side), get_args(Side)))
    return answer_ranking(query, _RANKS_AS_SHOWN[side], given)


def side_of(query: Query, response: Ranking | Skip) -> Side:
    """The side that was pressed to give this answer to a pair; the inverse of `answer_pair`."""
    if isinstance(response, Skip):
        return "skip"
    first, second = (response.ranks[option] for option in query.order)
    return "equal" if first == second else "left" if first < second else "right"


def check_answers(query: Query, response: Response) -> None:
    """Checks that `response` is about what was asked.

    Raises:
        DataError: it is of another kind or about other clips.
    """
    if isinstance(response, Skip):
        return
    if not isinstance(response, _RESPONSES[query.kind]):
        raise DataError(f"Query '{query.id}' was answered with a {_NAMES[type(response)]}.",
                        valid=f"It asks for a {_NAMES[_RESPONSES[query.kind]]}, or skip.")
    shown = query.options[0]
    if isinstance(response, Ranking):
        fits = response.segments == query.options
    elif isinstance(response, Rating):
        fits = response.segment == shown
    elif isinstance(response, SuccessMark):
        fits = response.episode_id == shown.episode_id and shown.start <= response.step <= shown.stop
    else:
        inner = response.segment
        fits = inner.episode_id == shown.episode_id and shown.start <= inner.start and inner.stop <= shown.stop
    if not fits:
        raise DataError(f"The answer to query '{query.id}' is about other steps than were shown.",
                        next_step="Answer the query that was asked.")


def to_json(value: Query | Response) -> dict[str, Any]:
    """Plain values that JSON takes, with `type` and `version`."""
    return {"type": _NAMES[type(value)], "version": VERSION, **to_mapping(value)}


def from_json(document: Any) -> Query | Response:
    """The inverse of `to_json`.

    Raises:
        DataError: no such document, of another version, with an unknown or missing key, or a value that cannot be.
    """
    if not isinstance(document, Mapping) or not isinstance(document.get("type"), str):
        raise DataError("This is no feedback.", valid=f"An object with a type: {', '.join(_TYPES)}.")
    values = dict(document)
    name, version = values.pop("type"), values.pop("version", None)
    if name not in _TYPES:
        raise _in_data(unknown_name("type of feedback", name, _TYPES))
    if version != VERSION or isinstance(version, bool):
        raise DataError(f"This {name} is of version {version}.", valid=f"This rewardbot reads version {VERSION}.",
                        next_step="Use the rewardbot that wrote it, or a newer one.")
    try:
        return from_mapping(_TYPES[name], values, where=name)
    except ConfigError as error:
        raise _in_data(error) from None
