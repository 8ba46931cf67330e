"""A run whose nodes are killed at random moments, and one that is killed as a whole and resumed, beside an unbroken one."""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from io import BytesIO
from pathlib import Path
from typing import Any

import torch

from rewardbot.data.episodes import list_episodes
from rewardbot.training.bench import BenchOptions, BenchResult, Cell, Report, Target
from rewardbot.training.checkpoint import CHECKPOINT, LEARNER, VISITED
from rewardbot.training.files import write_atomic
from rewardbot.training.record import JobRecord

NODES = ("sim_node", "policy_node", "classifier_node", "recorder_node", "learner_node")
KILLS = 5
"""Of each node."""

EARLIEST, LATEST = 0.05, 0.95
"""Kills are drawn from that part of the unbroken run."""

LOOK_S = 0.3
"""Time between two looks at what is on the disk [s]."""

OPTIONS = ("--task", "lift")
QUICK_OPTIONS = ("--task", "reach", "--demos", "3", "--minutes", "0.1", "--episodes", "4")
QUICK_SETTINGS = "bc: {steps: 20}\nplain_bc: {steps: 10}\nclassifier: {first_steps: 20}\n"


Mark = tuple[int, int, int]
"""Episodes of evaluation, of learning and of demonstration so far. It only grows, and compares as the phases follow each other."""


@dataclass
class Kill:
    """What is killed, a node or all, and when: a time after a run has come so far [s]."""

    what: str
    mark: Mark
    after_s: float


@dataclass
class Seen:
    """What stood on the disk at any time of a run: none of it may be lost."""

    recorded: set[str] = field(default_factory=set)
    visited: set[str] = field(default_factory=set)
    scored: dict[tuple[str, int], bool] = field(default_factory=dict)

    @property
    def mark(self) -> Mark:
        """How far the run has come."""
        return len(self.scored), len(self.visited), len(self.recorded)

    def look(self, run: Path) -> None:
        """Takes note of what is there now."""
        self.recorded |= recorded(run)
        self.visited |= set(visited(run))
        for actor, results in JobRecord.read(run, lambda line: None).evaluations.items():
            for index, result in enumerate(results):
                if result is not None:
                    self.scored.setdefault((actor, index), result)

    def lost(self, run: Path) -> int:
        """How many of the episodes seen are not in the run's result: demonstrations, episodes of learning, evaluations."""
        record = JobRecord.read(run, lambda line: None)
        gone = len(self.recorded - recorded(run)) + max(0, len(self.visited) - taken(run))
        return gone + sum(record.evaluations.get(actor, [])[index : index + 1] != [result]
                          for (actor, index), result in self.scored.items())


def run(options: BenchOptions, report: Report) -> BenchResult:
    """Three runs of the main job with the same seed, one after the other, each as its own program."""
    seed = options.seeds[0] if options.seeds else 0
    folder = options.folder(f"faults-{time.strftime('%Y%m%d-%H%M%S')}")
    arguments = [*OPTIONS, "--seed", str(seed)]
    if options.quick:
        write_atomic(folder / "quick.yaml", QUICK_SETTINGS)
        arguments = [*QUICK_OPTIONS, "--seed", str(seed), "--config", str(folder / "quick.yaml")]
    draw = random.Random(seed)

    unbroken = _Run(folder / "unbroken", arguments)
    report(0.0, "unbroken run")
    unbroken.go(lambda elapsed: report(0.0, f"unbroken run, {elapsed:.0f} s"))

    def kill(what: str, earliest: float = EARLIEST) -> Kill:
        return unbroken.moment(what, draw.uniform(earliest, LATEST))

    killed = _Run(folder / "killed", arguments)
    kills = 1 if options.quick else KILLS
    plan = sorted((kill(node) for node in NODES for _ in range(kills)), key=lambda kill: (kill.mark, kill.after_s))
    killed.go(lambda elapsed: report(0.3, f"{killed.kills} of {len(plan)} kills, {elapsed:.0f} s"), plan)

    resumed = _Run(folder / "resumed", arguments)
    resumed.go(lambda elapsed: report(0.7, f"all of it to be killed, {elapsed:.0f} s"), [kill("all", 0.2)])
    if resumed.code == -signal.SIGKILL:
        resumed.resume(lambda elapsed: report(0.8, f"resumed, {elapsed:.0f} s"))

    runs = {"unbroken": unbroken, "nodes killed": killed, "all killed, resumed": resumed}
    rows = [{"run": name, **found.row()} for name, found in runs.items()]
    expected = unbroken.success
    targets = [Target.at_most("finished episodes lost", sum(found.lost for found in runs.values()), 0)]
    for name in ("nodes killed", "all killed, resumed"):
        found = runs[name]
        behind = None if expected is None or found.success is None else max(0.0, expected - found.success)
        targets += [Target.at_least(f"{name}: the run finishes", float(found.success is not None), 1),
                    Target.at_most(f"{name}: success behind the unbroken run's", behind, 0.05)]
    return BenchResult((seed,), rows, targets)


class _Run:
    """One run of the main job.

    Attributes:
        kills: processes killed so far.
        seconds: how long its processes ran.
        code: exit code of the last one.
    """

    def __init__(self, folder: Path, arguments: list[str]) -> None:
        self._folder, self._arguments = folder, arguments
        self._seen = Seen()
        self._reached: list[tuple[float, Mark]] = [(0.0, (0, 0, 0))]
        self.kills, self.seconds, self.code = 0, 0.0, 0
        folder.mkdir()

    @property
    def path(self) -> Path:
        """The run folder; that of the program's first start."""
        return (self._folder / "latest").resolve()

    @property
    def summary(self) -> dict[str, Any]:
        """What the run came to; empty if it did not."""
        path = self.path / "summary.json"
        return json.loads(path.read_text()) if self.code == 0 and path.exists() else {}

    @property
    def success(self) -> float | None:
        """True success of what was learned; None if the run did not finish."""
        return self.summary.get("success", {}).get("rl")

    @property
    def lost(self) -> int:
        """Finished episodes that are not in the result."""
        return self._seen.lost(self.path)

    def moment(self, what: str, share: float) -> Kill:
        """The kill of `what` at a share of this run, by how far it had come then, for another run that is quicker or slower."""
        at = share * self.seconds
        since, mark = max(item for item in self._reached if item[0] <= at)
        return Kill(what, mark, at - since)

    def go(self, tell: Callable[[float], None], plan: Sequence[Kill] = ()) -> None:
        """Runs it to its end; `plan` says what is killed, in the order of the moments."""
        self._program(["--run-dir", str(self._folder), *self._arguments], tell, list(plan))

    def resume(self, tell: Callable[[float], None]) -> None:
        """Goes on with it after a kill."""
        self._program(["--resume", str(self.path)], tell, [])

    def row(self) -> dict[str, Cell]:
        """A line of the table."""
        record = JobRecord.read(self.path, lambda line: None)
        return {
            "kills": self.kills, "restarts": sum(record.restarts.values()), "success": self.success,
            "demos": len(self._seen.recorded), "episodes": len(self._seen.visited), "evaluated": len(self._seen.scored),
            "lost": self.lost, "again": record.unheard, "learn s": self.summary.get("learn_s"), "all s": round(self.seconds, 1)}

    def _program(self, arguments: list[str], tell: Callable[[float], None], plan: list[Kill]) -> None:
        with (self._folder / "output.log").open("a") as output:
            job = subprocess.Popen([sys.executable, "-m", "rewardbot", "demo", *arguments], stdin=subprocess.DEVNULL,
                                   stdout=output, stderr=subprocess.STDOUT, start_new_session=True)
            begun, looked = time.monotonic(), 0.0
            try:
                while job.poll() is None:
                    elapsed = time.monotonic() - begun
                    tell(elapsed)
                    if elapsed - looked > LOOK_S and (self._folder / "latest").exists():
                        looked = elapsed
                        self._seen.look(self.path)
                        if self._seen.mark != self._reached[-1][1]:
                            self._reached.append((elapsed, self._seen.mark))
                    if plan and self._due(plan[0], elapsed) and self._kill(job, plan[0].what):
                        plan.pop(0)
                    time.sleep(0.05)
            finally:
                for pid in (job.pid, *nodes_of(job.pid).values()):
                    _signal(pid)
                self.code = job.wait()
        self.seconds += time.monotonic() - begun
        self._seen.look(self.path)

    def _due(self, kill: Kill, elapsed: float) -> bool:
        passed = [at for at, mark in self._reached if mark >= kill.mark]
        beyond = self._reached[-1][1] > kill.mark and kill.after_s < 1.0
        return bool(passed) and (beyond or elapsed >= passed[0] + kill.after_s)

    def _kill(self, job: subprocess.Popen[bytes], what: str) -> bool:
        """Kills a node, or all and the job with them; False if it is not there now."""
        nodes = nodes_of(job.pid)
        if what == "all":
            pids = [job.pid, *nodes.values()]
        elif what in nodes:
            pids = [nodes[what]]
        else:
            return False
        for pid in pids:
            self.kills += _signal(pid)
        return True


def nodes_of(job: int) -> dict[str, int]:
    """The nodes that a job has started: name -> process id."""
    found: dict[str, int] = {}
    for children in Path(f"/proc/{job}/task").glob("*/children"):
        try:
            pids = children.read_text().split()
        except OSError:  # it has ended
            continue
        for pid in pids:
            try:
                words = Path(f"/proc/{pid}/cmdline").read_bytes().decode(errors="replace").split("\0")
            except OSError:
                continue
            name = next((word.rpartition(".")[2] for word in words if word.startswith("rewardbot.ros.")), "")
            if name in NODES:
                found[name] = int(pid)
    return found


def _signal(pid: int) -> bool:
    try:
        os.kill(pid, signal.SIGKILL)
    except ProcessLookupError:
        return False
    return True


def recorded(run: Path) -> set[str]:
    """Ids of the recorded demonstrations of a run."""
    folder = run / "demonstrations"
    return {path.name for path in list_episodes(folder)} if folder.is_dir() else set()


def visited(run: Path) -> list[str]:
    """Ids of the visited episodes of a run that are on disk."""
    return [path.stem.partition("-")[2] for path in (run / CHECKPOINT / VISITED).glob("*/*.safetensors")]


def taken(run: Path) -> int:
    """How many visited episodes the newest generation of the learner knows."""
    try:
        state = torch.load(BytesIO((run / CHECKPOINT / "newest" / LEARNER).read_bytes()), map_location="cpu", weights_only=True)
    except OSError:
        return 0
    return int(state["counters"]["episodes"])
