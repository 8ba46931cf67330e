"""Every node is killed in the middle of every phase, then the whole job; what was finished is not lost, and the job ends well."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import threading
import time
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from rewardbot.bench.faults import NODES, nodes_of, recorded, taken, visited
from rewardbot.config import from_mapping
from rewardbot.data.episodes import list_episodes, read_header
from rewardbot.robots.start_states import start_seed
from rewardbot.training.record import JobRecord
from rewardbot.training.summary import Summary

pytestmark = [pytest.mark.ros, pytest.mark.slow]

SETTINGS = "bc: {steps: 20}\nplain_bc: {steps: 10}\nclassifier: {first_steps: 20}\n"
JOB = """
import json, sys
from pathlib import Path
from rewardbot.ros.job import DemoOptions, run_demo
folder = Path(sys.argv[1])
options = DemoOptions(task="reach", demos=4, episodes=15, learn_s=float(sys.argv[2]), config=str(folder / "quick.yaml"),
                      resume=len(sys.argv) > 3)
print("result", json.dumps(run_demo(options, folder, live=False)))
"""
APART_S = 0.15


class Job:
    """The job as a program; in each phase of `plan` a thread kills what it names, one after the other."""

    def __init__(self, folder: Path, learn_s: float, plan: dict[str, tuple[str, ...]], *resume: str) -> None:
        self._folder = folder
        self.popen = subprocess.Popen([sys.executable, "-c", JOB, str(folder), str(learn_s), *resume], stdout=subprocess.PIPE,
                                      stderr=subprocess.STDOUT, text=True, start_new_session=True)
        self.kills: Counter[str] = Counter()
        self.killed_all = threading.Event()
        self.output: list[str] = []
        killers: dict[str, threading.Thread] = {}
        assert self.popen.stdout is not None
        for line in self.popen.stdout:
            self.output.append(line)
            phase = re.match(r"\d+:\d\d \| (\w+) ", line)
            if phase and phase[1] in plan and phase[1] not in killers:
                killers[phase[1]] = threading.Thread(target=self._kill, args=(plan[phase[1]],))
                killers[phase[1]].start()
        for killer in killers.values():
            killer.join()
        self.code = self.popen.wait(timeout=30.0)

    def _kill(self, names: tuple[str, ...]) -> None:
        time.sleep(2 * APART_S)  # into the phase
        for name in names:
            if name == "all":
                until = time.monotonic() + 60.0
                while not visited(self._folder) and time.monotonic() < until:
                    time.sleep(APART_S)
                self.killed_all.set()
                for pid in (self.popen.pid, *nodes_of(self.popen.pid).values()):
                    os.kill(pid, signal.SIGKILL)
                return
            os.kill(nodes_of(self.popen.pid)[name], signal.SIGKILL)
            self.kills[name] += 1
            time.sleep(APART_S)

    @property
    def result(self) -> dict[str, Any]:
        (line,) = [line for line in self.output if line.startswith("result ")]
        return json.loads(line.removeprefix("result "))


def processes_of(folder: Path) -> list[str]:
    """Command lines that name the folder."""
    found = []
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            words = path.read_bytes().decode(errors="replace").replace("\0", " ")
        except OSError:
            continue
        if str(folder) in words:
            found.append(words)
    return found


def test_nothing_finished_is_lost_whatever_is_killed(domain: int, tmp_path: Path) -> None:
    (tmp_path / "quick.yaml").write_text("/**:\n  ros__parameters:\n    " + SETTINGS.replace("\n", "\n    "))
    first = Job(tmp_path, 60.0, {"demonstrations": NODES, "pretraining": NODES, "learning": ("learner_node", "sim_node", "all")})
    assert first.killed_all.is_set() and first.code == -signal.SIGKILL, "".join(first.output)
    assert first.kills == Counter({**dict.fromkeys(NODES, 2), "learner_node": 3, "sim_node": 3})
    demonstrations, before = recorded(tmp_path), visited(tmp_path)
    assert len(demonstrations) >= 4 and len(before) >= 1

    second = Job(tmp_path, 5.0, {"learning": NODES, "evaluation": NODES}, "resume")
    assert second.code == 0, "".join(second.output)
    assert second.kills == Counter(dict.fromkeys(NODES, 2))
    record = JobRecord.read(tmp_path, pytest.fail)
    # What the first job counted was last written up to two seconds before it was killed.
    assert all(record.restarts[name] >= second.kills[name] for name in NODES)

    summary = from_mapping(Summary, second.result)
    assert summary.success.keys() == summary.intervals.keys() == {"bc", "bc_tuned", "rl"}
    assert (summary.task, summary.episodes, summary.demonstrations) == ("reach", 15, len(demonstrations))
    assert all(len(results) == 15 and None not in results for results in record.evaluations.values())

    assert recorded(tmp_path) == demonstrations, "recorded once, and kept"
    infos = [read_header(path).info for path in list_episodes(tmp_path / "demonstrations")]
    assert len({info.seed for info in infos}) == len(infos), "no start state twice"
    assert not list((tmp_path / "demonstrations").glob("*.part"))

    after = visited(tmp_path)
    assert set(before) <= set(after) and len(set(after)) == len(after), "each episode of learning once"
    assert taken(tmp_path) == len(after) and summary.env_steps == 15 * len(after)
    numbers = sorted(int(path.name.split("-")[0]) for path in (tmp_path / "checkpoint" / "visited").glob("*/*"))
    assert numbers == list(range(1, len(after) + 1))
    assert record.explored < start_seed(1, 0)

    assert processes_of(tmp_path) == []
    log = (tmp_path / "nodes.log").read_text()
    assert "Traceback" not in log and "starting it again" in log
