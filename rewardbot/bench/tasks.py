"""Every task from 30 demonstrations: reinforcement learning on the learned reward beside behaviour cloning, by true success."""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from statistics import mean

import torch

from rewardbot.robots.tasks import task_names
from rewardbot.training.bench import BenchOptions, BenchResult, Cell, Report, Target
from rewardbot.training.files import write_atomic
from rewardbot.training.job import train
from rewardbot.training.options import JobOptions
from rewardbot.training.preparing import prepare
from rewardbot.training.run import learner_yaml
from rewardbot.training.summary import Summary

SEEDS = (0, 1, 2)
PROMISED = {"drawer": 0.9, "lift": 0.95, "pencil_case": 0.8, "push": 0.95, "reach": 0.95}
"""Task -> least mean true success."""

LONGEST_S = 15 * 60.0
"""Least time in which each task is learned [s]."""

TWICE = 2.0
"""Times the success of plain behaviour cloning, which reinforcement learning should reach on two tasks."""


QUICK = {"bc": {"steps": 5}, "plain_bc": {"steps": 5}, "classifier": {"first_steps": 20}}
"""Settings that only show that it runs."""


def job(task: str, seed: int, quick: bool, runs: Path) -> JobOptions:
    """The main job as users start it, without ROS."""
    options = JobOptions(task=task, seed=seed, run_dir=str(runs))
    if not quick:
        return options
    write_atomic(runs / "quick.yaml", learner_yaml(QUICK))
    return replace(options, demos=2, minutes=0.02, episodes=2, config=str(runs / "quick.yaml"))


def run(options: BenchOptions, report: Report) -> BenchResult:
    """Each task on each seed, one after the other, each until it has converged or its time is over."""
    torch.set_num_threads(1)
    tasks = task_names()[:1] if options.quick else task_names()
    seeds = options.seeds or (SEEDS[:1] if options.quick else SEEDS)
    found: dict[str, list[Summary]] = {task: [] for task in tasks}
    jobs = [(seed, task) for seed in seeds for task in tasks]
    for number, (seed, task) in enumerate(jobs):
        done = ", ".join(f"{name} {one.success['rl']:.2f}" for name, of in found.items() for one in of[-1:])
        report(number / len(jobs), f"{task}, seed {seed}" + (f" (last: {done})" if done else ""))
        with tempfile.TemporaryDirectory() as runs:
            ready, folder = prepare(job(task, seed, options.quick, Path(runs)), "train")
            with folder:
                found[task].append(train(ready, folder, live=False))
    rows: list[dict[str, Cell]] = [
        {"task": task, "seed": one.seed, "BC": one.success["bc"], "tuned BC": one.success["bc_tuned"], "RL": one.success["rl"],
         "episodes": one.episodes, "demonstrations": one.demonstrations, "steps": one.env_steps, "learned in [s]": one.learn_s,
         "false positives": one.classifier.false_positive_rate, "false negatives": one.classifier.false_negative_rate}
        for task, of in found.items() for one in of]
    return BenchResult(seeds, rows, _targets(found))


def _targets(found: dict[str, list[Summary]]) -> Sequence[Target]:
    rl = {task: mean(one.success["rl"] for one in of) for task, of in found.items()}
    cloned = {task: mean(one.success["bc"] for one in of) for task, of in found.items()}
    twice = sum(rl[task] > 0 and rl[task] >= TWICE * cloned[task] for task in found)
    return (
        *(Target.at_least(f"{task}: mean true success", rl[task], least) for task, least in PROMISED.items() if task in rl),
        Target.at_most("longest learning [s]", max(one.learn_s for of in found.values() for one in of), LONGEST_S),
        Target.at_least("tasks on which RL is twice as good as BC", twice, 2),
    )
