"""Two processes that learn together hold the same weights, and those are what one process learns from both their batches."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest
import torch
from torch import Tensor

from rewardbot.nets import parallel
from tests.training import parallel_worker

Weights = dict[str, Tensor]


@pytest.fixture(scope="module")
def both(tmp_path_factory: pytest.TempPathFactory) -> dict[str, list[Weights]]:
    """What each of two processes has learned, by kind."""
    folder = tmp_path_factory.mktemp("weights")
    command = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2", parallel_worker.__file__]
    traced = {**os.environ, "PYTHONFAULTHANDLER": "1"}  # an abort within a library says where
    done = subprocess.run([*command, str(folder)], env=traced, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stderr
    return {kind: [torch.load(folder / f"{kind}-{rank}.pt", weights_only=True) for rank in range(2)]
            for kind in parallel_worker.KINDS}


@pytest.mark.slow
def test_two_processes_learn_what_one_learns_from_all(both: dict[str, list[Weights]]) -> None:
    one, (first, second) = parallel_worker.weights("sac", 0), both["sac"]
    assert one.pop("stop").item() is False and first.pop("stop").item() is second.pop("stop").item() is True
    for name, value in first.items():
        assert torch.equal(value, second[name]), name
        torch.testing.assert_close(value, one[name], rtol=1e-4, atol=1e-5)


@pytest.mark.slow
def test_learners_with_other_episodes_keep_the_same_weights(both: dict[str, list[Weights]]) -> None:
    first, second = both["learner"]
    assert len(first) > 40
    for name, value in first.items():
        assert torch.equal(value, second[name]), name


def test_alone_nothing_is_exchanged() -> None:
    weight = torch.ones(2, requires_grad=True)
    weight.sum().backward()
    parallel.average_gradients([weight])
    assert weight.grad is not None and weight.grad.tolist() == [1.0, 1.0]
    assert parallel.any_of(True, torch.device("cpu")) and not parallel.any_of(False, torch.device("cpu"))
    assert parallel.rank() == 0 and parallel.processes() == 1
