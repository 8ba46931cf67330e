"""A person at the keyboard lifts the cube: real key events, the real window, real DDS, the simulated arm in real time."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from rewardbot.data.episodes import list_episodes, read_episode
from rewardbot.ros.graph import load_graph, resolve
from rewardbot.ros.supervisor import Supervisor
from tests.gui.keyboard import Keyboard
from tests.ros.lifting import CLOSE_M, Person

pytestmark = [pytest.mark.ros, pytest.mark.gui, pytest.mark.slow]

AXES = (("w", "s"), ("a", "d"), ("r", "f"))


@pytest.fixture
def keyboard(screen: str) -> Iterator[Keyboard]:
    found = Keyboard(screen)
    yield found
    found.close()


def test_real_keys_lift_the_cube_and_the_demonstration_is_recorded(
        domain: int, client: Any, keyboard: Keyboard, tmp_path: Path) -> None:
    nodes = resolve(load_graph("teleop"), {"task": "lift", "speed": 0.1, "run_folder": str(tmp_path)})
    said: list[str] = []
    with Supervisor(nodes, log=lambda node, line: said.append(f"{node}: {line}")) as supervisor:
        person = Person(client)
        supervisor.start()
        supervisor.wait_ready()
        person.wait_connected(nodes)
        keyboard.focus("rewardbot: teleoperation")
        person.wait_for(lambda: person.metric("teleop_node", "connected") == 1.0, "the window")
        person.wait_for(lambda: person.metric("policy_node", "mode") == "teleoperate", "policy_node")
        keyboard.tap("Return")
        start = person.begun()

        def push(gap: NDArray[np.float64], grip: float) -> None:
            held = {keys[0] if gap[axis] > 0 else keys[1] for axis, keys in enumerate(AXES) if abs(gap[axis]) > CLOSE_M}
            keyboard.hold(held | ({"e"} if grip < 0 else set()))

        assert start.info.seed is not None
        person.lift(push, start.info.seed)
        keyboard.hold(set())
        keyboard.tap("y")
        person.wait_for(lambda: person.events[-1].kind == "end", "the end")
        person.wait_for(lambda: person.metric("recorder_node", "episodes_saved") == 1.0, f"the recorder: {said}")
    end = person.events[-1]
    assert end.info.success is True and end.info.source == "demonstration" and person.truths[-1], "it was lifted indeed"
    (path,) = list_episodes(tmp_path / "demonstrations")
    episode = read_episode(path)
    # A machine that is too busy for ten frames a second is told of, and its demonstrations are not called good.
    assert (episode.info.success is True or episode.info.extra["problems"]) and len(episode) == end.steps
    assert set(np.sign(episode.actions[:, 3]).tolist()) == {-1.0, 1.0}, "the gripper is told what to do in every step"
    moved = np.abs(episode.actions[:, :3]).max(0)
    assert moved[moved > 0] == pytest.approx(0.1, abs=1e-3), "at the speed that was asked for"
    assert moved[2] > 0 and moved[:2].any(), "an axis along which the tool was above the cube from the start needs no key"
