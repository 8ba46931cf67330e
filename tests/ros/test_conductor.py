"""Episodes are asked for again exactly when something that was asked for will not come. Against a job that only pretends."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from rewardbot.errors import RewardbotError
from rewardbot.robots.start_states import STRIDE, start_seed
from rewardbot.ros import conductor as module
from rewardbot.ros.conductor import Conductor, Task, index_in

pytestmark = pytest.mark.ros


class Graph:
    """Nodes whose processes can be replaced, and a policy that does one episode a round. Time passes by the round."""

    def __init__(self) -> None:
        self.now, self.run = 0.0, 0
        self.processes = {"sim_node": "s1", "policy_node": "p1", "learner_node": "l1"}
        self.away: set[str] = set()
        self.asked: list[tuple[Any, ...]] = []
        self.mode, self.policy_run, self.left, self.index = "idle", 0, 0, 0
        self.ended: list[int] = []
        self.each_round: Callable[[], None] = lambda: None
        self.said: dict[tuple[str, str], str] = {}
        self.silent: set[str] = set()
        self.renewed: list[tuple[str, float]] = []

    def renew(self, name: str, why: str) -> None:
        assert "which is there" in why or "nothing has been heard" in why
        self.renewed.append((name, self.now))
        self.processes[name] += "'"
        self.said.clear()
        self.silent.clear()
        self.away.clear()

    # What a JobNode has.

    def process(self, name: str) -> str:
        return self.processes[name]

    def text(self, node: str, key: str) -> str:
        return self.mode if key == "mode" else self.said.get((node, key), "")

    def rates(self) -> dict[str, float | None]:
        return {name: None if name in self.silent else 10.0 for name in self.processes}

    def value(self, node: str, key: str) -> float:
        return float(self.policy_run)

    def state_of_nodes(self) -> str:
        return "as they are"

    def set_parameters(self, node: str, values: dict[str, int]) -> None:
        self.index = values["first_episode"]

    def switch(self, service: str, on: bool) -> None:
        self.asked.append((service, on))

    def request(self, mode: str, *, episodes: int = 0, actor: str = "rl", least_version: int = 0) -> None:
        self.run += 1
        self.asked.append((mode, self.index, episodes))
        self.mode, self.policy_run, self.left = mode, self.run, episodes

    def wait(self, done: Callable[[], bool], timeout_s: float, what: str) -> None:
        for _ in range(100_000):
            self.now += 0.1
            if self.mode != "idle" and not self.away & {"sim_node", "policy_node"}:
                self.ended.append(self.index)
                self.index, self.left = self.index + 1, self.left - 1
                self.mode = "idle" if self.left == 0 else self.mode
            self.each_round()
            if done():
                return
        raise AssertionError("it never ended")

    @property
    def requests(self) -> list[tuple[Any, ...]]:
        return [asked for asked in self.asked if asked[0] in ("idle", "explore", "evaluate", "demonstrate")]


@pytest.fixture
def graph(monkeypatch: pytest.MonkeyPatch) -> Graph:
    found = Graph()
    monkeypatch.setattr(module.time, "monotonic", lambda: found.now)
    return found


def evaluation(graph: Graph, count: int, lost: tuple[int, ...] = ()) -> tuple[Task, dict[int, int]]:
    """A task of `count` start states, of which the first attempts at `lost` are not scored; start state -> times it was scored."""
    scored: dict[int, int] = {}
    heard, left = 0, list(lost)

    def done() -> bool:
        nonlocal heard
        for index in graph.ended[heard:]:
            if index in left:
                left.remove(index)
            else:
                scored[index] = scored.get(index, 0) + 1
        heard = len(graph.ended)
        return all(index in scored for index in range(count))

    def missing() -> list[int]:
        return [index for index in range(count) if index not in scored]

    return Task("evaluate", 2, first=lambda: missing()[0], episodes=lambda: 1 + sum(
        all(other in missing() for other in range(missing()[0], index + 1)) for index in missing()[1:]), done=done,
        progress=lambda: len(scored)), scored


def conduct(graph: Graph, task: Task) -> None:
    Conductor(graph, lambda name: name not in graph.away, graph.renew).conduct(task, "a test")  # type: ignore[arg-type]


def test_what_is_done_without_disturbance_is_asked_for_once(graph: Graph) -> None:
    task, scored = evaluation(graph, 6)
    conduct(graph, task)
    assert graph.requests == [("evaluate", 0, 6), ("idle", 6, 0)] and scored == dict.fromkeys(range(6), 1)


def test_what_was_lost_is_asked_for_again_and_nothing_else(graph: Graph) -> None:
    task, scored = evaluation(graph, 6, lost=(1, 2, 4, 2))
    conduct(graph, task)
    assert graph.requests[:-1] == [("evaluate", 0, 6), ("evaluate", 1, 2), ("evaluate", 2, 1), ("evaluate", 4, 1)]
    assert scored == dict.fromkeys(range(6), 1)


@pytest.mark.parametrize("name", ["sim_node", "policy_node"])
def test_a_node_that_was_started_anew_is_asked_from_where_it_was(graph: Graph, name: str) -> None:
    task, scored = evaluation(graph, 8)

    def replace() -> None:
        if graph.now == pytest.approx(0.5):
            graph.away.add(name)
        if graph.now == pytest.approx(2.5):
            graph.away.clear()
            graph.processes[name] = "new"
            graph.mode, graph.index = "idle", 0

    graph.each_round = replace
    conduct(graph, task)
    begun = [request for request in graph.requests if request[0] == "evaluate"]
    assert len(begun) == 2 and 0 < begun[1][1] < 8 and begun[1][2] == 8 - begun[1][1]
    assert scored == dict.fromkeys(range(8), 1)


def test_nothing_is_asked_for_until_it_is_known_what_became_of_all_that_ended(graph: Graph) -> None:
    task, scored = evaluation(graph, 3)
    early: list[tuple[Any, ...]] = []
    graph.each_round = lambda: early.extend(graph.requests if graph.now < 3.0 else [])
    conduct(graph, replace(task, clear=lambda: graph.now >= 3.0))
    assert not early and graph.requests == [("evaluate", 0, 3), ("idle", 3, 0)] and scored == dict.fromkeys(range(3), 1)


def test_nothing_is_conducted_while_the_learner_is_away(graph: Graph) -> None:
    taken: set[int] = set()

    def each_round() -> None:
        if 1.0 < graph.now < 3.0:
            graph.away.add("learner_node")
        elif graph.away:
            graph.away.clear()
            graph.processes["learner_node"] = "l2"
        else:
            taken.update(graph.ended)

    graph.each_round = each_round
    explore = Task("explore", 1, first=lambda: 1 + max(taken, default=-1), done=lambda: len(taken) >= 30,
                   progress=lambda: len(taken), needs=("sim_node", "policy_node", "learner_node"))
    conduct(graph, explore)
    modes = [request[0] for request in graph.requests]
    assert modes == ["explore", "idle", "explore", "idle"] and taken == set(range(max(taken) + 1)), "no start state was left out"


def test_an_operator_is_there_for_demonstrations_only(graph: Graph) -> None:
    task, _ = evaluation(graph, 2)
    conduct(graph, task)
    conduct(graph, Task("demonstrate", 0, first=lambda: 0, episodes=lambda: 3, done=lambda: len(graph.ended) >= 5,
                        progress=lambda: len(graph.ended)))
    assert [asked for asked in graph.asked if asked[0] == "simulated_operator"] == [
        ("simulated_operator", False), ("simulated_operator", True)]


def exploration(graph: Graph, seconds: float) -> Task:
    """A task that lasts so long."""
    return Task("explore", 1, first=lambda: graph.index, done=lambda: graph.now >= seconds, progress=lambda: len(graph.ended))


LOST_WAYS = [
    ("policy_node", {("policy_node", "waiting_for"): "sim_node", ("sim_node", "waiting_for"): "policy_node"}),
    ("policy_node", {("policy_node", "waiting_for"): "the service 'reset' of sim_node"}),
    ("sim_node", {("sim_node", "waiting_for"): "policy_node", ("policy_node", "episode"): "e1"}),
]


@pytest.mark.parametrize(("deaf", "said"), LOST_WAYS)
def test_a_node_that_does_not_hear_one_that_is_there_is_started_again(
    graph: Graph, deaf: str, said: dict[tuple[str, str], str]
) -> None:
    def lose_the_way() -> None:
        if graph.now == pytest.approx(2.0):
            graph.said |= said

    graph.each_round = lose_the_way
    conduct(graph, exploration(graph, 30.0))
    assert graph.renewed == [(deaf, pytest.approx(2.0 + module.DEAF_S, abs=0.3))]
    assert [request[0] for request in graph.requests] == ["explore", "explore", "idle"], "it is told again what to do"
    assert graph.ended == list(range(len(graph.ended))), "from where it was"


@pytest.mark.parametrize("said", [
    {("policy_node", "waiting_for"): "weights/policy"},
    {("sim_node", "waiting_for"): "policy_node"},  # of an episode that nobody conducts any more
])
def test_who_waits_for_something_else_is_left_alone(graph: Graph, said: dict[tuple[str, str], str]) -> None:
    graph.said |= said
    conduct(graph, exploration(graph, 30.0))
    assert graph.renewed == []


def test_nobody_is_started_again_because_another_is_away(graph: Graph) -> None:
    """Held up, so that nobody hears it; or just started, and still to be found; and what comes and goes is a busy machine."""
    def each_round() -> None:
        graph.said["policy_node", "waiting_for"] = "sim_node" if graph.now % 8.0 < 7.0 or graph.now < 40.0 else ""
        graph.silent = {"sim_node"} if graph.now < 20.0 else set()
        graph.away = {"sim_node"} if 19.0 < graph.now < 40.0 else set()

    graph.each_round = each_round
    conduct(graph, exploration(graph, 70.0))
    assert graph.renewed == []


def test_a_node_of_which_nothing_arrives_is_started_again(graph: Graph) -> None:
    """Its process lives, and was heard once; or never, since it was started again."""
    def lose_the_way() -> None:
        if graph.now == pytest.approx(2.0):
            graph.silent, graph.away = {"policy_node"}, {"policy_node"}

    graph.each_round = lose_the_way
    conduct(graph, exploration(graph, 90.0))
    assert graph.renewed == [("policy_node", pytest.approx(2.0 + module.QUIET_S, abs=0.3))]
    assert graph.ended == list(range(len(graph.ended))) and len(graph.ended) > 100, "and it goes on"


def test_who_learns_may_be_quiet(graph: Graph) -> None:
    graph.silent = {"learner_node"}
    conduct(graph, exploration(graph, 90.0))
    assert graph.renewed == []


def test_what_never_comes_ends_it(graph: Graph) -> None:
    task, _ = evaluation(graph, 3, lost=(1,) * 100)
    with pytest.raises(RewardbotError, match=r"Nothing went on for \d+ s: a test"):
        conduct(graph, task)
    assert len(graph.requests) == module.MOST_IN_VAIN + 1


def test_a_node_that_never_comes_back_ends_it(graph: Graph) -> None:
    graph.away.add("sim_node")
    with pytest.raises(RewardbotError, match="Nothing went on for"):
        conduct(graph, evaluation(graph, 3)[0])
    assert graph.now == pytest.approx(module.STALLED_S, abs=1.0) and graph.requests == []


@pytest.mark.parametrize(("stream", "seed", "index"), [
    (5, start_seed(5, 0), 0), (5, start_seed(5, 77), 77), (5, start_seed(4, 77), None), (5, start_seed(6, 0), None),
    (0, None, None), (0, -1, None), (5, start_seed(5, STRIDE - 1), STRIDE - 1)])
def test_a_start_seed_tells_its_place(stream: int, seed: int | None, index: int | None) -> None:
    assert index_in(stream, seed) == index
