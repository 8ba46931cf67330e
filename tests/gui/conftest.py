"""Windows in the graph: the fixtures of the ROS tests. Windows of the test's own process are drawn off screen."""

import os
from typing import Any

import pytest

from tests.ros.conftest import client, domain, start_node

__all__ = ["client", "domain", "start_node"]

os.environ.setdefault("QT_QPA_PLATFORM", "offscreen")


@pytest.fixture(scope="session", autouse=True)
def off_screen(qapp: Any) -> None:
    """The application is there before `screen` sends windows to an X server, which is gone before this process is."""
