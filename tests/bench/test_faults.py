"""The comparison notices what is lost. That nothing is, is tested in ros/test_faults.py and measured by the comparison itself."""

from __future__ import annotations

import io
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import torch

from rewardbot.bench.faults import Seen, recorded, taken, visited
from rewardbot.training import generations
from rewardbot.training.checkpoint import CHECKPOINT, LEARNER, VISITED
from rewardbot.training.record import JobRecord, RecordKeeper


def generation(run: Path, episodes: int) -> None:
    buffer = io.BytesIO()
    torch.save({"counters": {"episodes": episodes}}, buffer)
    generations.write(run / CHECKPOINT, {LEARNER: buffer.getvalue()})


@pytest.fixture
def run(tmp_path: Path) -> Path:
    """Two demonstrations, three episodes of learning, an evaluation of two start states."""
    for name in ("a", "b"):
        (tmp_path / "demonstrations" / name).mkdir(parents=True)
        (tmp_path / "demonstrations" / name / "metadata.yaml").touch()
    (tmp_path / CHECKPOINT / VISITED / "l").mkdir(parents=True)
    for number, name in enumerate(("policy-1", "policy-2", "policy-3"), 1):
        (tmp_path / CHECKPOINT / VISITED / "l" / f"{number:08d}-{name}.safetensors").touch()
    generation(tmp_path, 3)
    RecordKeeper(JobRecord(evaluations={"rl": [True, False, None]}), tmp_path, pytest.fail).keep()
    return tmp_path


def test_what_is_there_is_seen_and_not_lost(run: Path) -> None:
    assert recorded(run) == {"a", "b"} and sorted(visited(run)) == ["policy-1", "policy-2", "policy-3"] and taken(run) == 3
    seen = Seen()
    seen.look(run)
    assert seen.scored == {("rl", 0): True, ("rl", 1): False} and seen.lost(run) == 0
    RecordKeeper(JobRecord(evaluations={"rl": [True, False, True]}), run, pytest.fail).keep()
    generation(run, 5)
    assert seen.lost(run) == 0, "more is not less"


def test_each_thing_that_is_gone_counts(run: Path) -> None:
    seen = Seen()
    seen.look(run)
    shutil.rmtree(run / "demonstrations" / "a")
    assert seen.lost(run) == 1
    generation(run, 1)
    assert seen.lost(run) == 3
    RecordKeeper(JobRecord(evaluations={"rl": [False, False, None]}), run, pytest.fail).keep()
    assert seen.lost(run) == 4, "an evaluation that came out otherwise the second time"
    (run / "job.json").unlink()
    shutil.rmtree(run / CHECKPOINT)
    assert seen.lost(run) == 1 + 3 + 2


def children(pid: int) -> list[int]:
    return [int(child) for path in Path(f"/proc/{pid}/task").glob("*/children") for child in path.read_text().split()]


def test_a_signal_to_end_it_ends_what_it_has_started(tmp_path: Path) -> None:
    bench = subprocess.Popen([sys.executable, "-m", "rewardbot", "bench", "faults", "--quick", "--run-dir", str(tmp_path)],
                             stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
    try:
        deadline = time.monotonic() + 60.0
        while not list(tmp_path.glob("faults-*/unbroken/latest")):  # the job has made it
            assert bench.poll() is None and time.monotonic() < deadline
            time.sleep(0.02)
        (job,) = children(bench.pid)
    finally:
        bench.terminate()
        _, said = bench.communicate(timeout=60.0)
    assert bench.returncode == 128 + signal.SIGTERM and not said, said
    assert not Path(f"/proc/{job}").exists()


def test_a_run_that_never_began(tmp_path: Path) -> None:
    seen = Seen()
    seen.look(tmp_path)
    assert seen.lost(tmp_path) == 0
