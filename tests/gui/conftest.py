"""Windows in the graph: the fixtures of the ROS tests. Windows of the test's own process are drawn off screen."""

import os

from tests.ros.conftest import client, domain, start_node

__all__ = ["client", "domain", "start_node"]

os.environ.setdefault("QT_QPA_PLATFORM", "offscreen")
