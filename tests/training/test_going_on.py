"""`rewardbot train` stopped in each phase and gone on with: nothing is done twice, and the result is whole."""

from __future__ import annotations

import dataclasses
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from rewardbot import commands
from rewardbot.config import load
from rewardbot.data.episodes import list_episodes, read_header
from rewardbot.robots.robot import load_contract
from rewardbot.robots.takeovers import WatchingOperator
from rewardbot.training import job
from rewardbot.training.learner import Learner
from rewardbot.training.learner_config import LearnerConfig
from rewardbot.training.options import JobOptions
from rewardbot.training.record import JobRecord
from rewardbot.training.summary import Summary

OPTIONS = JobOptions(task="reach", demos=3, minutes=60.0, episodes=2, seed=2, config="small.yaml")


@pytest.fixture(autouse=True)
def four_episodes(monkeypatch: pytest.MonkeyPatch) -> None:
    """End learning, however fast the machine is."""
    monkeypatch.setattr(job, "learn", partial(job.learn, steps=60))


class Stop(Exception):
    """What stops it."""


def stop_at(patch: pytest.MonkeyPatch, where: Any, name: str, call: int) -> None:
    """The given call of a function is the last."""
    whole, left = getattr(where, name), call

    def stopping(*arguments: Any, **named: Any) -> Any:
        nonlocal left
        left -= 1
        if left == 0:
            raise Stop
        return whole(*arguments, **named)

    patch.setattr(where, name, stopping)


def test_it_goes_on_from_wherever_it_was_stopped(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path("small.yaml").write_text("bc: {steps: 3}\nplain_bc: {steps: 3}\nclassifier: {first_steps: 3}\n")
    resume = None
    pretrained: list[int] = []
    pretrain = Learner.pretrain

    def counted(self: Learner, *arguments: Any, **named: Any) -> Any:
        pretrained.append(len(arguments[0]))
        return pretrain(self, *arguments, **named)

    monkeypatch.setattr(Learner, "pretrain", counted)
    for where, name, call in (
        (job, "write_episode", 2), (Learner, "_new_classifier", 1), (Learner, "add_episode", 3), (job, "evaluate", 2)
    ):
        with monkeypatch.context() as patch:
            stop_at(patch, where, name, call)
            with pytest.raises(Stop):
                commands.train(OPTIONS, resume)
        run = (tmp_path / "runs" / "latest").resolve()
        resume = commands.Resume(str(run), {})
    record = JobRecord.read(run, pytest.fail)
    assert list(record.evaluations) == ["bc"], "stopped in the second evaluation"
    with monkeypatch.context() as patch:
        stop_at(patch, job, "evaluate", 3)  # two are left
        commands.train(OPTIONS, resume)

    assert pretrained == [3, 3], "stopped in it once, done once"
    infos = [read_header(path).info for path in list_episodes(run / "demonstrations")]
    assert len(infos) == 3 and len({info.seed for info in infos}) == 3
    files = sorted(path.stem.partition("-")[2] for path in (run / "checkpoint" / "visited").glob("*/*"))
    summary = Summary.read(run / "summary.json")
    assert summary.env_steps == 15 * len(files) and len(files) == 4
    assert sorted(int(name.rsplit("-", 1)[1]) for name in files) == list(range(len(files))), "each start state once"
    assert summary.episodes == 2 and set(summary.success) == {"bc", "bc_tuned", "rl"}


def test_an_operators_takeovers_are_learned_from_also_when_it_goes_on(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """He does not wait here: every step is his."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(WatchingOperator, "acts", lambda self: True)
    Path("small.yaml").write_text("bc: {steps: 3}\nplain_bc: {steps: 3}\nclassifier: {first_steps: 3}\n")
    options = dataclasses.replace(OPTIONS, takeovers=True)
    with monkeypatch.context() as patch:
        stop_at(patch, Learner, "add_episode", 3)
        with pytest.raises(Stop):
            commands.train(options)
    run = (tmp_path / "runs" / "latest").resolve()
    commands.train(options, commands.Resume(str(run), {}))
    learner = Learner(load(LearnerConfig, run / "learner.yaml"), load_contract("sim_arm"), "reach", options.seed)
    learner.load(run / "checkpoint")
    visited = [name for name, _, _ in learner.visited.spans]
    assert visited[:3] == [f"reach-policy-7-{index}" for index in range(3)], "two before the stop"
    assert [name for name, _, _ in learner.demonstrations.spans][3:] == [f"{name}/0-15" for name in visited]
    assert not any(learner.judged) and len(learner.classifier.positives.added) > 0
