"""The feedback ledger: processes that write answers are killed (kill -9) at random moments; answers per second; rewards that are
rebuilt from it to the bit.

A killed process is gone without a word, but the machine stays: what is tested is that an answer is in the file before it is
acknowledged and that the next process finds the file whole. That it survives a power cut is SQLite's promise (synchronous=FULL).
"""

from __future__ import annotations

import contextlib
import json
import os
import random
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from itertools import islice, takewhile
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
from numpy.typing import NDArray

from rewardbot.bench import _answering, _rebuilding
from rewardbot.feedback.feedback import Given, Query, Response, Side, answer_pair
from rewardbot.feedback.ledger import Ledger
from rewardbot.feedback.teachers.simulated import Simulated
from rewardbot.training.bench import BenchOptions, BenchResult, Cell, Report, Target
from rewardbot.types import Segment

PEOPLE = ("anna", "ben", "carl")


@dataclass(frozen=True)
class Size:
    """How much is measured.

    Attributes:
        kills: how many.
        together: processes that write to the ledger at a time.
        seen: most acknowledgements that are awaited before a kill, half of the time none; it comes up to `later_s` [s] later.
        timed: answers that each writer is timed for.
        answers: that the rewards are rebuilt from.
    """

    kills: int = 50
    together: int = 2
    seen: int = 20
    later_s: float = 0.01
    timed: int = 1000
    answers: int = 200


QUICK = Size(kills=6, timed=50, answers=40)


def run(options: BenchOptions, report: Report) -> BenchResult:
    """Kills, then speed, then what is rebuilt."""
    size = QUICK if options.quick else Size()
    seeds = options.seeds or (0,)
    place = options.folder()
    rows: list[dict[str, Cell]] = []
    lost = differ = 0
    for seed in seeds:
        with TemporaryDirectory(prefix="ledger-", dir=place) as name:
            folder, draw = Path(name), random.Random(seed)
            kills = Kills()
            for done in kill(folder / "killed.db", size, draw):
                kills = done
                report(0.7 * kills.kills / size.kills, f"{kills.kills} of {size.kills} kills")
            measured: dict[str, Cell] = kills.figures()
            lost += kills.lost
            for writers in (1, 4):
                report(0.7, f"answers per second, {writers} writing")
                measured |= {f"{writers} writing: {what}": value
                             for what, value in speed(folder / f"timed-{writers}.db", writers, size.timed).items()}
            report(0.9, "rewards rebuilt")
            before, after = rebuilt(folder / "rebuilt.db", size.answers, draw, seed)
            measured |= {f"{reward}: weights, SHA-256": digest[:16] for reward, digest in before.items()}
            measured |= {f"{reward}: rebuilt": digest[:16] for reward, digest in after.items()}
            differ += sum(after[reward] != digest for reward, digest in before.items())
            rows += [{"seed": seed, "what": what, "value": value} for what, value in measured.items()]
    return BenchResult(seeds, rows, (
        Target.at_most(f"acknowledged answers lost in {size.kills} kills", lost, 0),
        Target.at_most("rewards whose weights differ by a bit when rebuilt", differ, 0)))


@dataclass
class Kills:
    """What kills cost.

    Attributes:
        acknowledged: (process, number of its query) -> id of the answer, as the process said.
        early: processes that were killed before their first acknowledgement.
        lost: acknowledged answers that are not in the ledger, or say something else there.
        stored: answers in the ledger.
    """

    kills: int = 0
    acknowledged: dict[tuple[str, int], int] = field(default_factory=dict)
    early: int = 0
    lost: int = 0
    stored: int = 0

    def figures(self) -> dict[str, Cell]:
        """Lines of the table. Unheard: stored, and killed before they could be acknowledged; at most one of each process."""
        return {"kills": self.kills, "kills before the first answer": self.early, "answers acknowledged": len(self.acknowledged),
                "answers lost": self.lost, "answers unheard": self.stored - len(self.acknowledged)}

    def judge(self, path: Path) -> None:
        """Looks at the whole ledger as the next process finds it."""
        with Ledger(path) as ledger:
            ledger.verify()
            stored = ledger.active()
        self.stored = len(stored)
        self.lost = sum(stored.get(id) != _answering.answer_to(*key) for key, id in self.acknowledged.items())


def kill(path: Path, size: Size, draw: random.Random) -> Iterator[Kills]:
    """Kills processes that write to `path`, some of them while they begin; tells what is found after each round."""
    found = Kills()
    with contextlib.ExitStack() as stack:
        starters = [stack.enter_context(_Starter(path)) for _ in range(size.together)]
        while found.kills < size.kills:
            some = [(f"w{found.kills + number}", starter)
                    for number, starter in enumerate(starters[: size.kills - found.kills])]
            pids = [starter.begin(name) for name, starter in some]
            for (name, starter), pid in zip(some, pids, strict=True):
                seen = list(islice(starter.lines, draw.choice((0, draw.randint(1, size.seen)))))
                threading.Event().wait(draw.uniform(0.0, size.later_s))  # so that it falls anywhere in a transaction
                os.kill(pid, signal.SIGKILL)
                seen += takewhile(lambda line: line != "gone\n", starter.lines)
                found.kills += 1
                found.early += not seen
                for id, number in (line.split() for line in seen if line.endswith("\n")):
                    found.acknowledged[name, int(number)] = int(id)
            found.judge(path)
            yield found


class _Starter:
    """A process that starts writers, see `_answering`: they are new processes, without the seconds of a new interpreter."""

    def __init__(self, path: Path) -> None:
        self._process = subprocess.Popen([sys.executable, "-m", _answering.__name__, str(path)], stdin=subprocess.PIPE,
                                         stdout=subprocess.PIPE, text=True)
        assert self._process.stdin is not None and self._process.stdout is not None
        self._names, self.lines = self._process.stdin, self._process.stdout

    def begin(self, name: str) -> int:
        """The number of the process that has begun."""
        self._names.write(f"{name}\n")
        self._names.flush()
        return int(self.lines.readline())

    def __enter__(self) -> _Starter:
        return self

    def __exit__(self, *_: object) -> None:
        self._names.close()
        self.lines.close()  # a writer that was not killed ends when nobody listens
        self._process.wait()


def speed(path: Path, writers: int, answers: int) -> dict[str, float]:
    """Lines of the table: so many threads with a ledger object each answer so many queries each, all on one file."""

    def write(name: str) -> NDArray[np.float64]:
        with Ledger(path, wait_s=60.0) as ledger:
            ledger.ask(*(Query(f"{name}-{number}", "rating", (_answering.answer_to(name, number).segment,), (0,))
                         for number in range(answers)))
            ready.wait()
            times = [time.perf_counter()]
            for number in range(answers):
                ledger.answer(_answering.answer_to(name, number))
                times.append(time.perf_counter())
        return np.array(times)

    ready = threading.Barrier(writers)
    with ThreadPoolExecutor(writers) as pool:
        times = list(pool.map(write, [f"w{number}" for number in range(writers)]))
    taken = np.concatenate([np.diff(of) for of in times])
    whole = max(of[-1] for of in times) - min(of[0] for of in times)
    return {"answers/s": writers * answers / whole, "median of an answer, ms": 1e3 * float(np.median(taken)),
            "99 of 100 answers within, ms": 1e3 * float(np.quantile(taken, 0.99))}


def rebuilt(path: Path, answers: int, draw: random.Random, seed: int) -> tuple[dict[str, str], dict[str, str]]:
    """Digests of the rewards that learned what was said, and of those that another process learns from the ledger.

    Three people answer; some answers are amended, some undone, and all that one of them said is withdrawn.
    """
    true = np.random.default_rng(seed).normal(size=_rebuilding.STATES)
    teachers = {name: Simulated(lambda segment: _states(segment, seed) @ true, seed=seed, name=name) for name in PEOPLE}
    said: dict[int, Response] = {}
    with Ledger(path) as ledger:
        for number in range(answers):
            teacher, query = teachers[draw.choice(PEOPLE)], _question(number, draw)
            ledger.ask(query)
            teacher.ask(query)
            (response,) = teacher.poll()
            id = ledger.answer(response)
            said[id] = response
            if draw.random() < 0.1:
                said[id] = answer_pair(query, _side(draw), Given(teacher.name, query.id))
                ledger.amend(id, said[id])
            elif draw.random() < 0.1:
                ledger.undo(id, teacher.name)
                del said[id]
        ledger.withdraw(PEOPLE[-1], PEOPLE[0])
        said = {id: response for id, response in said.items() if response.given.annotator != PEOPLE[-1]}
    program = [sys.executable, "-m", _rebuilding.__name__, str(path), str(seed)]
    again = subprocess.run(program, stdout=subprocess.PIPE, text=True, check=True).stdout
    return _rebuilding.digests(said.values(), seed), json.loads(again)


def _question(number: int, draw: random.Random) -> Query:
    clips = draw.sample(range(_rebuilding.EPISODES), 2)
    lengths = [draw.randint(20, _rebuilding.LENGTH) for _ in clips]
    return Query(f"q{number}", "pair", tuple(Segment(str(clip), 0, length) for clip, length in zip(clips, lengths, strict=True)),
                 tuple(draw.sample(range(2), 2)))


def _side(draw: random.Random) -> Side:
    sides: tuple[Side, ...] = ("left", "right", "equal", "skip")
    return draw.choice(sides)


def _states(segment: Segment, seed: int) -> NDArray[np.float32]:
    return _rebuilding.context(seed).transitions(segment).state.numpy()  # type: ignore[union-attr]
