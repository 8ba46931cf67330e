"""The smoke version of `rewardbot bench sim` runs, with real nodes, and keeps the contract of its file."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from rewardbot import cli
from rewardbot.bench import sim
from rewardbot.robots.mujoco import MujocoRobot


@pytest.mark.ros
def test_quick_bench_writes_what_is_promised(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LP_NUM_THREADS", "1")  # so that it is not left set for other tests
    file = tmp_path / "sim.json"
    cli.run(["bench", "sim", "--json", str(file), "--quick"])
    result = json.loads(file.read_text())
    assert result["name"] == "sim" and result["seeds"] == [0]
    cell = [(row["cameras"], row["px"], row["shadows"]) for row in result["rows"] if "commands" not in row]
    sizes = [(1, 64), (2, 64), (1, 128), (2, 128)]
    assert cell == [(0, None, False), *((*size, False) for size in sizes), *((*size, True) for size in sizes)]
    loops = [row for row in result["rows"] if "commands" in row]
    assert [(row["commands"], row["loop"]) for row in loops] == [
        (commands, loop) for commands in ("policy", "scripted operator") for loop in ("in process", "ROS lockstep")]
    assert all(row["share"] > 0 for row in loops if row["loop"] == "ROS lockstep")
    assert all(row["steps/s"] >= row["median"] > 0 for row in result["rows"])
    assert all(("steps per CPU s" in row) == (row["loop"] == "in process") for row in result["rows"])
    assert [target["target"] for target in result["targets"]] == [">= 350", ">= 0.6", ">= 0.6"]


def test_the_best_window_counts() -> None:
    case = sim.Case({}, lambda count: [0.5, 0.25, 1.0], 25)
    sim.in_turn([case], sim.Windows(2, 3), lambda share, detail: None)
    assert case.seconds == [0.5, 0.25, 1.0] * 2 and case.best == 100.0 and case.usual == 50.0


def test_cases_take_turns() -> None:
    calls: list[str] = []
    cases = [sim.Case({"name": name}, lambda count, name=name: calls.append(name) or [1.0], 1) for name in "ab"]
    shares: list[float] = []
    sim.in_turn(cases, sim.Windows(2, 1), lambda share, detail: shares.append(share))
    assert calls == ["a", "b", "a", "b"] and shares == [0.0, 0.25, 0.5, 0.75]


def test_shadows_are_drawn_only_when_asked_for() -> None:
    plain, shaded = MujocoRobot("lift"), MujocoRobot("lift", shadows=True)
    lit = shaded.read().images["front"].astype(float)
    for renderer in shaded._renderers.values():
        renderer.scene.flags[0] = 0  # mjRND_SHADOW: the same lamp without them
    unshaded = shaded.read().images["front"].astype(float)
    assert np.abs(lit - unshaded).max() > 20 and (unshaded - lit).mean() > 0, "shadows are darker"
    assert plain.model.nlight == 0
    for robot in (plain, shaded):
        robot.close()
