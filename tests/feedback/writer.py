"""What processes of test_ledger.py do: `writer.py LEDGER` starts, for each name on its input and one after the other, a process
that prints its number and answers queries until it is killed, printing the id of each answer and the number of its query."""

from __future__ import annotations

import itertools
import os
import sys
from pathlib import Path

from rewardbot.feedback.feedback import Given, Query, Rating
from rewardbot.feedback.ledger import Ledger
from rewardbot.types import Segment


def write(path: Path, name: str) -> None:
    print(os.getpid(), flush=True)
    with Ledger(path) as ledger:
        for number in itertools.count():
            clip = Segment("e", number, number + 1)
            if number % 10 == 0:
                ledger.ask(*(Query(f"{name}-{k}", "rating", (Segment("e", k, k + 1),), (0,)) for k in range(number, number + 10)))
            print(ledger.answer(Rating(clip, number % 7 + 1, Given(name, f"{name}-{number}"))), number, flush=True)


if __name__ == "__main__":
    for name in sys.stdin:
        if (child := os.fork()) == 0:
            write(Path(sys.argv[1]), name.strip())
        os.waitpid(child, 0)
        print("gone", flush=True)
