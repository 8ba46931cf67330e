"""Weights by annotator: a better reward from the answers of people some of whom do not look."""

from __future__ import annotations

import numpy as np
import torch

from rewardbot.feedback.feedback import Given, Query, Ranking, UnsafeInterval, answer_pair
from rewardbot.feedback.records import History, Record
from rewardbot.rewards.preference import PreferenceConfig, PreferenceReward
from rewardbot.training.weighting import fit_weighted, learned_from
from rewardbot.types import Segment
from tests.rewards.synthetic import episodes, spearman

CONFIG = PreferenceConfig(sees=("features",), members=1, layers=0, steps=60, rate=0.1)
W = torch.tensor([3.0, -2.0, 1.0, 0.5])
CLIPS = [Segment("e", n, n + 1) for n in range(300)]


def ledger(seed: int, people: dict[str, str], each: int = 40) -> tuple[History, torch.Tensor]:
    """Everybody's answers about random pairs of the first 60 clips; and features of all, (300, 4)."""
    draw = np.random.default_rng(seed)
    steps = torch.from_numpy(draw.normal(size=(300, 4))).float()
    history = History()
    for name, how in people.items():
        for n in range(each):
            i, j = map(int, draw.choice(60, 2, replace=False))
            order = (0, 1) if draw.random() < 0.5 else (1, 0)
            query = Query(f"{name}{n}", "pair", (CLIPS[i], CLIPS[j]), order)
            shown = [(CLIPS[i], CLIPS[j])[option].start for option in order]
            meant = "left" if float(W @ (steps[shown[0]] - steps[shown[1]])) > draw.logistic() else "right"
            side = {"looks": meant, "guesses": ("left", "right")[draw.integers(2)], "left": "left"}[how]
            history.add(Record(history.last + 1, 0.0, "", query))
            history.add(Record(history.last + 1, 0.0, name, answer_pair(query, side, Given(name, query.id))))  # type: ignore[arg-type]
    return history, steps


def test_weights_improve_the_reward_on_noisy_annotators() -> None:
    noisy = {"one": "looks", "two": "looks", "three": "guesses", "four": "guesses", "five": "left"}
    gained = []
    for seed in range(2):
        history, steps = ledger(seed, noisy)
        context = episodes({"e": steps})
        alike, weighted = (PreferenceReward(CONFIG, 4) for _ in range(2))
        alike.fit(learned_from(history), context)
        _, known = fit_weighted(weighted, history, context)
        assert min(known.people[name].weight for name in ("one", "two")) > 0.7
        assert max(known.people[name].weight for name in ("three", "four", "five")) < 0.35
        rank = [spearman(reward.reward(context.transitions(Segment("e", 60, 300))), steps[60:] @ W) for reward in (alike, weighted)]
        gained.append(rank[1] - rank[0])
    assert np.mean(gained) > 0.01 and min(gained) > -0.01


def test_one_annotator_and_marks_change_nothing() -> None:
    history, steps = ledger(0, {"one": "looks"})
    history.add(Record(history.last + 1, 0.0, "two", UnsafeInterval(CLIPS[0], "hot", Given("two"))))
    context = episodes({"e": steps})
    plain, weighted = (PreferenceReward(CONFIG, 4) for _ in range(2))
    plain.fit(learned_from(history), context)
    fit_weighted(weighted, history, context)
    assert plain.to_bytes({}) == weighted.to_bytes({}) and all(isinstance(answer, Ranking) for answer in learned_from(history))
