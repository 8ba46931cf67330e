"""Asymmetric self-play on the arm: the task's own goals, of which nobody told it, beside practising them with as many steps.

All learn in the same way, with hindsight; what differs is who sets the goals: a setter that learns, one that acts by chance, or the
task. Learning from the task's own goals is told what it will be judged by, the others are not.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Literal

import numpy as np
import torch

from rewardbot.bench._kept import Kept
from rewardbot.bench._library_control import random
from rewardbot.robots.start_states import learning_stream, start_seed
from rewardbot.training.bench import BenchOptions, BenchResult, Cell, Report, Target
from rewardbot.training.self_play import REACHER, SMALL, SelfPlay, SelfPlayConfig
from rewardbot.training.self_play_sides import Round
from rewardbot.training.state_loop import Act, Env, make_env, outcomes, start_seeds

SEEDS = (0, 1, 2)
TASK = "rewardbot/ReachGoal-v0"

Goals = Literal["self_play", "setter by chance", "the task's own"]
GOALS: tuple[Goals, ...] = ("self_play", "setter by chance", "the task's own")

STEPS, JUDGED = 4000, 50
"""Of both together, in the world; evaluation episodes of each policy."""

ENOUGH = 0.8
"""Share of episodes at whose end the task's own goal holds, on each seed."""


def run(options: BenchOptions, report: Report) -> BenchResult:
    """One seed after the other. What is done stays in the run folder."""
    torch.set_num_threads(1)
    seeds = options.seeds or (SEEDS[:1] if options.quick else SEEDS)
    steps, judged = (30, 1) if options.quick else (STEPS, JUDGED)
    kept, env, judge = Kept(options.folder("self_play")), make_env(TASK), make_env(TASK)
    total, done = len(seeds) * len(GOALS) * steps, 0
    rows: list[dict[str, Cell]] = []
    for seed in seeds:
        at = start_seeds(seed, judged)
        rows.append({"task": TASK, "seed": seed, "goals": "none: chance", **_judged(judge, random(judge, seed), at)})
        for goals in GOALS:
            config = config_of(goals, steps, small=options.quick)

            def make(
                goals: Goals = goals, config: SelfPlayConfig = config, seed: int = seed, done: int = done
            ) -> Mapping[str, Cell]:
                play = SelfPlay(env, config, seed=seed)
                while play.steps < steps:
                    report((done + min(play.steps, steps)) / total, f"seed {seed}: {goals}")
                    if goals == "the task's own":
                        play.practise(start_seed(learning_stream(seed), play.reacher.episodes))
                    else:
                        play.advance()
                return _judged(judge, play.reacher.best, start_seeds(seed, judged)) | _distances(play.rounds)

            name = f"{goals.replace(' ', '_').replace(chr(39), '')}-{seed}"
            rows.append({"task": TASK, "seed": seed, "goals": goals, **kept.part(name, (TASK, config, goals, steps, judged), make)})
            done += steps
    env.close()
    judge.close()
    report(1.0, "done")
    played = [row for row in rows if row["goals"] == "self_play"]
    further = [float(row["last goals [m]"] or 0.0) / float(row["first goals [m]"] or np.inf) for row in played]
    worst = min(float(row["true success"] or 0.0) for row in played)
    return BenchResult(seeds, rows, (
        Target.at_least("self_play: true success on the worst seed", worst, ENOUGH),
        Target.at_least("self_play: how many times as far the last goals are as the first, on the worst seed", min(further), 1.0)))


def config_of(goals: Goals, steps: int, *, small: bool = False) -> SelfPlayConfig:
    """How it is played; a setter that acts by chance is one that never begins to learn."""
    setter, reacher = (replace(loop, sac=replace(loop.sac, hidden=8, batch=8), start_steps=20) if small else loop
                       for loop in (SMALL, REACHER))
    if goals == "setter by chance":
        setter = replace(setter, start_steps=10**9)
    return SelfPlayConfig(together=8 if small else 30, setter=setter, reacher=replace(reacher, steps=steps))


def _distances(rounds: Sequence[Round]) -> dict[str, Cell]:
    """Of the goals in the first and in the last quarter, if any were set."""
    quarter = max(1, len(rounds) // 4)
    return {f"{name} goals [m]": float(np.mean([one.distance for one in part]))
            for name, part in (("first", rounds[:quarter]), ("last", rounds[-quarter:])) if part}


def _judged(env: Env, act: Act, at: list[int]) -> dict[str, Cell]:
    found = outcomes(env, act, at)
    return {"true success": float(np.mean([bool(one.success) for one in found])),
            "true return": float(np.mean([one.total for one in found]))}
