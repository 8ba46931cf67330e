"""A virtual gamepad lifts the cube: a stream of sensor_msgs/Joy, real DDS, the simulated arm in real time."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from sensor_msgs.msg import Joy
from std_srvs.srv import Trigger

from rewardbot.data.episodes import list_episodes, read_episode
from rewardbot.ros import qos
from rewardbot.ros.graph import load_graph, resolve
from rewardbot.ros.supervisor import Supervisor
from tests.ros.lifting import Person

pytestmark = [pytest.mark.ros, pytest.mark.slow]

FULL_M = 0.05
"""Distance from which the sticks are pushed all the way."""


class Gamepad:
    """Publishes what a joy node says of an Xbox controller."""

    def __init__(self, client: Any) -> None:
        self._publisher = client.node.create_publisher(Joy, "joy", qos.COMMANDS)
        self._axes, self._buttons = [0.0] * 8, [0] * 11
        client.node.create_timer(0.03, self._say)

    def push(self, gap: NDArray[np.float64], grip: float) -> None:
        """Sticks towards `gap`, with the dead-man switch held."""
        self._axes[1], self._axes[0], self._axes[4] = np.clip(gap / FULL_M, -1.0, 1.0).tolist()
        self._buttons[4], self._buttons[0], self._buttons[1] = 1, int(grip < 0), int(grip > 0)

    def let_go(self, *buttons: int) -> None:
        """Sticks in the middle, all buttons up but these."""
        self._axes, self._buttons = [0.0] * 8, [int(number in buttons) for number in range(11)]

    def _say(self) -> None:
        self._publisher.publish(Joy(axes=self._axes, buttons=self._buttons))


def test_a_stream_of_joy_messages_lifts_the_cube_after_a_start_that_was_done_again(domain: int, client: Any, tmp_path: Path) -> None:
    nodes = resolve(load_graph("teleop"), {
        "task": "lift", "device": "joy", "window": False, "speed": 0.35, "seed": 3, "run_folder": str(tmp_path)})
    said: list[str] = []
    with Supervisor(nodes, log=lambda node, line: said.append(f"{node}: {line}")) as supervisor:
        person, pad = Person(client), Gamepad(client)
        supervisor.start()
        supervisor.wait_ready()
        person.wait_connected(nodes)
        person.wait_for(lambda: person.metric("teleop_node", "connected") == 1.0, "the gamepad")
        person.wait_for(lambda: person.metric("policy_node", "mode") == "teleoperate", "policy_node")
        pad.let_go(7)
        first = person.begun()
        pad.let_go()
        answer = client.call(Trigger, "episode/again", Trigger.Request())
        assert answer.success and first.info.id in answer.message
        person.wait_for(lambda: person.events[-1].kind == "start" and person.events[-1].info.id != first.info.id, "another one")
        start = person.events[-1]
        assert start.info.seed == first.info.seed is not None, "from the same start state"
        person.lift(pad.push, start.info.seed)
        pad.let_go(3)
        person.wait_for(lambda: person.events[-1].kind == "end", "the end")
        pad.let_go()
        person.wait_for(lambda: person.metric("recorder_node", "episodes_saved") == 1.0, f"the recorder: {said}")
    assert [event.kind for event in person.events] == ["start", "discard", "start", "end"]
    assert person.events[-1].info.success is True and person.truths[-1]
    (path,) = list_episodes(tmp_path / "demonstrations")
    assert read_episode(path).info.id == start.info.id
