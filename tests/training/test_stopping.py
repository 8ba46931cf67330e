"""Ctrl-C and SIGTERM while a policy learns from preferences: it ends soon, keeps what there is, says how to go on, and goes on."""

from __future__ import annotations

import os
import signal
import sqlite3
import threading
import time
from pathlib import Path
from typing import Any

import gymnasium
import pytest
import torch
import yaml

from rewardbot import cli
from rewardbot.training.preferences import CHECKPOINT, LEDGER
from rewardbot.training.state_summary import StateSummary
from rewardbot.training.stopping import Stopped, check, listening
from tests.training.point import Point

ENV = "tests/Stopping-v0"
SETTINGS = {
    "loop": {"start_steps": 30, "sac": {"batch": 16, "hidden": 8}}, "asking": {"steps": 5, "clips": 20, "candidates": 30},
    "reward": {"hidden": 8, "layers": 1, "steps": 5}, "every": 20, "evaluations": 1, "explore_steps": 60,
}


class Stopping(Point):
    """A point that sends the process a signal when it takes the step of this number."""

    number, at_step, taken = signal.SIGTERM, 0, 0

    def step(self, action: Any) -> Any:
        Stopping.taken += 1
        if Stopping.taken == Stopping.at_step:
            os.kill(os.getpid(), Stopping.number)
        return super().step(action)


@pytest.fixture(autouse=True)
def _env() -> None:
    Stopping.at_step = Stopping.taken = 0
    if ENV not in gymnasium.registry:
        gymnasium.register(ENV, entry_point=lambda **given: Stopping(**given))


def train(tmp_path: Path, **settings: Any) -> Path:
    (tmp_path / "settings.yaml").write_text(yaml.safe_dump({**SETTINGS, **settings}))
    with pytest.raises(Stopped, match=r"rewardbot train --resume .*runs"):
        cli.run(["train", "--env", ENV, "--reward", "pebble", "--steps", "150", "--answers", "10", "--episodes", "3",
                 "--config", str(tmp_path / "settings.yaml"), "--run-dir", str(tmp_path / "runs")])
    assert signal.getsignal(signal.SIGTERM) is signal.SIG_DFL, "as it was before"
    return (tmp_path / "runs" / "latest").resolve()


def go_on(run: Path) -> None:
    cli.run(["train", "--resume", str(run)])
    assert StateSummary.read(run / "summary.json").steps == 150


@pytest.mark.parametrize(("number", "at_step", "learned_from"), [
    (signal.SIGTERM, 5, 5), (signal.SIGINT, 75, 45), (signal.SIGTERM, 10, 10)],
    ids=["by chance", "state entropy", "the end of an episode"])
def test_while_it_explores(tmp_path: Path, number: signal.Signals, at_step: int, learned_from: int) -> None:
    """Of the first 75 steps, 3 episodes of 10 are for the curve: after 10, 20 and 40 others."""
    Stopping.number, Stopping.at_step = number, at_step
    run = train(tmp_path)
    assert Stopping.taken == at_step and torch.load(run / CHECKPOINT, weights_only=True)["counters"][0] == learned_from
    go_on(run)


def test_in_the_middle_of_a_fit(tmp_path: Path) -> None:
    """Of ten million steps, which would take hours."""
    asked_at = []

    def when_there_are_answers() -> None:
        while not answers(tmp_path / "runs" / "latest" / LEDGER):
            time.sleep(0.01)
        asked_at.append(time.monotonic())
        os.kill(os.getpid(), signal.SIGINT)

    waiting = threading.Thread(target=when_there_are_answers, daemon=True)
    waiting.start()
    run = train(tmp_path, reward={**SETTINGS["reward"], "steps": 10_000_000})
    assert time.monotonic() - asked_at[0] < 2.0 and (run / CHECKPOINT).exists() and answers(run / LEDGER) > 0
    waiting.join()


def test_in_the_evaluation(tmp_path: Path) -> None:
    """After 150 steps that are learned from, 9 episodes of 10 for the curve, and 12 more."""
    Stopping.at_step = 150 + 90 + 12
    run = train(tmp_path)
    assert not (run / "summary.json").exists()
    go_on(run)


def test_a_second_signal_does_not_wait() -> None:
    with listening():
        check("nobody asked")
        os.kill(os.getpid(), signal.SIGTERM)
        with pytest.raises(Stopped):
            check(0.5)
        with pytest.raises(KeyboardInterrupt) as caught:
            os.kill(os.getpid(), signal.SIGINT)
            time.sleep(1.0)
        assert not isinstance(caught.value, Stopped)
    check()


def test_the_command_says_how_to_go_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    Stopping.at_step = 5
    monkeypatch.setattr("sys.argv", ["rewardbot", "train", "--env", ENV, "--steps", "1200", "--run-dir", str(tmp_path)])
    with pytest.raises(SystemExit) as ended:
        cli.main()
    said = capsys.readouterr().err
    assert ended.value.code == cli.INTERRUPTED
    assert said.endswith(f"rewardbot: Stopped. To go on with it:\n  rewardbot train --resume {(tmp_path / 'latest').resolve()}\n")


def answers(path: Path) -> int:
    """How many are in a ledger that somebody else writes."""
    try:
        with sqlite3.connect(f"file:{path}?mode=ro", uri=True) as connection:
            return int(connection.execute("SELECT count(*) FROM records WHERE annotator != ''").fetchone()[0])
    except sqlite3.OperationalError:
        return 0
