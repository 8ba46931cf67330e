"""Another model as labeller (RLAIF; Bai et al. 2022, Lee et al. 2023), which is not trusted further than it can be checked.

Each pair is shown twice, the second time with its sides swapped. Only what the model says both times is an answer; else it
abstains, and is told apart from one that favours a side. A sample of its answers is put aside for a person.
"""

from __future__ import annotations

import queue
import random
import re
import threading
import time
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace

from rewardbot.config import setting
from rewardbot.errors import RewardbotError
from rewardbot.feedback.feedback import Given, Kind, Query, Ranking, Response, Side, answer_pair
from rewardbot.feedback.teachers.base import check_kind
from rewardbot.types import Segment

Labeller = Callable[[Segment, Segment], Side]
"""Shown a left and a right clip, says which is better, `equal`, or `skip` if it cannot say. May take its time."""

AUDIT = ".audit"
"""What the id of a query ends in that asks a person what the model was asked."""

_SWAPPED: Mapping[Side, Side] = {"left": "right", "right": "left", "equal": "equal", "skip": "skip"}


class LabellerUnavailable(RewardbotError):
    """The labeller gave no answer now, and may later."""


class LabellerRefused(RewardbotError):
    """The labeller will give no answer, however often it is asked."""


@dataclass(frozen=True)
class ModelConfig:
    """How a model is used as a labeller."""

    audit: float = setting(0.05, "share of its answers that a person is asked about too", min=0.0, max=1.0)
    pause_s: float = setting(1.0, "pause after a failure, doubled after each further one [s]", min=0.0)
    longest_pause_s: float = setting(60.0, "longest pause [s]", min=0.0)
    bias_after: int = setting(10, "pairs after which a labeller may be called biased", min=1)
    bias: float = setting(0.5, "share of pairs, both ways on the same side, that calls it so; a coin has a quarter", min=0.0, max=1.0)


class Model:
    """See the module. A question at which the labeller fails goes to the end of the queue, and after a pause it goes on:
    as long as it takes, so that none is lost.

    Args:
        label: the labeller; called in a thread of its own.
        name: in which it answers.
        config: see `ModelConfig`.
        seed: of the sample for a person.
        clock: tells the time [s since 1970].

    Attributes:
        refused: why there will be no answers any more; None as long as there may be some.
    """

    def __init__(
        self, label: Labeller, name: str = "model", config: ModelConfig | None = None, *, seed: int = 0,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._label, self._name, self._config, self._seed, self._clock = label, name, config or ModelConfig(), seed, clock
        self._questions: queue.SimpleQueue[Query | None] = queue.SimpleQueue()
        self._answers: queue.SimpleQueue[tuple[Query, Response]] = queue.SimpleQueue()
        self._audits: list[Query] = []
        self._sides: Counter[str] = Counter()
        self._failure = self._told = ""
        self.refused: LabellerRefused | None = None
        self._closed = threading.Event()
        self._worker = threading.Thread(target=self._work, name=f"labeller {name}", daemon=True)
        self._worker.start()

    @property
    def name(self) -> str:
        """See `Teacher`."""
        return self._name

    @property
    def kinds(self) -> tuple[Kind, ...]:
        """See `Teacher`; the sides of a pair can be swapped."""
        return ("pair",)

    @property
    def trouble(self) -> str:
        """What a person should know: why there are no answers now, or that the labeller favours a side; else empty."""
        return self._failure or self._bias()

    def news(self) -> str:
        """`trouble`, once each time that it becomes another one; empty otherwise. How often and how long is nothing new."""
        trouble = self.trouble
        words = re.sub(r"\d+", "", trouble)
        told, self._told = self._told, words
        return trouble if words != told else ""

    def ask(self, query: Query) -> None:
        """See `Teacher`.

        Raises:
            DataError: not a pair.
        """
        check_kind(self, query)
        self._questions.put(query)

    def poll(self) -> list[Response]:
        """See `Teacher`.

        Raises:
            LabellerRefused: there will be no answers any more.
        """
        found: list[Response] = []
        while not self._answers.empty():
            query, response = self._answers.get()
            found.append(response)
            if isinstance(response, Ranking) and random.Random(f"{self._seed} {query.id}").random() < self._config.audit:
                self._audits.append(replace(query, id=query.id + AUDIT, strategy="audit", predicted=(), to=""))
        if self.refused and not found:
            raise self.refused
        return found

    def audits(self) -> list[Query]:
        """Questions for a person about pairs that the model answered, since the last call; `agreement` compares the answers."""
        found, self._audits = self._audits, []
        return found

    def close(self) -> None:
        """See `Teacher`; does not wait for a call that is under way, whose answer is lost."""
        self._closed.set()
        self._questions.put(None)

    def _work(self) -> None:
        pause = self._config.pause_s
        while (query := self._questions.get()) is not None and not self._closed.is_set():
            asked, started = self._clock(), time.monotonic()
            try:
                side = self._both_ways(query)
            except LabellerRefused as error:
                self.refused = error
                return
            except Exception as error:  # whatever a callable of the user's raises
                said = str(error) if isinstance(error, RewardbotError) else f"{type(error).__name__}: {error}"
                self._failure = f"{said}\n  The labeller {self._name} is asked again in {pause:.0f} s."
                self._questions.put(query)
                self._closed.wait(pause)
                pause = min(2.0 * pause, self._config.longest_pause_s)
                continue
            self._failure, pause = "", self._config.pause_s
            given = Given(self._name, query.id, asked, self._clock(), time.monotonic() - started)
            self._answers.put((query, answer_pair(query, side, given)))

    def _both_ways(self, query: Query) -> Side:
        left, right = (query.options[option] for option in query.order)
        first, second = self._say(left, right), self._say(right, left)
        self._sides["pairs"] += 1
        self._sides[first] += first == second
        return first if first == _SWAPPED[second] else "skip"

    def _say(self, left: Segment, right: Segment) -> Side:
        side = self._label(left, right)
        if side not in _SWAPPED:
            raise LabellerRefused(f"The labeller {self._name} says {side!r}.", valid=f"It must say {', '.join(_SWAPPED)}.")
        return side

    def _bias(self) -> str:
        pairs = self._sides["pairs"]
        for side in ("left", "right"):
            if pairs >= self._config.bias_after and self._sides[side] > self._config.bias * pairs:
                return (f"The labeller {self._name} chose the {side} clip of {self._sides[side]} of {pairs} pairs both ways round. "
                        f"It favours a side; what it says of these pairs is not used.")
        return ""


def agreement(queries: Mapping[str, Query], responses: Mapping[int, Response]) -> tuple[int, int]:
    """How often people agreed with what the model had answered, and how often they were asked, skips apart.

    Args:
        queries: by id, of a `History`.
        responses: what counts, of a `History`.
    """
    ranks = {response.given.query: response.ranks for response in responses.values() if isinstance(response, Ranking)}
    pairs = [(ranks[id.removesuffix(AUDIT)], ranks[id]) for id in queries
             if id.endswith(AUDIT) and id in ranks and id.removesuffix(AUDIT) in ranks]
    return sum(model == person for model, person in pairs), len(pairs)
