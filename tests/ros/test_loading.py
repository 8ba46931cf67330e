"""A slow import beside other work."""

from __future__ import annotations

import sys
import time
from pathlib import Path

import pytest

from rewardbot.ros.loading import Loading


def test_it_begins_with_the_first_question_and_stops_nobody(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The module waits for what is done meanwhile."""
    (tmp_path / "slow_to_load.py").write_text("import sys, time\nwhile 'go on' not in sys.argv: time.sleep(0.001)\n")
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.setattr(sys, "argv", [])
    module = Loading("slow_to_load")
    assert "slow_to_load" not in sys.modules
    assert not module.done() and not module.done()
    sys.argv.append("go on")
    deadline = time.monotonic() + 30.0
    while not module.done():
        assert time.monotonic() < deadline
    assert "slow_to_load" in sys.modules
    assert Loading("slow_to_load").done(), "what is there is there at once"
    del sys.modules["slow_to_load"]
