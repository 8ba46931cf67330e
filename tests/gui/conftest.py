"""Windows in the graph: the fixtures of the ROS tests. Windows of the test's own process are drawn off screen."""

import os
from collections.abc import Iterator
from contextlib import ExitStack
from typing import Any

import pytest

from tests.ros.conftest import client, domain, start_node

__all__ = ["client", "domain", "start_node"]

os.environ.setdefault("QT_QPA_PLATFORM", "offscreen")


@pytest.fixture(scope="session", autouse=True)
def off_screen(qapp: Any) -> None:
    """The application is there before `screen` sends windows to an X server, which is gone before this process is."""


@pytest.fixture
def at_end() -> Iterator[ExitStack]:
    """What is done when the test is over, whatever came of it: a window's node that stayed would be heard by the next test."""
    with ExitStack() as stack:
        yield stack
