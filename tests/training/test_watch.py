"""Meter and alarm beside a loop: a policy that earns what was meant, and one that dazzles the camera."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from rewardbot.feedback.alarm import Alarm, RewardFrozen, fresh
from rewardbot.feedback.asking import CHECK, Asking, AskingConfig, Judged
from rewardbot.feedback.feedback import Given, Query, answer_pair
from rewardbot.feedback.ledger import Ledger
from rewardbot.feedback.records import History, Record
from rewardbot.feedback.schedule import Schedule
from rewardbot.feedback.teachers.simulated import Simulated, SimulatedConfig
from rewardbot.rewards.base import Context
from rewardbot.rewards.comparisons import clips_of
from rewardbot.rewards.preference import PreferenceConfig, PreferenceReward
from rewardbot.training.calibration import promised
from rewardbot.training.watch import Watch, WatchConfig
from rewardbot.training.weighting import learned_from
from rewardbot.types import Segment
from tests.rewards.synthetic import episodes

CONFIG = PreferenceConfig(sees=("features",), members=2, layers=0, steps=60, rate=0.1)
LENGTH, EARLY, ROUNDS, EACH = 5, 30, 6, 10


class World:
    """Episodes that differ in progress, which is all that the operator cares for, and glare, which comes with it at first. The reward
    learns from answers about early episodes, and is not mended afterwards.
    """

    def __init__(self, seed: int, *, hacked: bool) -> None:
        self.draw, self.history = np.random.default_rng(seed), History()
        progress = np.concatenate([self.draw.uniform(0, 1, EARLY), *(
            self.draw.normal(0.5 + (-0.1 if hacked else 0.4) * n, 0.3, EACH) for n in range(ROUNDS))])
        glare = np.concatenate([progress[:EARLY], *(
            (progress[EARLY:][EACH * n : EACH * (n + 1)] if not hacked else self.draw.normal(0.5 + 0.6 * n, 0.3, EACH))
            for n in range(ROUNDS))])
        still = np.repeat(np.stack([progress, glare], 1)[:, None], LENGTH, axis=1)
        steps = torch.from_numpy(still + self.draw.normal(0, 0.02, still.shape)).float()
        self.progress, self.clips = progress, [Segment(f"e{n}", 0, LENGTH) for n in range(len(progress))]
        self.context: Context = episodes({clip.episode_id: steps[n] for n, clip in enumerate(self.clips)})
        self.reward = PreferenceReward(CONFIG, 2)
        self.ask(0, EARLY, 40)
        self.reward.fit(learned_from(self.history), self.context)

    def ask(self, first: int, stop: int, count: int, judge: PreferenceReward | None = None) -> None:
        """Questions about episodes [first, stop) against these and earlier ones, with what the reward expects."""
        for _ in range(count):
            i = int(self.draw.integers(first, stop))
            j = int(self.draw.choice([n for n in range(stop) if n != i]))
            predicted = ()
            if judge is not None:
                clips = clips_of([self.clips[i], self.clips[j]], self.context, CONFIG.sees, judge.device)
                p = float(torch.softmax(judge.returns(clips), -1)[:, 0].mean())
                predicted = (p, 1 - p)
            query = Query(f"q{len(self.history.queries)}", "pair", (self.clips[i], self.clips[j]), (0, 1), predicted=predicted,
                          strategy=CHECK)
            better = 10.0 * (self.progress[i] - self.progress[j]) > self.draw.logistic()
            self.history.add(Record(self.history.last + 1, 0.0, "", query))
            self.history.add(Record(self.history.last + 1, 0.0, "x", answer_pair(
                query, "left" if better else "right", Given("x", query.id))))

    def watched(self) -> tuple[Watch, int | None]:
        """Each round of ten episodes is asked about ten times; the round in which the alarm rings."""
        watch = Watch(WatchConfig(every=10, newest=EACH))
        assert watch.look(self.reward, self.history, self.context, self.clips[:EARLY])
        for n in range(ROUNDS):
            stop = EARLY + EACH * (n + 1)
            self.ask(stop - EACH, stop, 10, self.reward)
            assert watch.look(self.reward, self.history, self.context, self.clips[:stop])
            if watch.alarm.ringing:
                return watch, n
        return watch, None


def test_a_hacked_reward_is_frozen() -> None:
    watch, rang = World(0, hacked=True).watched()
    assert rang is not None and watch.hacked is not None and watch.hacked.state == "ringing"
    assert watch.hacked.now > watch.hacked.before and watch.hacked.agreed < 0.7 * watch.hacked.expected
    with pytest.raises(RewardFrozen, match="not you"):
        watch.alarm.check()


def test_a_reward_that_is_meant_is_left_alone() -> None:
    watch, rang = World(0, hacked=False).watched()
    assert rang is None and watch.hacked is not None and watch.hacked.state == "sound" and watch.hacked.now > watch.hacked.before
    watch.alarm.check()


def test_it_looks_when_there_is_something_new() -> None:
    world, watch = World(1, hacked=False), Watch(WatchConfig(every=10, newest=10))
    assert not watch.look(world.reward, world.history, world.context, world.clips[:10]), "nothing to compare with"
    assert watch.look(world.reward, world.history, world.context, world.clips[:EARLY])
    assert watch.enough is not None and 0.0 <= watch.enough.bound <= 1.0
    world.ask(0, EARLY, 9)
    assert not watch.look(world.reward, world.history, world.context, world.clips[:EARLY])
    world.ask(0, EARLY, 1)
    assert watch.look(world.reward, world.history, world.context, world.clips[:EARLY])


class Rare:
    """Progress is what the operator cares for, and glare is bad. Where nothing glares, as nearly everywhere, all three members of the
    reward are right. Two of them like glare: that is what they disagree on, and what a strategy asks about. A policy that hacks the
    reward glares, and all three like it.
    """

    def __init__(self, path: Path, *, hacked: bool) -> None:
        draw = np.random.default_rng(0)
        self.seen = np.stack([draw.permutation(np.linspace(0.0, 1.0, 80)), np.zeros(80)], 1)
        self.seen[60:, 0] += 0.3
        self.seen[[7, 33, 52], 1] = 1.0
        if hacked:
            self.seen[70:] = 0.2, 1.0
        self.clips = [Segment(f"e{n}", 0, 1) for n in range(80)]
        steps = torch.from_numpy(self.seen).float()
        self.context = episodes({clip.episode_id: steps[n : n + 1] for n, clip in enumerate(self.clips)})
        self.reward = PreferenceReward(PreferenceConfig(sees=("features",), members=3, layers=0, steps=30, rate=0.1), 2)
        weights = torch.tensor([[10.0, 14.0], [10.0, 14.0], [10.0, 14.0 if hacked else -14.0]])
        torch.nn.init.zeros_(self.reward.network.layers[0].weight).data += weights[..., None]  # type: ignore[arg-type]
        self.ledger = Ledger(path)
        config = AskingConfig(steps=1, schedule=Schedule(budget=60, first=20, early=1000.0, waiting=60))
        self.asking = Asking(self.ledger, Simulated(self._true, SimulatedConfig(rationality=1.0)), config)
        self.watch = Watch(WatchConfig(every=20, newest=10))

    def look(self, stop: int, progress: float) -> None:
        """Asks about episodes [0, stop), which the reward does not learn from, and looks."""
        first = not self.asking.answered
        self.asking.ask(self.clips[:stop], None if first else self._judge, progress=progress)
        self.asking.poll()
        assert self.watch.look(self.reward, self.ledger.history(), self.context, self.clips[:stop])

    def all(self) -> History:
        """As if every question had been drawn by chance."""
        history = History()
        for record in self.ledger.records():
            entry = record.entry
            history.add(replace(record, entry=replace(entry, strategy=CHECK)) if isinstance(entry, Query) else record)
        return history

    def _true(self, clip: Segment) -> np.ndarray:
        progress, glare = self.seen[int(clip.episode_id[1:])]
        return np.array([10.0 * progress - 20.0 * glare])

    def _judge(self, clips: Sequence[Segment]) -> Judged:
        seen = np.stack([self.seen[int(clip.episode_id[1:])] for clip in clips])
        return Judged(self.reward.returns(clips_of(clips, self.context, CONFIG.sees, self.reward.device)).double().numpy(), seen)


def test_questions_that_are_chosen_for_being_hard_do_not_ring(tmp_path: Path) -> None:
    """Of 60 answers 20 come before the reward asks, and 8 of its 40 questions are drawn by chance."""
    world = Rare(tmp_path / "l.db", hacked=False)
    world.look(60, 0.0)
    world.look(80, 1.0)
    found = world.watch.hacked
    assert found is not None and found.state == "sound" and found.answers == 8 and found.agreed >= found.expected
    assert found.now > found.before, "only the answers keep it from ringing"
    sure, agreed = fresh(world.all())
    assert len(agreed) == 40 and np.mean(agreed) < 0.4 < 0.5 < np.mean(sure)
    everything = Alarm().update(agreed, promised(np.array(sure), 1.0).tolist(), np.zeros(9), np.ones(9))
    assert everything.state == "ringing", "as it would, were all of them counted"
    world.ledger.close()


def test_a_hacked_reward_rings_although_few_questions_are_drawn_by_chance(tmp_path: Path) -> None:
    world = Rare(tmp_path / "l.db", hacked=True)
    world.look(60, 0.0)
    world.look(80, 1.0)
    found = world.watch.hacked
    assert found is not None and found.state == "ringing" and found.answers <= 8 and found.agreed <= 1.0
    world.ledger.close()
