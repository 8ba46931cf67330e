"""What the processes do that are killed: `python -m rewardbot.bench._answering LEDGER` starts, for each name on its input and one
after the other, a process that prints its number and answers queries until it is killed, printing the id of each answer and the
number of its query. That line is the acknowledgement."""

from __future__ import annotations

import itertools
import os
import sys
from pathlib import Path

from rewardbot.feedback.feedback import Given, Query, Rating
from rewardbot.feedback.ledger import Ledger
from rewardbot.types import Segment

AT_ONCE = 10
"""Queries that are asked together."""


def answer_to(name: str, number: int) -> Rating:
    """What the process of that name answers to its query of that number."""
    return Rating(Segment("e", number, number + 1), number % 7 + 1, Given(name, f"{name}-{number}"))


def write(path: Path, name: str) -> None:
    """Answers until it is killed."""
    _tell(os.getpid())
    with Ledger(path) as ledger:
        for number in itertools.count():
            if number % AT_ONCE == 0:
                ledger.ask(*(Query(f"{name}-{k}", "rating", (answer_to(name, k).segment,), (0,))
                             for k in range(number, number + AT_ONCE)))
            _tell(ledger.answer(answer_to(name, number)), number)


def _tell(*numbers: int) -> None:
    """A line that is there as a whole or not at all, whenever the process is killed."""
    os.write(sys.stdout.fileno(), (" ".join(map(str, numbers)) + "\n").encode())


if __name__ == "__main__":
    for line in sys.stdin:
        if (child := os.fork()) == 0:
            write(Path(sys.argv[1]), line.strip())
        os.waitpid(child, 0)
        print("gone", flush=True)
