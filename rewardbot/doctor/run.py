"""Runs the checks, each in a process of its own with a time limit, so that a crash or a hang of one is a row of the table."""

from __future__ import annotations

import importlib
import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterable
from dataclasses import asdict, dataclass
from typing import IO

from rewardbot.config import from_mapping
from rewardbot.doctor.finding import DoctorOptions, Finding
from rewardbot.errors import RewardbotError, unknown_name

LONGEST_S = 60.0


@dataclass(frozen=True)
class Check:
    """A check: a function that takes DoctorOptions and gives findings, and what it means when it crashes.

    Attributes:
        place: "module:function", imported in the check's own process only.
        limit_s: time after which it is ended [s].
        mend: what to do if it crashes or hangs.
    """

    name: str
    place: str
    limit_s: float = 20.0
    mend: str = "make venv, or reinstall what the message names."


_HERE = "rewardbot.doctor"
_ROS = "If `shared memory` is a problem, mend that. " \
       "Else unset RMW_IMPLEMENTATION and FASTDDS_DEFAULT_PROFILES_FILE; then make venv, or source your ROS 2 install in a new shell."
CHECKS = (
    Check("machine", f"{_HERE}.machine:machine"),
    Check("python", f"{_HERE}.software:python"),
    Check("packages", f"{_HERE}.software:packages"),
    Check("libraries", f"{_HERE}.software:libraries"),
    Check("disk", f"{_HERE}.machine:disk", mend="Is a network disk gone? Name another folder with --run-dir."),
    Check("shm", f"{_HERE}.machine:shared_memory"),
    Check("rendering", f"{_HERE}.rendering:rendering", 60.0, "MuJoCo's drawing fails here: unset MUJOCO_GL, and see `libraries`."),
    Check("gpu", f"{_HERE}.devices:gpu", 60.0, "nvidia-smi should answer; rewardbot runs on the CPU without it."),
    Check("cameras", f"{_HERE}.devices:cameras"),
    Check("joystick", f"{_HERE}.devices:joystick"),
    Check("rclpy", f"{_HERE}.graph:rclpy_import", mend=_ROS),
    Check("domain", f"{_HERE}.graph:domain", mend=_ROS),
    Check("dds", f"{_HERE}.graph:dds", 60.0, _ROS),
)


def examine(
    options: DoctorOptions, *, checks: Iterable[Check] = CHECKS, progress: Callable[[str], None] = lambda name: None
) -> list[Finding]:
    """Runs the checks that `options.only` names, or all, one after the other.

    Raises:
        ConfigError: a name in `options.only` that is no check.
    """
    known = {check.name: check for check in checks}
    for name in options.only:
        if name not in known:
            raise unknown_name("check", name, known)
    findings: list[Finding] = []
    for name in options.only or known:
        progress(name)
        findings += run_check(known[name], options)
    return findings


def run_check(check: Check, options: DoctorOptions) -> list[Finding]:
    """The findings of one check, or one problem if it crashed or did not end in time."""
    command = [sys.executable, "-m", __name__, check.place, json.dumps(asdict(options))]
    with tempfile.TemporaryFile("w+") as out, tempfile.TemporaryFile("w+") as said:
        process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=out, stderr=said, text=True, start_new_session=True)
        try:
            code = process.wait(check.limit_s)
        except subprocess.TimeoutExpired:
            found = f"no answer within {check.limit_s:g} s"
            return [Finding(check.name, "problem", _with_last_line(found, said), check.mend)]
        finally:
            _end_group(process)
        if code == 0:
            out.seek(0)
            return [from_mapping(Finding, item) for item in json.load(out)]
        found = f"crashed with signal {-code} ({signal.Signals(-code).name})" if code < 0 else f"failed with exit code {code}"
        return [Finding(check.name, "problem", _with_last_line(found, said), check.mend)]


def _with_last_line(found: str, said: IO[str]) -> str:
    said.seek(0)
    lines = [line.strip() for line in said if line.strip()]
    return f"{found}: {lines[-1][:300]}" if lines else found


def _end_group(process: subprocess.Popen[str]) -> None:
    """Ends the check and whatever it started; nothing is left when a check hangs."""
    try:
        os.killpg(process.pid, signal.SIGKILL)
    except ProcessLookupError:
        pass  # it ended, and left nothing
    process.wait()


def timed(work: Callable[[], object], seconds: float) -> float:
    """How often `work` can be done per second: the best fifth of `seconds`, since other programs only ever slow it down."""
    best = 0.0
    for _ in range(5):
        count, start = 0, time.perf_counter()
        while (passed := time.perf_counter() - start) < seconds / 5:
            work()
            count += 1
        best = max(best, count / passed)
    return best


def _child(place: str, options: str) -> None:
    """The process of one check. What libraries print goes to stderr; stdout carries the findings alone."""
    answer = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)
    module, _, function = place.partition(":")
    try:
        findings = getattr(importlib.import_module(module), function)(from_mapping(DoctorOptions, json.loads(options)))
    except RewardbotError as error:
        findings = [Finding(function, "problem", error.what, " ".join(filter(None, (error.valid, error.next_step))))]
    json.dump([asdict(item) for item in findings], answer)
    answer.flush()
    os._exit(0)  # a library that crashes while it is unloaded is no finding


if __name__ == "__main__":
    _child(*sys.argv[1:])
