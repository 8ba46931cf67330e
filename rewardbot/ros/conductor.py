"""Has policy_node conduct episodes from known start states, whichever node is started anew meanwhile.

An episode is known by its start state. What was interrupted is asked for again, so that none is left out and none counts twice.
A node that no longer hears another, which is there, is started again, and so is one that we do not hear.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass

from rewardbot.errors import RewardbotError
from rewardbot.robots.start_states import STRIDE, start_seed
from rewardbot.ros.job_node import JobNode

STALLED_S = 120.0
"""Time without any progress after which a job gives up [s]; nodes may be started again and pretrain again in it."""

SETTLED_S = 0.5
"""Time that policy_node is idle before it is asked for what is missing: ends of episodes may still be on their way [s]."""

DEAF_S = 10.0
"""Time for which a node waits for another that we hear, after which it is started again: it names whom it waits for after 5 s [s]."""

QUIET_S = 60.0
"""Time for which nothing is heard of sim_node or policy_node, after which it is started again: on a busy machine it takes a while
until one is there [s]."""

MOST_IN_VAIN = 10
"""Requests in a row that brought nothing, after which a job gives up."""


def index_in(stream: int, seed: int | None) -> int | None:
    """The index in a stream of start states that `start_seed` made the seed of; None for a seed of another stream."""
    index = -1 if seed is None else seed - start_seed(stream, 0)
    return index if 0 <= index < STRIDE else None


@dataclass(frozen=True)
class Task:
    """What is to be conducted.

    Attributes:
        mode: of policy_node.
        stream: stream of start states.
        first: index of the start state to begin from, asked anew for each request.
        done: whether all has been done.
        progress: anything that changes while it goes on.
        episodes: how many to ask for; 0: until further notice.
        actor: of policy_node, to evaluate.
        least_version: of the weights.
        settled: whether what has ended so far has been dealt with, so that what is missing really is.
        clear: whether it is known what became of all that ended, so that `first` is not asked too early when a node is started anew.
        needs: nodes without which nothing is conducted.
    """

    mode: str
    stream: int
    first: Callable[[], int]
    done: Callable[[], bool]
    progress: Callable[[], object]
    episodes: Callable[[], int] = lambda: 0
    actor: str = "rl"
    least_version: Callable[[], int] = lambda: 0
    settled: Callable[[], bool] = lambda: True
    clear: Callable[[], bool] = lambda: True
    needs: tuple[str, ...] = ("sim_node", "policy_node")


class _Lasting:
    """For how long one node has been the one."""

    def __init__(self) -> None:
        self._name, self._since = "", 0.0

    def seconds(self, name: str) -> float:
        """How long it has been `name`, 0 for nobody [s]."""
        if name != self._name:
            self._name, self._since = name, time.monotonic()
        return time.monotonic() - self._since if name else 0.0


class Conductor:
    """See the module.

    Args:
        node: the job's.
        present: whether a node's present process runs and has been heard.
        renew: starts a node again, for the reason that it is told.
    """

    def __init__(self, node: JobNode, present: Callable[[str], bool], renew: Callable[[str, str], None]) -> None:
        self._node, self._present, self._renew = node, present, renew
        self._deaf, self._quiet = _Lasting(), _Lasting()

    def conduct(self, task: Task, what: str) -> None:
        """Returns when the task is done; policy_node is idle then.

        Raises:
            RewardbotError: nothing goes on any more.
        """
        self._deaf, self._quiet = _Lasting(), _Lasting()
        asked: tuple[str, ...] = ()  # the processes of the nodes when they were asked
        known, since, idle_since, in_vain = task.progress(), time.monotonic(), 0.0, 0

        def round() -> bool:
            nonlocal asked, known, since, idle_since, in_vain
            now, node = time.monotonic(), self._node
            if task.done():
                return True
            self._renew_the_deaf()
            self._renew_the_quiet()
            if (progress := task.progress()) != known:
                known, since, in_vain = progress, now, 0
            if now - since > STALLED_S or in_vain >= MOST_IN_VAIN:
                raise RewardbotError(f"Nothing went on for {now - since:.0f} s: {what}.", valid=node.state_of_nodes(),
                                     next_step="Look at the nodes' output in nodes.log of the run folder.")
            if not all(self._present(name) for name in task.needs):
                if asked and self._present("policy_node"):
                    node.request("idle")  # what is conducted without the others is lost
                asked = ()
                return False
            processes = tuple(node.process(name) for name in task.needs)
            over = node.text("policy_node", "mode") == "idle" and node.value("policy_node", "run") == node.run
            idle_since = (idle_since or now) if over else 0.0
            if asked == processes and not (over and now - idle_since > SETTLED_S and task.settled()):
                return False
            if not task.clear():
                return False
            in_vain += 1
            asked, idle_since = processes, 0.0
            self._ask(task)
            return False

        self._node.wait(round, float("inf"), what)
        self._node.request("idle")

    def _renew_the_deaf(self) -> None:
        """DDS can lose the way between two processes that both live, when one was starved while its ports were looked at."""
        node = self._node
        deaf, other = "", ""
        if "sim_node" in node.text("policy_node", "waiting_for"):
            deaf, other = "policy_node", "sim_node"
        elif node.text("sim_node", "waiting_for") == "policy_node" and node.text("policy_node", "episode"):
            deaf, other = "sim_node", "policy_node"  # commands come for an episode, and do not arrive
        rates = node.rates()
        if any(rates.get(name) is None or not self._present(name) for name in (deaf, other)):
            deaf = ""
        if self._deaf.seconds(deaf) > DEAF_S:
            self._deaf = _Lasting()
            self._renew(deaf, f"it does not hear {other}, which is there")

    def _renew_the_quiet(self) -> None:
        """It can lose the way between a node and us, too: the node lives, and nothing of it arrives. Who learns may be quiet for
        long.
        """
        rates = self._node.rates()
        quiet = next((name for name in ("sim_node", "policy_node") if rates.get(name) is None), "")
        if self._quiet.seconds(quiet) > QUIET_S:
            self._quiet = _Lasting()
            self._renew(quiet, f"nothing has been heard of it for {QUIET_S:.0f} s")

    def _ask(self, task: Task) -> None:
        node = self._node
        node.set_parameters("sim_node", {"seed": task.stream, "first_episode": task.first()})
        # After the start state is known: an operator who is on may begin at once.
        node.switch("simulated_operator", task.mode == "demonstrate")
        node.request(task.mode, episodes=task.episodes(), actor=task.actor, least_version=task.least_version())
