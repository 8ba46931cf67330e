"""The simulated cell in real time: stamps are the wall's, and what is recorded is whole."""

from __future__ import annotations

import time
from typing import Any

import numpy as np
import pytest

from rewardbot.data.episodes import list_episodes, read_episode
from rewardbot.robots.robot import load_contract
from rewardbot.ros.graph import load_graph, resolve
from rewardbot.ros.job_node import JobNode
from rewardbot.ros.supervisor import Supervisor

pytestmark = pytest.mark.ros


def test_a_demonstration_in_real_time_is_recorded_whole(domain: int, tmp_path: Any) -> None:
    nodes = resolve(load_graph("sim"), {"task": "reach", "lockstep": False, "learn": False, "run_folder": str(tmp_path)})
    with Supervisor(nodes, log=lambda *line: None) as supervisor, JobNode("rewardbot", supervisor.poll) as job:
        supervisor.start()
        job.wait(lambda: supervisor.all_ready, 60.0, "the nodes")
        job.wait_connected([node for node in nodes if node.name != "policy_node"])  # nobody sends it weights here
        job.switch("simulated_operator", True)
        begun = time.monotonic()
        run = job.request("demonstrate", episodes=1)
        job.wait(lambda: job.scores.count(run) == 1, 30.0, "an episode")
        assert time.monotonic() - begun > 15 / load_contract().control_hz, "an episode of 15 steps takes its time"
        job.wait(lambda: job.value("recorder_node", "episodes_saved") == 1.0, 15.0, "the recorder")
    (path,) = list_episodes(tmp_path / "demonstrations")
    episode = read_episode(path)
    assert len(episode) == 15 and abs(episode.stamps[-1] - time.time()) < 60.0
    assert np.median(np.diff(episode.stamps)) == pytest.approx(0.1, abs=0.03)
