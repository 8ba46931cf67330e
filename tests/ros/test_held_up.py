"""Processes that are held up, as on a starved machine, and ways between them that are lost: the episodes go on all the same."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable, Iterator
from dataclasses import replace

import pytest

from rewardbot.robots.start_states import demonstration_stream, start_seed
from rewardbot.ros.conductor import Conductor, Task, index_in
from rewardbot.ros.graph import NodeStart, load_graph, resolve
from rewardbot.ros.job_node import JobNode
from rewardbot.ros.policy_node import GONE_S
from rewardbot.ros.supervisor import Supervisor

pytestmark = pytest.mark.ros
STREAM = demonstration_stream(0)
NODES = ("sim_node", "policy_node")


class Pair:
    """The two nodes of the lockstep loop as processes, under a supervisor, and a job that conducts demonstrations."""

    def __init__(self, change: Callable[[NodeStart], NodeStart]) -> None:
        starts = [start for start in resolve(load_graph("sim"), {"task": "reach", "learn": False}) if start.name in NODES]
        self.said: list[str] = []
        self.supervisor = Supervisor([change(start) for start in starts], log=lambda node, line: self.said.append(f"{node}: {line}"))
        self.supervisor.start()
        self.supervisor.wait_ready()
        self.each_round: Callable[[], None] = lambda: None
        self.job = JobNode("rewardbot", self._round, names=NODES, is_ours=self.supervisor.is_ours)

    def _round(self) -> None:
        self.supervisor.poll()
        self.each_round()

    def present(self, name: str) -> bool:
        """As that of a job, which also knows whom a node has found."""
        return self.supervisor.is_ready(name) and self.job.process(name).startswith(f"{self.supervisor.pid(name)}-")

    def ended(self) -> list[int]:
        """The places in the stream of the start states of what has ended."""
        found = [index_in(STREAM, score.event.info.seed) for score in self.job.scores.scores]
        return [index for index in found if index is not None]

    def conduct(self, done: Callable[[], bool]) -> None:
        Conductor(self.job, self.present, self.supervisor.renew).conduct(
            Task("demonstrate", STREAM, first=lambda: 1 + max(self.ended(), default=-1), done=done,
                 progress=lambda: len(self.job.scores.scores)), "demonstrations")

    def close(self) -> None:
        self.job.__exit__()
        self.supervisor.stop()


@pytest.fixture
def pair(domain: int, request: pytest.FixtureRequest) -> Iterator[Pair]:
    found = Pair(getattr(request, "param", lambda start: start))
    yield found
    found.close()


def test_nodes_that_stood_still_go_on(pair: Pair) -> None:
    """One and the other, for longer than it takes DDS to doubt its ports, and the others to give it up."""
    held: list[tuple[float, int]] = []  # when it began to stand still, and how many episodes had ended
    standing = 0

    def each_round() -> None:
        nonlocal standing
        now, count = time.monotonic(), len(pair.job.scores.scores)
        if standing and now - held[-1][0] > 1.3 * GONE_S:
            os.kill(standing, signal.SIGCONT)
            standing = 0
        elif not standing and len(held) < 4 and count >= (held[-1][1] if held else 0) + 5:
            standing = pair.supervisor.pid(NODES[len(held) % 2])
            os.kill(standing, signal.SIGSTOP)
            held.append((now, count))

    pair.each_round = each_round
    pair.conduct(lambda: len(held) == 4 and not standing and len(pair.job.scores.scores) >= held[-1][1] + 5)
    assert pair.supervisor.restarts == {}, "they were only slow"
    ended, abandoned = pair.ended(), pair.job.value("policy_node", "episodes_abandoned") or 0
    assert ended == sorted(set(ended)) and max(ended) + 1 - len(ended) <= abandoned <= len(held), "nothing was done twice or left out"


def deaf(start: NodeStart) -> NodeStart:
    """A policy_node that hears nothing of the robot, as when DDS has lost the way."""
    return replace(start, remappings={"joint_states": "nowhere", "tool_pose": "nowhere_else"}) if start.name == NODES[1] else start


@pytest.mark.parametrize("pair", [deaf], indirect=True)
def test_a_node_that_lost_the_way_to_another_is_started_again(pair: Pair) -> None:
    first = pair.supervisor.pid("policy_node")

    # A new process of it is to hear again: the supervisor starts what it started before.
    process = pair.supervisor._processes["policy_node"]
    process.start = replace(process.start, remappings={})
    pair.conduct(lambda: len(pair.job.scores.scores) >= 3)
    assert pair.supervisor.restarts == {"policy_node": 1} and pair.supervisor.pid("policy_node") != first
    assert "policy_node: [WARN] it does not hear sim_node, which is there; it is killed" in pair.said
    assert [score.event.info.seed for score in pair.job.scores.scores[:3]] == [start_seed(STREAM, index) for index in range(3)]
