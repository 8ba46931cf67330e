"""The run folder `<runs>/<time>-<task>-<seed>/`: configuration, metrics, curves, video, summary. `<runs>/latest` points to it.

    config.yaml                    everything that was set, with the version and the git revision
    metrics.csv                    time_s, step, name, value: one scalar a line, in order
    events.out.tfevents.*          the same for TensorBoard
    curves.png, video.mp4          see curves.py and video.py
    summary.json                   see summary.py
"""

from __future__ import annotations

import csv
import fcntl
import io
import math
import os
import subprocess
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from types import TracebackType
from typing import Any, BinaryIO

import yaml

import rewardbot
from rewardbot.config import user_path
from rewardbot.errors import ConfigError, RewardbotError
from rewardbot.training.files import StorageError, link_atomic, storing, write_atomic
from rewardbot.training.summary import Summary

LATEST, CONFIG, LEARNER, METRICS = "latest", "config.yaml", "learner.yaml", "metrics.csv"


class RunFolder:
    """One run's folder, a new one or one that is gone on with. A context manager: leaving it closes the metrics files.

    Raises:
        StorageError: it cannot be written to.
        ConfigError: another process works at it.

    Attributes:
        path: the folder.
        history: metric name -> [(time since the start [s], step, value)], all that `log` was given.
    """

    def __init__(self, path: Path) -> None:
        from rewardbot.training.events import EventFile  # slow to import, and only needed by a run

        self.path = path
        self.history: dict[str, list[tuple[float, int, float]]] = {}
        self._started = time.time()
        with storing(path):
            self._csv: BinaryIO = (path / METRICS).open("a+b")
            _lock(self._csv, path)
            self._started -= self._read_history()
            self._events: BinaryIO = (path / f"events.out.tfevents.{int(self._started)}.rewardbot").open("ab")
            if self._csv.tell() == 0:
                self._csv.write(b"time_s,step,name,value\n")
            self._records = EventFile(self._events, self._started)
            self.flush()

    @classmethod
    def create(cls, runs: Path, task: str, seed: int, config: Mapping[str, Any]) -> RunFolder:
        """A new folder in `runs`, with `config.yaml` of plain values; `runs/latest` then points to it.

        Raises:
            StorageError: it cannot be made: read-only folder, full disk, a file in the way.
        """
        runs = user_path(runs)
        name = f"{datetime.now():%Y%m%d-%H%M%S}-{task}-{seed}"
        with storing(runs, "another folder with --run-dir"):
            runs.mkdir(parents=True, exist_ok=True)
            path = _make_unique(runs, name)
        head = {"rewardbot": rewardbot.__version__, "revision": revision()}
        write_atomic(path / CONFIG, yaml.safe_dump({**head, **config}, sort_keys=False, allow_unicode=True))
        link_atomic(runs / LATEST, path.name)
        return cls(path)

    def _read_history(self) -> float:
        """Takes over what was logged before, without a last line that was cut off; returns the time it reaches [s]."""
        self._csv.seek(0)
        content = self._csv.read(os.fstat(self._csv.fileno()).st_size)  # of a device: nothing
        whole = content[: content.rfind(b"\n") + 1]
        if len(whole) < len(content):
            self._csv.truncate(len(whole))
        reached = 0.0
        for row in csv.DictReader(io.StringIO(whole.decode(errors="replace"))):
            try:
                reached, step, value = float(row["time_s"]), int(row["step"]), float(row["value"])
            except (KeyError, TypeError, ValueError):
                continue  # not a line of ours
            self.history.setdefault(row["name"], []).append((reached, step, value))
        return reached

    def elapsed(self) -> float:
        """Time that has been worked at the run [s]."""
        return time.time() - self._started

    def log(self, metrics: Mapping[str, float], step: int, elapsed: float | None = None) -> None:
        """Appends scalars to metrics.csv and to TensorBoard's file, and hands them to the operating system.

        Args:
            metrics: name -> value; values that are not finite are left out.
            step: environment steps so far.
            elapsed: time since the start [s]; now if not given.

        Raises:
            StorageError: full disk.
        """
        elapsed = self.elapsed() if elapsed is None else elapsed
        finite = {name: float(value) for name, value in metrics.items() if math.isfinite(value)}
        text = io.StringIO()
        rows = csv.writer(text, lineterminator="\n")
        for name, value in finite.items():
            rows.writerow([f"{elapsed:.3f}", step, name, f"{value:.9g}"])
            self.history.setdefault(name, []).append((elapsed, step, value))
        with storing(self.path / METRICS):
            self._csv.write(text.getvalue().encode())
            self._records.add(finite, step, self._started + elapsed)
            self.flush()

    def flush(self) -> None:
        """Hands what was written to the operating system, so that it survives a kill of this process."""
        self._csv.flush()
        self._events.flush()

    def finish(self, summary: Summary) -> None:
        """Writes `summary.json` and draws `curves.png` from all that was logged.

        Raises:
            StorageError: full disk.
        """
        # Slow to import, and only needed at the end.
        from rewardbot.training.curves import draw_curves

        write_atomic(self.path / "summary.json", summary.to_json())
        draw_curves(self.path / "curves.png", self.history, summary)

    def close(self) -> None:
        """Closes the metrics files. May be called twice."""
        with storing(self.path / METRICS):
            self._csv.close()
            self._events.close()

    def __enter__(self) -> RunFolder:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        try:
            self.close()
        except StorageError:
            if error is None:  # otherwise what went wrong first says more
                raise


@contextmanager
def naming_the_way_on(run: RunFolder, command: str) -> Iterator[None]:
    """A mistake that ends a run is told with the command that goes on with it, as `__notes__` of the error."""
    try:
        yield
    except RewardbotError as error:
        if error.exit_code == RewardbotError.exit_code:  # who stopped it is told so anyway
            error.add_note(f"What was done so far is in {run.path}: rewardbot {command} --resume {run.path} goes on.")
        raise


def learner_yaml(settings: Mapping[str, Any]) -> str:
    """The learner's settings as a ROS parameter file."""
    return yaml.safe_dump({"/**": {"ros__parameters": dict(settings)}}, sort_keys=False)


def revision() -> str:
    """The git revision of the source tree, with `+changes` if it differs from that; empty for an install without git."""

    def git(*arguments: str) -> str:
        root = Path(rewardbot.__file__).resolve().parents[1]
        if not (root / ".git").exists():
            return ""
        try:
            return subprocess.run(["git", "-C", str(root), *arguments], capture_output=True, text=True, timeout=10,
                                  check=True, stdin=subprocess.DEVNULL).stdout.strip()
        except (OSError, subprocess.SubprocessError):
            return ""

    commit = git("rev-parse", "HEAD")
    return f"{commit}+changes" if commit and git("status", "--porcelain", "--untracked-files=no") else commit


def _lock(file: BinaryIO, path: Path) -> None:
    """Keeps others out for as long as the file is open."""
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        raise ConfigError(f"Another process works at the run {path}.", next_step="Wait for it, or stop it.") from None
    except OSError:
        pass  # a file system without locks


def _make_unique(runs: Path, name: str) -> Path:
    """Several runs may begin within one second."""
    for number in range(1, 1000):
        path = runs / (name if number == 1 else f"{name}-{number}")
        try:
            path.mkdir()
        except FileExistsError:
            continue
        return path
    raise OSError(f"there are a thousand runs named {name}")
