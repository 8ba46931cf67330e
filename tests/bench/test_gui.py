"""The smoke version of `rewardbot bench gui`: a real window, real keys, two kills."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from rewardbot import cli
from rewardbot.bench.gui import Trace

pytestmark = pytest.mark.gui


def test_a_line_that_is_not_whole_is_read_later(tmp_path: Path) -> None:
    trace = Trace(tmp_path / "trace")
    trace.look()
    (tmp_path / "trace").write_text('{"what": "visible", "query": "q1", "at": 1.0}\n{"what": "sto')
    trace.look()
    assert trace.last == "q1" and not trace.stored
    with (tmp_path / "trace").open("a") as file:
        file.write('red", "query": "q1", "at": 2.0}\n')
    trace.look()
    assert trace.stored == {"q1"} and trace.times["stored", "q1"] == 2.0


@pytest.mark.skipif(shutil.which("Xvfb") is None, reason="Xvfb is not installed")
def test_quick_bench_writes_what_is_promised(tmp_path: Path) -> None:
    file = tmp_path / "gui.json"
    cli.run(["bench", "gui", "--json", str(file), "--run-dir", str(tmp_path / "runs"), "--quick"])
    result = json.loads(file.read_text())
    measured = {row["what"]: row["value"] for row in result["rows"]}
    assert measured["answers"] == 6 and measured["kill -9"] == 2 and measured["of these lost"] == 0
    assert measured["answers acknowledged"] >= 6 and measured["key to feedback, p99, ms"] > 0
    assert [target["name"] for target in result["targets"]] == [
        "answers lost", "key to feedback, p99, ms", "next question, p99, ms", "growth of memory"]
    assert list((tmp_path / "runs").iterdir()) == []
