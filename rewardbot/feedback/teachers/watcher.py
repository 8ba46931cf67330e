"""A simulated person who looks at a clip and marks what was truly unsafe in it: each run of unsafe steps is an interval."""

from __future__ import annotations

import time
from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from rewardbot.errors import DataError
from rewardbot.feedback.feedback import Given, Kind, Query, Response, Skip, UnsafeInterval
from rewardbot.feedback.teachers.base import check_kind
from rewardbot.types import Segment


class Watcher:
    """See the module. As in the windows, the first interval answers the question, and further ones nobody asked for; where nothing is
    unsafe the question is skipped.

    Args:
        unsafe: whether each step of a clip truly was, bool (T,).
        reason: of all intervals.
        name: in which it answers.
        clock: tells the time [s since 1970].
    """

    def __init__(
        self, unsafe: Callable[[Segment], NDArray[np.bool_]], *, reason: str = "in a forbidden zone", name: str = "simulated",
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._unsafe, self._reason, self._name, self._clock = unsafe, reason, name, clock
        self._answers: list[Response] = []

    @property
    def name(self) -> str:
        """See `Teacher`."""
        return self._name

    @property
    def kinds(self) -> tuple[Kind, ...]:
        """See `Teacher`."""
        return ("interval",)

    def ask(self, query: Query) -> None:
        """See `Teacher`.

        Raises:
            DataError: another kind of question, or the truth is about other steps.
        """
        check_kind(self, query)
        clip, now = query.options[0], self._clock()
        asked = Given(self._name, query.id, now, now)
        found = runs(self._truth(clip))
        if not found:
            self._answers.append(Skip(asked))
        for number, (start, stop) in enumerate(found):
            given = asked if number == 0 else Given(self._name, asked=now, answered=now)
            self._answers.append(UnsafeInterval(Segment(clip.episode_id, clip.start + start, clip.start + stop), self._reason, given))

    def poll(self) -> list[Response]:
        """See `Teacher`."""
        found, self._answers = self._answers, []
        return found

    def close(self) -> None:
        """See `Teacher`."""

    def _truth(self, clip: Segment) -> NDArray[np.bool_]:
        found = np.asarray(self._unsafe(clip), bool)
        if found.shape != (clip.stop - clip.start,):
            raise DataError(f"The truth about {clip} has shape {found.shape}.",
                            valid=f"One for each step: ({clip.stop - clip.start},).")
        return found


def runs(true: NDArray[np.bool_]) -> list[tuple[int, int]]:
    """First and last + 1 of each run of what is true, (T,)."""
    edges = np.flatnonzero(np.diff(np.concatenate([[False], true, [False]]).astype(np.int8)))
    return [(int(start), int(stop)) for start, stop in edges.reshape(-1, 2)]
