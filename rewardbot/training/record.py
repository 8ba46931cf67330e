"""What a job has done so far, in `job.json` of its run folder: with it, a job that was stopped or killed goes on."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass, field, fields
from pathlib import Path
from typing import Any

from rewardbot.training.files import StorageError, write_atomic
from rewardbot.training.rates import Verdict

NAME = "job.json"


@dataclass
class JobRecord:
    """Written now and then by `keep`, and whole or not at all. What it lacks is done again.

    Attributes:
        total_s: time that the job has taken, in all processes that worked at it [s].
        pretrain_s: time of pretraining without the plain baseline [s].
        explored: highest index in the stream of start states that the learner has taken an episode from, -1 for none.
        learned: `version`, `env_steps` and `learn_s` when learning was over, and where it goes in rounds `rounds` and
            `most_rounds`, see `Summary`; empty before.
        curve: [seconds of learning, steps, true success of the last episodes].
        evaluations: actor -> true success from each start state; None where it is not known yet.
        verdicts: of each evaluation episode, see `rates.Verdict`.
        restarts: node -> how often it was started again.
        unheard: episodes that ended while no learner took them; their start states were visited again.
    """

    total_s: float = 0.0
    pretrain_s: float = 0.0
    explored: int = -1
    learned: dict[str, float] = field(default_factory=dict)
    curve: list[list[float]] = field(default_factory=list)
    evaluations: dict[str, list[bool | None]] = field(default_factory=dict)
    verdicts: list[Verdict] = field(default_factory=list)
    restarts: dict[str, int] = field(default_factory=dict)
    unheard: int = 0

    @staticmethod
    def read(folder: Path, warn: Callable[[str], object]) -> JobRecord:
        """The record of a run folder; an empty one, with a warning unless there is none at all, if it cannot be read."""
        path = folder / NAME
        try:
            values = json.loads(path.read_text())
            record = JobRecord(**{spec.name: values[spec.name] for spec in fields(JobRecord)})
            record._check()
            record.verdicts = [Verdict(*verdict) for verdict in record.verdicts]
            return record
        except FileNotFoundError:
            return JobRecord()
        except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
            warn(f"{path} cannot be read ({type(error).__name__}: {error}). Evaluations are done again; all else is kept.")
            return JobRecord()

    def _check(self) -> None:
        empty = JobRecord()
        for spec in fields(self):
            value, expected = getattr(self, spec.name), getattr(empty, spec.name)
            number = isinstance(expected, (int, float)) and isinstance(value, (int, float)) and not isinstance(value, bool)
            if not number and type(value) is not type(expected):
                raise TypeError(f"{spec.name} is {value!r}")

    def evaluation(self, actor: str, episodes: int) -> list[bool | None]:
        """The results of an actor, to be filled in; begun anew for another number of episodes."""
        known = self.evaluations.get(actor, [])
        if len(known) != episodes:
            known = self.evaluations[actor] = [None] * episodes
        return known

    def evaluated(self, actor: str, episodes: int) -> bool:
        """Whether nothing of an actor's evaluation is left to do."""
        known = self.evaluations.get(actor, [])
        return len(known) == episodes and None not in known


class RecordKeeper:
    """Writes a record to the run folder. A full disk is told once and stops nothing.

    Args:
        record: what is kept; whoever has it changes it in place.
        folder: the run folder.
        warn: told what goes wrong.
    """

    def __init__(self, record: JobRecord, folder: Path, warn: Callable[[str], object]) -> None:
        self.record, self._path, self._warn = record, folder / NAME, warn
        self._since, self._kept_at, self._failing = time.monotonic(), 0.0, False

    def keep(self, at_least_s: float = 0.0) -> None:
        """Writes it, unless that was done less than `at_least_s` ago."""
        now = time.monotonic()
        self.record.total_s += now - self._since
        self._since = now
        if now - self._kept_at < at_least_s:
            return
        self._kept_at = now
        content: dict[str, Any] = asdict(self.record)
        try:
            write_atomic(self._path, json.dumps(content) + "\n")
            self._failing = False
        except StorageError as error:
            if not self._failing:
                self._warn(f"{error} The job goes on without it.")
            self._failing = True
