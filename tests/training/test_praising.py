"""TAMER in a loop: what a simulated trainer says and when, that a point goes where it is praised, and that a run goes on."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from rewardbot import cli
from rewardbot.policies.myopic import MyopicConfig
from rewardbot.rewards.tamer import TamerConfig
from rewardbot.training.kept_state import load, save
from rewardbot.training.praising import PraisingConfig, PraisingLoop, SimulatedTrainer, TrainerConfig
from rewardbot.training.state_loop import evaluate
from rewardbot.training.state_summary import StateSummary
from tests.training.going_point import GoingPoint

CONFIG = PraisingConfig(steps=600, start_steps=100, every=100, tamer=TamerConfig(steps=150, hidden=16),
                        policy=MyopicConfig(hidden=16, steps=150, rate=3e-3), trainer=TrainerConfig(often=0.5))
AT_ONCE = TrainerConfig(often=1.0, shortest=0.2, longest=0.2)


def test_good_when_it_gets_better_or_is_as_good_as_ever_bad_when_worse_and_all_of_it_late() -> None:
    trainer = SimulatedTrainer(AT_ONCE, period=0.1)
    said = trainer.watch(np.array([0.1, 0.3, 0.2, 0.2, 1.0, 1.0], np.float32))
    assert [signal.value for signal in said] == [1.0, -1.0, 1.0, 1.0], "nothing of the first step, nor where nothing changed"
    assert [signal.stamp for signal in said] == pytest.approx([0.35, 0.45, 0.65, 0.75]), "middle of the step, and 0.2 s"
    assert trainer.said == 4


def test_a_trainer_says_no_more_than_agreed_not_at_each_step_and_errs_as_often_as_told() -> None:
    rising = np.arange(1000, dtype=np.float32)
    few = SimulatedTrainer(TrainerConfig(signals=7, often=1.0), 0.1)
    assert len(few.watch(rising)) == 7 and not few.watch(rising)
    some = SimulatedTrainer(TrainerConfig(often=0.3, mistakes=0.2), 0.1).watch(rising)
    assert len(some) == pytest.approx(300, abs=45)
    assert np.mean([signal.value < 0.0 for signal in some]) == pytest.approx(0.2, abs=0.07)
    delays = [signal.stamp % 0.1 for signal in SimulatedTrainer(TrainerConfig(), 0.1).watch(rising)]
    assert np.std(delays) > 0.02, "as late as it happens"


def test_a_point_goes_to_where_it_is_praised() -> None:
    learning = PraisingLoop(GoingPoint(), CONFIG)
    before = np.mean(evaluate(GoingPoint(), learning.best, range(10)))
    while learning.steps < CONFIG.steps:
        learning.advance()
    after = np.mean(evaluate(GoingPoint(), learning.best, range(10)))
    assert after > -5.0 > before, "0.5 away at each of 20 steps is -10"
    assert learning.metrics["signals"] <= learning.trainer.said <= 300


def test_it_goes_on_from_what_was_kept(tmp_path: Path) -> None:
    one, other = PraisingLoop(GoingPoint(), CONFIG), PraisingLoop(GoingPoint(), CONFIG)
    while one.steps < 200:
        one.advance()
    save(tmp_path / "kept.pt", one.state())
    load(tmp_path / "kept.pt", other.restore)
    for learning in (one, other):
        for _ in range(5):
            learning.advance()
    assert one.steps == other.steps == 300 and one.metrics == other.metrics
    assert all(map(torch.equal, one.agent.actor.parameters(), other.agent.actor.parameters()))


def test_by_name_without_naming_the_policy(tmp_path: Path) -> None:
    settings = tmp_path / "settings.yaml"
    settings.write_text("{every: 50, start_steps: 50, longest: 50, tamer: {steps: 3}, policy: {steps: 3}, evaluations: 1}")
    cli.run(["train", "--env", "Pendulum-v1", "--reward", "tamer", "--steps", "100", "--episodes", "1", "--config", str(settings),
             "--run-dir", str(tmp_path / "runs")])
    summary = StateSummary.read(tmp_path / "runs" / "latest" / "summary.json")
    assert (summary.reward, summary.policy, len(summary.returns)) == ("tamer", "myopic", 1) and 0 < summary.answers <= 100
