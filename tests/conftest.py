"""For all tests: one thread of torch, so that they are quick beside each other and equal everywhere."""

from __future__ import annotations

import os
import sys

import pytest

# For the processes that tests start.
os.environ.setdefault("OMP_NUM_THREADS", "1")


@pytest.fixture(autouse=True)
def one_thread():
    """Only where torch is there already: most tests need none of it, and its import takes seconds."""
    if "torch" in sys.modules:
        sys.modules["torch"].set_num_threads(1)
