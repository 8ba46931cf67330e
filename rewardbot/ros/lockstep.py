"""Runs the two nodes of the lockstep loop, sim_node and policy_node, and times their episodes. For `rewardbot bench sim`."""

from __future__ import annotations

import time
import uuid
from collections.abc import Callable
from typing import Any, Literal

from diagnostic_msgs.msg import DiagnosticArray
from rcl_interfaces.srv import SetParametersAtomically
from rclpy.parameter import Parameter
from rclpy.subscription import MessageInfo
from std_msgs.msg import UInt8MultiArray
from std_srvs.srv import SetBool

from rewardbot.data import decode
from rewardbot.errors import RobotError
from rewardbot.ros import convert, qos
from rewardbot.ros.graph import load_graph, resolve
from rewardbot.ros.peer import Peer
from rewardbot.ros.supervisor import Supervisor

NODES = ("sim_node", "policy_node")
PATIENCE_S = 60.0


class Lockstep:
    """The two nodes as processes, in a namespace of their own. A context manager: leaving it ends them.

    Args:
        task: simulated task.
        seed: seed of start states.
        weights: what the policy acts with, see `policies.base.policy_to_bytes`.
    """

    def __init__(self, task: str, seed: int, weights: bytes) -> None:
        namespace = f"bench_{uuid.uuid4().hex[:12]}"
        starts = resolve(load_graph("sim"), {"task": task, "seed": seed, "namespace": namespace, "learn": False})
        self._supervisor = Supervisor([start for start in starts if start.name in NODES], log=lambda node, line: None)
        self._peer = Peer("bench", namespace)
        node = self._peer.node
        self._ends: list[int] = []  # when the episodes of the present request ended [ns]
        self._run = 0
        node.create_subscription(DiagnosticArray, decode.EPISODE, self._on_episode, qos.EVENTS)
        self._weights = node.create_publisher(UInt8MultiArray, "weights/policy", qos.LATCHED)
        self._weights.publish(convert.weights(weights))
        self._set = node.create_client(SetParametersAtomically, "policy_node/set_parameters_atomically")
        self._operator = node.create_client(SetBool, "simulated_operator")

    def __enter__(self) -> Lockstep:
        try:
            self._supervisor.start()
            self._supervisor.wait_ready()
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *exception: object) -> None:
        self._supervisor.stop()
        self._peer.close()

    def episodes(self, mode: Literal["demonstrate", "explore"], count: int) -> list[float]:
        """Conducts `count` + 1 episodes; returns how long each but the first took, its reset included [s].

        Raises:
            RobotError: an episode did not end, or a node refuses.
        """
        self._call(self._operator, SetBool.Request(data=mode == "demonstrate"))
        self._run += 1
        values = {"mode": mode, "episodes": count + 1, "run": self._run}
        answer = self._call(self._set, SetParametersAtomically.Request(
            parameters=[Parameter(name, value=value).to_parameter_msg() for name, value in values.items()]))
        if not answer.result.successful:
            raise RobotError(f"policy_node refuses {values}: {answer.result.reason}")
        self._ends = []
        self._wait(lambda: len(self._ends) > count, "an episode to end")
        return [(after - before) / 1e9 for before, after in zip(self._ends, self._ends[1:], strict=False)]

    def _on_episode(self, message: DiagnosticArray, info: MessageInfo) -> None:
        event = decode.episode_event(message)
        if event.kind == "end" and event.info.extra.get("run") == self._run:
            self._ends.append(info["source_timestamp"])

    def _call(self, client: Any, request: Any) -> Any:
        self._wait(client.service_is_ready, f"the service {client.srv_name}")
        future = client.call_async(request)
        self._wait(future.done, f"an answer of {client.srv_name}")
        return future.result()

    def _wait(self, done: Callable[[], bool], what: str) -> None:
        until = time.monotonic() + PATIENCE_S
        while not self._peer.wait(done, 0.2):
            self._supervisor.poll()
            if time.monotonic() > until:
                raise RobotError(f"Waited {PATIENCE_S:.0f} s for {what}.")
