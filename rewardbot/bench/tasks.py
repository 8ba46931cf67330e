"""Every task from 30 demonstrations: reinforcement learning on the learned reward beside behaviour cloning, by true success. And
`push` from pictures of the goal alone.
"""

from __future__ import annotations

import tempfile
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from statistics import mean
from typing import Any

import torch

from rewardbot.bench._kept import Kept
from rewardbot.data.success_images import write_success_images
from rewardbot.robots.mujoco import MujocoRobot
from rewardbot.robots.robot import load_contract
from rewardbot.robots.tasks import task_names
from rewardbot.training.bench import BenchOptions, BenchResult, Report, Target
from rewardbot.training.collect import picture_success
from rewardbot.training.files import write_atomic
from rewardbot.training.job import train
from rewardbot.training.learner_config import LearnerConfig
from rewardbot.training.options import JobOptions
from rewardbot.training.preparing import learner_config, prepare
from rewardbot.training.run import learner_yaml

SEEDS = (0, 1, 2)
PROMISED = {"drawer": 0.9, "lift": 0.95, "pencil_case": 0.8, "push": 0.95, "reach": 0.95}
"""Task -> least mean true success."""

FROM_PICTURES = {"push": 0.8}
"""The same without any demonstration."""

PICTURES, PLAY = 200, 100
"""Moments at the goal that are shown, and episodes of random motion, in place of demonstrations."""

LONGEST_S = 15 * 60.0
"""Least time in which each task is learned [s]."""

TWICE = 2.0
"""Times the success of plain behaviour cloning, which reinforcement learning should reach on two tasks."""

Row = dict[str, Any]

QUICK = {"bc": {"steps": 5}, "plain_bc": {"steps": 5}, "classifier": {"first_steps": 20}}
"""Settings that only show that it runs."""


@dataclass(frozen=True)
class Case:
    """What is learned, and from what.

    Attributes:
        task: name.
        pictures: from pictures of the goal alone.
    """

    task: str
    pictures: bool = False

    def __str__(self) -> str:
        return f"{self.task} from pictures alone" if self.pictures else self.task


def cases(quick: bool) -> list[Case]:
    """All, or the first."""
    found = [*(Case(task) for task in task_names()), *(Case(task, pictures=True) for task in FROM_PICTURES)]
    return found[:1] if quick else found


def settings(case: Case) -> LearnerConfig:
    """Of the learner, as they are for that task without a file of the user's."""
    return learner_config(replace(JobOptions(task=case.task), **{"demos": 0} if case.pictures else {}))


def job(case: Case, seed: int, quick: bool, runs: Path) -> JobOptions:
    """The main job as users start it, without ROS."""
    options = JobOptions(task=case.task, seed=seed, run_dir=str(runs))
    if case.pictures:
        shown = runs / "shown"
        robot = MujocoRobot(case.task, load_contract(options.robot))
        write_success_images(shown, picture_success(robot, PICTURES, seed=seed))
        robot.close()
        options = replace(options, demos=0, success_images=str(shown), play=PLAY)
    if not quick:
        return options
    write_atomic(runs / "quick.yaml", learner_yaml(QUICK))
    return replace(options, demos=2, minutes=0.02, episodes=2, config=str(runs / "quick.yaml"))


def run(options: BenchOptions, report: Report) -> BenchResult:
    """Each task on each seed, one after the other, each until it has converged or its time is over. What is done is kept in the run
    folder.
    """
    torch.set_num_threads(1)
    tried = cases(options.quick)
    seeds = options.seeds or (SEEDS[:1] if options.quick else SEEDS)
    kept = Kept(options.folder("tasks"))
    jobs = [(seed, case) for seed in seeds for case in tried]
    found: dict[tuple[int, Case], Row] = {}
    for number, (seed, case) in enumerate(jobs):
        done = "".join(f" (last: {task} {row['RL']:.2f})" for (_, task), row in [*found.items()][-1:])
        report(number / len(jobs), f"{case}, seed {seed}{done}")
        name = f"{str(case).replace(' ', '_')}-{seed}"
        known_by = case, seed, options.quick, PICTURES, PLAY, settings(case)
        found[seed, case] = kept.part(name, known_by, partial(learned, case, seed, options.quick))
    return BenchResult(seeds, [found[seed, case] for case in tried for seed in seeds], _targets(found))


def learned(case: Case, seed: int, quick: bool) -> Row:
    """A line of the table."""
    with tempfile.TemporaryDirectory() as runs:
        ready, folder = prepare(job(case, seed, quick, Path(runs)), "train")
        with folder:
            one = train(ready, folder, live=False)
    return {"task": str(case), "seed": one.seed, "BC": one.success.get("bc"), "tuned BC": one.success.get("bc_tuned"),
            "RL": one.success["rl"], "episodes": one.episodes, "demonstrations": one.demonstrations, "steps": one.env_steps,
            "learned in [s]": one.learn_s, "false positives": one.classifier.false_positive_rate,
            "false negatives": one.classifier.false_negative_rate}


def _targets(found: Mapping[tuple[int, Case], Row]) -> Sequence[Target]:
    rows: dict[Case, list[Row]] = defaultdict(list)
    for (_, case), row in found.items():
        rows[case].append(row)
    rl = {case: mean(row["RL"] for row in of) for case, of in rows.items()}
    twice = sum(rl[case] > 0 and rl[case] >= TWICE * mean(row["BC"] for row in of) for case, of in rows.items() if not case.pictures)
    promised = {**{Case(task): least for task, least in PROMISED.items()},
                **{Case(task, pictures=True): least for task, least in FROM_PICTURES.items()}}
    return (
        *(Target.at_least(f"{case}: mean true success", rl[case], least) for case, least in promised.items() if case in rl),
        Target.at_most("longest learning [s]", max(row["learned in [s]"] for row in found.values()), LONGEST_S),
        Target.at_least("tasks on which RL is twice as good as BC", twice, 2),
    )
