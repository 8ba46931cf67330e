"""What a teacher is: somebody who is asked and answers when they can. Neither call waits, so that no robot ever does."""

from __future__ import annotations

from typing import Protocol

from rewardbot.errors import DataError
from rewardbot.feedback.feedback import Kind, Query, Response


class Teacher(Protocol):
    """People, simulated people and models alike."""

    @property
    def name(self) -> str:
        """The annotator in whose name answers come."""
        ...

    @property
    def kinds(self) -> tuple[Kind, ...]:
        """What may be asked."""
        ...

    def ask(self, query: Query) -> None:
        """Puts a question; returns at once.

        Raises:
            DataError: of a kind that is not among `kinds`.
        """
        ...

    def poll(self) -> list[Response]:
        """Answers that came since the last call, skips too, in the order in which they came; returns at once."""
        ...

    def close(self) -> None:
        """Lets go of what it holds; questions without an answer stay without."""
        ...


def check_kind(teacher: Teacher, query: Query) -> None:
    """Checks that `teacher` may be asked this.

    Raises:
        DataError: of a kind that is not among its `kinds`.
    """
    if query.kind not in teacher.kinds:
        raise DataError(f"Teacher '{teacher.name}' is asked for a {query.kind}.", valid=f"It answers: {', '.join(teacher.kinds)}.")
