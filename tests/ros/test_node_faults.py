"""Nodes that are killed in the middle of an episode: what was open is lost and said to be, everything after it is whole."""

from __future__ import annotations

import signal
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest
from diagnostic_msgs.msg import DiagnosticArray
from geometry_msgs.msg import PoseStamped
from sensor_msgs.msg import Image, JointState
from std_msgs.msg import UInt8MultiArray

from rewardbot.data import decode
from rewardbot.data.assembler import EpisodeAssembler
from rewardbot.data.episodes import list_episodes, read_episode
from rewardbot.nets.encoders import Encoder
from rewardbot.nets.heads import SquashedGaussianPolicy
from rewardbot.policies.base import policy_to_bytes
from rewardbot.robots.robot import load_contract
from rewardbot.robots.start_states import demonstration_stream, evaluation_stream, start_seed
from rewardbot.ros import convert, qos
from rewardbot.ros.connections import from_text
from rewardbot.ros.graph import links, load_graph, resolve
from rewardbot.ros.job_node import LISTENS, JobNode
from rewardbot.ros.node import take_all
from rewardbot.ros.policy_node import GONE_S
from rewardbot.ros.waiting import NAMED_AFTER_S
from rewardbot.types import PROPRIO_NAMES, Episode

pytestmark = pytest.mark.ros
CONTRACT = load_contract()
HORIZON = 40
DEMONSTRATED, EVALUATED = demonstration_stream(2), evaluation_stream(2)


def untrained() -> bytes:
    """Weights of a policy that has learned nothing."""
    cameras = {name: (camera.height, camera.width) for name, camera in CONTRACT.cameras.items()}
    encoder = Encoder(cameras)
    actor = SquashedGaussianPolicy(encoder.features, len(PROPRIO_NAMES), CONTRACT.action_dim, latent=8, hidden=16)
    note = {"version": 1, "task": "reach", "cameras": cameras, "robot": CONTRACT.name}
    return policy_to_bytes({"encoder": encoder}, {"rl": ("encoder", actor)}, note)


class Cell:
    """sim_node, recorder_node and policy_node; a job that asks; and a learner's ears, which stay open all the time."""

    def __init__(self, start_node: Callable[..., Any], folder: Any, *, lockstep: bool = True, keep_s: float = 200.0) -> None:
        self._start, self._sim = start_node, ("-p", "task:=reach", "-p", f"lockstep:={str(lockstep).lower()}")
        self._policy = ("-p", "task:=reach", "-p", f"horizon:={HORIZON}")
        self.folder = folder / "demonstrations"
        self.recorder = start_node("recorder_node", "-p", f"run_folder:={folder}")
        self.start_sim()
        self.start_policy()
        self.job = JobNode("rewardbot", lambda: self._listen())
        self.assembler, self.heard = EpisodeAssembler(CONTRACT, keep_s=keep_s, wait_s=keep_s), list[Episode]()
        kinds: dict[str, tuple[Any, Any]] = {
            decode.JOINT_STATES: (JointState, qos.STATE), decode.TOOL_POSE: (PoseStamped, qos.STATE),
            decode.REQUESTED_ACTION: (JointState, qos.STATE), decode.APPLIED_ACTION: (JointState, qos.STATE),
            decode.EPISODE: (DiagnosticArray, qos.EVENTS),
            **{decode.camera_topic(name): (Image, qos.IMAGES_ALL) for name in CONTRACT.cameras}}
        self._ears = {topic: self.job.node.create_subscription(
            kind, topic, lambda message: None, quality, callback_group=self.job.polled) for topic, (kind, quality) in kinds.items()}
        self._applied = 0
        for ear in self._ears.values():
            self.job.wait(lambda ear=ear: ear.get_publisher_count() > 0, 30.0, "the topics")
        nodes = resolve(load_graph("sim"), {"learn": False})
        self.job.wait_connected(nodes)
        self._links = links(nodes, asker="job", listens=[*LISTENS, *kinds])
        for node in self._links:
            self.job.wait(lambda node=node: self._connected(node), 30.0, f"{node} and the others")

    def start_sim(self) -> None:
        self.sim = self._start("sim_node", *self._sim)

    def start_policy(self) -> None:
        self.policy = self._start("policy_node", *self._policy)

    def _listen(self) -> None:
        for topic, ear in self._ears.items():
            for message in take_all(ear):
                self._applied += topic == decode.APPLIED_ACTION
                if (episode := self.assembler.add(topic, message)) is not None:
                    self.heard.append(episode)

    def told(self, node: str, before: str) -> None:
        """Waits until the present process of a node is heard of and has found the others; `before` is the one before."""
        self.job.wait(lambda: self.job.process(node) not in ("", before) and self._connected(node), 30.0, node)

    def _connected(self, node: str) -> bool:
        """As the job's own, which does not know of our ears."""
        found = from_text(self.job.text(node, "linked"))
        return all(found.get(other, 0) >= count for other, count in self._links[node].items())

    def ask(self, mode: str, first: int, *, episodes: int = 0, stream: int = DEMONSTRATED) -> int:
        self.job.set_parameters("sim_node", {"seed": stream, "first_episode": first})
        self.job.switch("simulated_operator", mode == "demonstrate")
        return self.job.request(mode, episodes=episodes)

    def in_an_episode(self) -> None:
        """Waits for the middle of an episode."""
        ended = len(self.job.scores.scores)
        self.job.wait(lambda: len(self.job.scores.scores) > ended, 30.0, "an end")
        applied = self._applied
        self.job.wait(lambda: self._applied >= applied + 10, 30.0, "the next episode")

    def saved(self, count: int) -> list[Episode]:
        """Waits until so many bags are there; reads them."""
        self.job.wait(lambda: self.folder.is_dir() and len(list_episodes(self.folder)) >= count, 60.0, f"{count} bags")
        return [read_episode(path) for path in list_episodes(self.folder)]

    @property
    def abandoned(self) -> float:
        return self.job.value("policy_node", "episodes_abandoned") or 0.0

    def close(self) -> None:
        self.job.__exit__()
        for process in (self.policy, self.recorder, self.sim):
            assert process.end() == 0
            assert not any("Traceback" in line for line in process.output), process.output


@pytest.fixture
def cell(start_node: Callable[..., Any], domain: int, tmp_path: Any, request: pytest.FixtureRequest) -> Iterator[Cell]:
    found = Cell(start_node, tmp_path, lockstep=getattr(request, "param", True))
    yield found
    found.close()


def whole(episodes: list[Episode], lockstep: bool = True) -> list[int]:
    """The start states of episodes, each of which must be whole and smooth: made by one robot."""
    for episode in episodes:
        assert len(episode) >= HORIZON and (len(episode) == HORIZON or not lockstep)
        periods = np.diff(episode.stamps) * CONTRACT.control_hz
        assert (periods == pytest.approx(1.0, abs=1e-6)) if lockstep else (0.0 < periods.max() < 10.0)
    return [episode.info.seed or 0 for episode in episodes]


@pytest.mark.parametrize("cell", [True, False], indirect=True, ids=["lockstep", "real time"])
def test_a_robot_that_is_killed_and_started_again(cell: Cell, request: pytest.FixtureRequest) -> None:
    """At once, as a supervisor does it: before anybody takes its silence for an absence."""
    lockstep = request.node.callspec.id == "lockstep"
    job = cell.job
    cell.ask("demonstrate", 0)
    cell.in_an_episode()
    process, ended = job.process("sim_node"), len(job.scores.scores)
    cell.sim.end(signal.SIGKILL)
    cell.start_sim()
    cell.told("sim_node", process)
    job.wait(lambda: cell.abandoned == 1, 10.0, "the end of what was open")
    cell.job.set_parameters("sim_node", {"seed": 6, "first_episode": ended})
    assert len(job.scores.scores) == ended, "nothing begins without an operator"
    job.switch("simulated_operator", True)  # the request holds: the demonstrations go on
    job.wait(lambda: len(job.scores.scores) >= ended + 2, 60.0, "two more episodes")
    expected = [start_seed(DEMONSTRATED, index) for index in range(ended + 2)]
    assert [score.event.info.seed for score in job.scores.scores][: ended + 2] == expected

    def lost() -> float:
        return sum(job.value("recorder_node", f"episodes_{fate}") or 0 for fate in ("rejected", "abandoned"))

    if lockstep:
        assert sorted(whole(cell.saved(ended + 2)))[: ended + 2] == expected
        job.wait(lambda: len(cell.heard) >= ended + 2, 10.0, "the learner's ears")
        assert whole(cell.heard)[: ended + 2] == expected
        assert len(cell.assembler.rejected) == lost() == 1, "and only the one that was open"
    else:  # the clock waits for nobody: on a busy machine ticks are missed, and such an episode is refused and counted
        job.wait(lambda: len(list_episodes(cell.folder)) + lost() >= ended + 3, 30.0, "the fate of each episode")
        for seeds in (whole(cell.saved(1), lockstep), whole(cell.heard, lockstep)):
            assert len(set(seeds)) == len(seeds)
            assert set(seeds) <= {start_seed(DEMONSTRATED, index) for index in range(len(job.scores.scores))}
    job.request("idle")


def test_a_robot_that_stays_away_is_named_and_comes_back(cell: Cell) -> None:
    job = cell.job
    cell.ask("demonstrate", 0)
    cell.in_an_episode()
    process = job.process("sim_node")
    cell.sim.end(signal.SIGKILL)
    job.wait(lambda: cell.abandoned == 1, GONE_S + 3.0, "the end of what was open")
    job.wait(lambda: job.text("policy_node", "waiting_for") == "sim_node", NAMED_AFTER_S + 3.0, "its name")
    assert any("waiting for sim_node" in line for line in cell.policy.output)
    cell.start_sim()
    cell.told("sim_node", process)
    job.wait(lambda: "operator" in job.text("policy_node", "waiting_for"), NAMED_AFTER_S + 5.0, "who is missing now")
    ended = len(job.scores.scores)
    job.set_parameters("sim_node", {"seed": 6, "first_episode": ended})
    job.switch("simulated_operator", True)
    job.wait(lambda: len(job.scores.scores) > ended, 30.0, "an episode")
    assert whole(cell.saved(ended + 1))[-1] == start_seed(DEMONSTRATED, ended)
    job.wait(lambda: job.text("policy_node", "waiting_for") == "", 5.0, "nobody is missing")
    job.request("idle")


def test_a_policy_that_is_killed_waits_for_a_request_and_the_robot_for_it(cell: Cell) -> None:
    job = cell.job
    cell.ask("demonstrate", 0)
    cell.in_an_episode()
    process, links = job.process("policy_node"), job.value("recorder_node", "links_in") or 0
    cell.policy.end(signal.SIGKILL)
    job.wait(lambda: job.text("sim_node", "waiting_for") == "policy_node", NAMED_AFTER_S + 3.0, "the robot's word")
    cell.start_policy()
    cell.told("policy_node", process)
    # DDS still counts the dead one. What the recorder has not found it cannot hear: a job would ask for that episode again.
    job.wait(lambda: (job.value("recorder_node", "links_in") or 0) > links, 15.0, "the recorder to find it")
    ended = len(job.scores.scores)
    job.wait(lambda: job.text("policy_node", "mode") == "idle", 5.0, "its mode")
    run = cell.ask("demonstrate", ended, episodes=2)
    job.wait(lambda: job.scores.count(run) == 2 and job.text("policy_node", "mode") == "idle", 30.0, "two more episodes")
    expected = [start_seed(DEMONSTRATED, index) for index in range(ended + 2)]
    assert sorted(whole(cell.saved(ended + 2))) == expected == whole(cell.heard)
    assert len({score.event.info.id for score in job.scores.scores}) == ended + 2
    job.wait(lambda: job.text("sim_node", "waiting_for") == "", 5.0, "nobody is missing")


def test_an_evaluation_leaves_no_start_state_out(cell: Cell) -> None:
    """The robot dies in it: the evaluation stops, and goes on with the episode that was interrupted."""
    job, count = cell.job, 6
    publisher = job.node.create_publisher(UInt8MultiArray, "weights/policy", qos.LATCHED)
    publisher.publish(convert.weights(untrained()))
    first = cell.ask("evaluate", 0, episodes=count, stream=EVALUATED)
    cell.in_an_episode()
    process = job.process("sim_node")
    cell.sim.end(signal.SIGKILL)
    cell.start_sim()
    cell.told("sim_node", process)
    job.wait(lambda: cell.abandoned == 1 and job.text("policy_node", "mode") == "idle", 10.0, "the end of it")
    done = job.scores.count(first)
    assert 0 < done < count and job.value("policy_node", "episodes_done") == done
    second = cell.ask("evaluate", done, episodes=count - done, stream=EVALUATED)
    job.wait(lambda: job.scores.count(second) == count - done, 30.0, "the rest")
    assert [score.event.info.seed for score in job.scores.scores] == [start_seed(EVALUATED, index) for index in range(count)]
    assert all(score.success is not None for score in job.scores.scores), "each has been scored"
    assert whole(cell.heard) == [start_seed(EVALUATED, index) for index in range(count)]
