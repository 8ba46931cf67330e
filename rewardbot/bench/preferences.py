"""Online learning from a simulated teacher's preferences, from state vectors: how many answers, for how much of the return that the
true reward gets with the same steps.

A share of 1 is the true return of a policy that learned from the true reward with the same steps and settings, 0 that of actions
drawn by chance: returns may be negative, and tell nothing without what nobody has to learn. Policy, steps and length of clips are the
same for all methods; what differs is the reward, which questions it asks, and what is explored before the first.
"""

from __future__ import annotations

import time
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from statistics import mean
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import torch

from rewardbot.bench._kept import COMMIT, Kept
from rewardbot.bench._pace import seconds_per_step, with_time_left
from rewardbot.config import from_mapping, merge, read_yaml, share_path
from rewardbot.training.bench import BenchOptions, BenchResult, Cell, Report, Target
from rewardbot.training.preferences import SEES, PreferenceLoop, PreferenceLoopConfig, settings_of
from rewardbot.training.state_loop import Act, StateLoop, StateLoopConfig, evaluate, make_env, start_seeds

SEEDS = (0, 1, 2)

METHODS: Mapping[str, tuple[str, str]] = {
    "uniform": ("preference", "uniform"), "disagreement": ("preference", "disagreement"),
    "mutual_information": ("preference", "mutual_information"),
    "pebble": ("pebble", "disagreement"), "surf": ("surf", "disagreement"), "mrn": ("mrn", "disagreement"),
    "rankings of five": ("preference", "mutual_information")}
"""Name -> reward and query strategy. An answer orders two clips, and five in the last, which takes a person three times as long."""

RANKINGS = "rankings of five"

CHANCE, TRUE = "chance", "true reward"
"""The yardsticks: a share of 0 and one of 1."""

STRATEGIES = ("uniform", "disagreement", "mutual_information")
"""Which differ in their questions only."""

LEVEL = 0.9
"""Share of the return for which the answers that a strategy needs are counted."""

FEWER = 0.6

LEARNED = 2.0
"""How many times as long as from the true reward it takes to learn from a reward that learns: at first expected, for `reach` took 1.2
to 2.1 times as long on a busy machine."""


@dataclass(frozen=True)
class Trial:
    """Where it is tried, and how.

    Attributes:
        env: gymnasium environment.
        answers: to ask for.
        settings: of the methods, as a YAML file has them; `loop` is also that of learning from the true reward.
        promised: share of the return that was promised with so many answers; None: nothing was.
        fewer: numbers of answers with which the `STRATEGIES` are tried, too.
        judged: evaluation episodes of a policy.
    """

    env: str
    answers: int
    settings: Mapping[str, Any]
    promised: float | None = None
    fewer: tuple[int, ...] = ()
    judged: int = 30


def shipped(name: str) -> dict[str, Any]:
    """The settings in `config/states`, which whoever learns there from preferences can take, too."""
    return read_yaml(share_path(f"config/states/{name}.yaml"))


TRIALS: Mapping[str, Trial] = {
    "pendulum": Trial("Pendulum-v1", 100, shipped("pendulum"), 0.95, (5, 10, 15, 20, 40)),
    "reach": Trial("rewardbot/ReachState-v0", 100, shipped("reach"), 0.95),
    "push": Trial("rewardbot/PushState-v0", 200, shipped("push"), 0.9),
    "reacher": Trial("Reacher-v5", 100, shipped("reacher")),
}

QUICK = Trial("Pendulum-v1", 6, {
    "loop": {"steps": 400, "start_steps": 200, "updates_per_step": 0.05, "sac": {"hidden": 8, "batch": 8}}, "every": 200,
    "explore_steps": 0, "asking": {"steps": 5, "clips": 10, "candidates": 20}, "reward": {"steps": 3, "hidden": 8}, "unlabelled": 8,
    "meta_every": 5, "asked_by": 1.0}, 0.95, (2,), judged=1)


@dataclass(frozen=True)
class Job:
    """A policy that is learned, or acts by chance.

    Attributes:
        method: of `METHODS`, or one of the yardsticks.
        answers: to ask for.
    """

    task: str
    method: str
    answers: int
    seed: int

    def __str__(self) -> str:
        return f"{self.task}, seed {self.seed}, {self.method}" + (f", {self.answers} answers" if self.answers else "")


@dataclass(frozen=True)
class Result:
    """What came of a job.

    Attributes:
        value: true return, mean over evaluation episodes.
        answers: that counted in the end.
        accuracy: share of them that the reward explains; None where nothing was fitted.
        seconds: what it took.
        commit: of the code that made it, if that was another.
    """

    value: float
    answers: int = 0
    accuracy: float | None = None
    seconds: float = 0.0
    commit: str = ""


def run(options: BenchOptions, report: Report) -> BenchResult:
    """Each job that is not done yet, one after the other. What is done stays in the run folder."""
    torch.set_num_threads(1)
    trials = {"pendulum": QUICK} if options.quick else TRIALS
    seeds = options.seeds or (SEEDS[:1] if options.quick else SEEDS)
    kept = Kept(options.folder("preferences"))
    jobs = [job for task, trial in trials.items() for job in jobs_of(task, trial, seeds)]
    report(0.0, "how long will it take?")
    costs = expected_seconds(trials, jobs, kept)
    whole, expected = max(sum(costs), 1e-9), 0.0
    report = with_time_left(report, whole)
    found: dict[Job, Result] = {}
    for job, cost in zip(jobs, costs, strict=True):
        report(expected / whole, str(job))
        expected += cost
        if not known_already(job, trials[job.task], found):
            found[job] = result(job, trials[job.task], kept)
    rows, shares = table(found)
    return BenchResult(seeds, rows, targets(trials, shares, len(seeds)))


def jobs_of(task: str, trial: Trial, seeds: Sequence[int]) -> list[Job]:
    """The yardsticks first, then one method after the other on all seeds, and last whether fewer answers do."""
    pairs = [(CHANCE, 0), (TRUE, 0), *((method, trial.answers) for method in METHODS),
             *((strategy, answers) for strategy in STRATEGIES for answers in sorted(trial.fewer))]
    return [Job(task, method, answers, seed) for method, answers in pairs for seed in seeds]


def known_already(job: Job, trial: Trial, found: Mapping[Job, Result]) -> bool:
    """Whether fewer answers than those of the job did on all seeds, so that it would tell nothing of how many are needed."""
    _, shares = table(found)
    return job.answers in trial.fewer and any(mean(shares.get((job.task, job.method, fewer), (0.0,))) >= LEVEL
                                              for fewer in trial.fewer if fewer < job.answers)


def result(job: Job, trial: Trial, kept: Kept) -> Result:
    """What comes of a job, or came of it."""

    def make() -> dict[str, Cell]:
        made = (by_chance(trial, job.seed) if job.method == CHANCE else from_true_reward(trial, job.seed) if job.method == TRUE
                else from_preferences(trial, job.method, job.answers, job.seed))
        return {name: value for name, value in asdict(made).items() if name != COMMIT}

    return Result(**kept.part(name_of(job), settings(job, trial), make))  # type: ignore[arg-type]


def name_of(job: Job) -> str:
    """Of the file in which its result is kept."""
    return f"{job.task}-{job.method.replace(' ', '_')}-{job.answers}-{job.seed}"


def settings(job: Job, trial: Trial) -> object:
    """What decides what comes of it."""
    if job.method in (CHANCE, TRUE):
        return trial.env, trial.judged, () if job.method == CHANCE else trial.settings["loop"]
    return trial.env, trial.judged, METHODS[job.method], config_of(trial, job.method, job.answers)


def table(found: Mapping[Job, Result]) -> tuple[list[dict[str, Cell]], dict[tuple[str, str, int], list[float]]]:
    """A line of each result but chance's, and the shares of each method, by task, method and answers to ask for."""
    rows: list[dict[str, Cell]] = []
    shares: dict[tuple[str, str, int], list[float]] = defaultdict(list)
    for job, of in found.items():
        if job.method == CHANCE:
            continue
        low, high = (found[Job(job.task, yardstick, 0, job.seed)].value for yardstick in (CHANCE, TRUE))
        share = (of.value - low) / (high - low) if high > low else None
        rows.append({"task": job.task, "seed": job.seed, "method": job.method, "answers": of.answers, "return": of.value,
                     "share of the true reward's": share, "answers explained": of.accuracy, "by chance": low,
                     "minutes": of.seconds / 60.0} | ({COMMIT: of.commit[:12]} if of.commit else {}))
        if share is not None:
            shares[job.task, job.method, job.answers].append(share)
    return rows, shares


def expected_seconds(trials: Mapping[str, Trial], jobs: Sequence[Job], kept: Kept) -> list[float]:
    """What each job takes on this machine [s], at most; what chance does is done at once, and what is kept is done."""
    whole: dict[str, float] = {}

    def seconds(job: Job) -> float:
        trial = trials[job.task]
        if job.method == CHANCE or kept.has(name_of(job), settings(job, trial)):
            return 0.0
        if job.task not in whole:
            config = from_mapping(StateLoopConfig, trial.settings["loop"])
            whole[job.task] = config.steps * seconds_per_step(trial.env, config)
        return whole[job.task] * (1.0 if job.method == TRUE else LEARNED)

    return [seconds(job) for job in jobs]


def by_chance(trial: Trial, seed: int) -> Result:
    """Actions drawn uniformly."""
    random = np.random.default_rng(seed)
    env = make_env(trial.env)
    size = env.action_space.shape or ()
    env.close()
    return Result(judge(trial, lambda state: random.uniform(-1.0, 1.0, size).astype(np.float32), seed))


def from_true_reward(trial: Trial, seed: int) -> Result:
    """The same policy, steps and updates on the environment's own reward."""
    started, env = time.monotonic(), make_env(trial.env)
    loop = StateLoop(env, from_mapping(StateLoopConfig, trial.settings["loop"]), seed=seed)
    while loop.steps < loop.config.steps:
        loop.episode()
    env.close()
    return Result(judge(trial, loop.best, seed), seconds=time.monotonic() - started)


def from_preferences(trial: Trial, method: str, answers: int, seed: int) -> Result:
    """Learning from a simulated teacher who never errs."""
    started, env = time.monotonic(), make_env(trial.env)
    config = config_of(trial, method, answers)
    with TemporaryDirectory() as folder:
        learning = PreferenceLoop(env, METHODS[method][0], config, Path(folder), seed=seed)
        learning.run()
        learning.close()
    env.close()
    return Result(judge(trial, learning.loop.best, seed), learning.asking.answered, learning.fitted.get("accuracy"),
                  time.monotonic() - started)


def config_of(trial: Trial, method: str, answers: int) -> PreferenceLoopConfig:
    """The settings of a method; the reward of `mrn` sees what its critics see, whatever those of the others do."""
    reward, strategy = METHODS[method]
    changes: dict[str, Any] = {"asking": {"strategy": strategy, "schedule": {"budget": answers, "first": max(1, answers // 5)}}}
    if method == RANKINGS:
        changes["asking"] |= {"kinds": ["ranking"], "ranked": 5}
    return settings_of(reward, merge(merge(trial.settings, changes), {"reward": {"sees": list(SEES)}} if reward == "mrn" else {}))


def judge(trial: Trial, act: Act, seed: int) -> float:
    """True return of a policy, mean over fresh start states."""
    env = make_env(trial.env)
    found = evaluate(env, act, start_seeds(seed, trial.judged))
    env.close()
    return mean(found)


def targets(
    trials: Mapping[str, Trial], shares: Mapping[tuple[str, str, int], Sequence[float]], seeds: int
) -> list[Target]:
    """What was promised, of means over seeds: the share of the best method by pairs and of rankings, which say more in one answer;
    and the answers that the best strategy needs.
    """
    found: list[Target] = []
    for task, trial in trials.items():
        if trial.promised is not None:
            reached = {method: mean(of) for method in METHODS
                       if len(of := shares.get((task, method, trial.answers), ())) == seeds}
            pairs = {method: share for method, share in reached.items() if method != RANKINGS}
            best = max(pairs, key=lambda method: pairs[method], default="no method")
            for method in (best, RANKINGS):
                found.append(Target.at_least(f"{task}: share of the return with {trial.answers} answers ({method})",
                                             reached.get(method), trial.promised))
        if trial.fewer:
            needs = {strategy: needed(task, strategy, trial, shares) for strategy in STRATEGIES}
            others = [of for strategy, of in needs.items() if strategy != "uniform" and of is not None]
            uniform = needs["uniform"]
            ratio = min(others) / uniform if uniform is not None and others else None
            found.append(Target.at_most(f"{task}: answers for {LEVEL:.0%}, best strategy / uniform", ratio, FEWER))
    return found


def needed(
    task: str, strategy: str, trial: Trial, shares: Mapping[tuple[str, str, int], Sequence[float]]
) -> int | None:
    """The fewest answers that were tried with which the mean share is at least `LEVEL`; None: not even with all."""
    for answers in sorted({*trial.fewer, trial.answers}):
        of = shares.get((task, strategy, answers))
        if of and mean(of) >= LEVEL:
            return answers
    return None
