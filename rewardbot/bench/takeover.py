"""Learning with a simulated operator who takes over when the policy gets no further, against learning alone and against HG-DAgger.

All arms of a task and seed have the same few demonstrations and begin with the same cloned policy. Time counts from there, without
evaluations, until the policy that would be deployed succeeds in 95% of fresh episodes in which nobody helps: now and then it is
tried until it fails, and where it has not failed in ten, in a hundred others.

The arm with takeovers comes first. The others are given up after `PATIENCE` times what it took: then they have missed what was
promised, by more than it takes to say so. So the ratio of minutes is an upper bound where an arm was given up.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any

import torch

from rewardbot.bench._kept import Kept
from rewardbot.data.takeovers import spans, steps_taken_over
from rewardbot.policies.base import DeployedPolicy
from rewardbot.policies.bc import demonstration_set
from rewardbot.policies.hg_dagger import hg_dagger
from rewardbot.robots.mujoco import MujocoRobot
from rewardbot.robots.start_states import demonstration_stream, evaluation_stream, learning_stream
from rewardbot.robots.takeovers import WatchingOperator
from rewardbot.training.bench import BenchOptions, BenchResult, Cell, Report, Target
from rewardbot.training.collect import demonstrate
from rewardbot.training.evaluate import evaluate
from rewardbot.training.imitation import Imitation, deployed
from rewardbot.training.learner import Learner
from rewardbot.training.learner_config import LearnerConfig
from rewardbot.training.loop import learn
from rewardbot.training.options import JobOptions
from rewardbot.training.preparing import learner_config
from rewardbot.types import Episode

SEEDS = (0, 1, 2)
NOISE = 0.2
MASTERED = 0.95
"""Share of fresh episodes that must succeed."""

HALF = 0.5
"""Of the minutes that it takes without takeovers."""

PATIENCE = 3.0
"""Times the minutes with takeovers after which another arm is given up; more than 1 / `HALF`."""

FRESH = 1000
"""Seeds from which on those of the evaluation that counts are."""

SETTLED_S = 20.0
"""Expected time of work that must be done before the pace of it says something [s]."""

EARLY, LATE = "takeovers a minute, early", "late"

WATCHED = 1.5
"""Times its minutes that the operator goes on watching, to see whether he is needed less."""


@dataclass(frozen=True)
class Trial:
    """How a task is tried.

    Attributes:
        demonstrations: so few that behaviour cloning is weak.
        limit_s: time of learning after which an arm has failed, the longest of the main job [s].
        every_s: time of learning between two evaluations [s].
        look, sure: episodes of an evaluation, see `_success`.
        expected_s: what all arms of a seed usually take on a quiet processor core, with all evaluations [s].
        round_episodes, round_updates: of HG-DAgger: episodes in a round, gradient steps after it.
        trained: False: networks that are hardly trained, to show that it runs.
    """

    demonstrations: int
    limit_s: float
    every_s: float
    look: int = 10
    sure: int = 100
    expected_s: float = 300.0
    round_episodes: int = 5
    round_updates: int = 100
    trained: bool = True


TRIALS = {"lift": Trial(3, 300.0, 5.0), "pencil_case": Trial(5, 720.0, 20.0, expected_s=900.0)}
QUICK = Trial(2, 0.5, 0.3, look=2, sure=2, expected_s=10.0, round_episodes=2, round_updates=2, trained=False)


@dataclass
class Arm:
    """What came of one arm.

    Attributes:
        limit_s: time of learning after which it is given up [s].
        takeovers: how many there were in each episode.
        steps: of all episodes.
        helped: how many of them the operator did.
        learn_s: time of learning [s].
        success: in the last evaluation.
        mastered: time of learning when that was enough [s], takeovers and the operator's steps until then; None: it never was.
    """

    limit_s: float
    takeovers: list[int] = field(default_factory=list)
    steps: int = 0
    helped: int = 0
    learn_s: float = 0.0
    success: float = 0.0
    mastered: tuple[float, int, int] | None = None

    @property
    def seconds(self) -> float:
        """Time of learning until it was enough, or until the arm was given up [s]."""
        return self.mastered[0] if self.mastered else self.limit_s

    @property
    def enough_watched(self) -> bool:
        """Whether the task has been mastered, and for some time."""
        return self.mastered is not None and self.learn_s >= WATCHED * self.mastered[0]

    def judge(self, success: float) -> None:
        """Takes the result of an evaluation."""
        self.success = success
        if success >= MASTERED:
            self.mastered = self.learn_s, sum(self.takeovers), self.helped

    def cells(self, hz: float) -> dict[str, Cell]:
        """Its part of a line of the table, at so many steps a second."""
        seconds, takeovers, steps = self.mastered or (None, None, None)
        early, middle, late = (self.per_minute(third, hz) for third in range(3))
        return {"minutes": None if seconds is None else seconds / 60.0,
                "given up after": self.limit_s / 60.0 if seconds is None else None,
                "takeovers": takeovers, "operator's steps": steps, "success": self.success, "all steps": self.steps,
                EARLY: early, "midway": middle, LATE: late}

    def per_minute(self, third: int, hz: float) -> float:
        """Takeovers per minute that the robot moved, in the first (0), second (1) or last (2) third of all episodes."""
        some = self.takeovers[third * len(self.takeovers) // 3 : (third + 1) * len(self.takeovers) // 3]
        minutes = len(some) * self.steps / max(1, len(self.takeovers)) / hz / 60.0
        return sum(some) / minutes if some else 0.0


def config(task: str, trial: Trial, *, takeovers: bool) -> LearnerConfig:
    """The learner of `rewardbot train`, or of `rewardbot train --takeovers`, which differs in its pull of behaviour cloning and in
    how long it explores by chance.
    """
    full = learner_config(JobOptions(task=task, takeovers=takeovers))
    if trial.trained:
        return full
    return replace(full, bc=replace(full.bc, steps=5), classifier=replace(full.classifier, first_steps=20))


Tell = Callable[[Arm], object]


def run(options: BenchOptions, report: Report) -> BenchResult:
    """Each arm of each task on each seed, one after the other. Tasks and seeds that are done stay in the run folder, all arms of
    each together, since only arms that ran on the same machine under the same load can be compared by time.
    """
    torch.set_num_threads(1)
    trials = {"lift": QUICK} if options.quick else TRIALS
    seeds = options.seeds or (SEEDS[:1] if options.quick else SEEDS)
    jobs = [(seed, task) for seed in seeds for task in trials]
    clock, kept = Clock(report, [trials[task].expected_s for _, task in jobs]), Kept(options.folder("takeover"))
    rows: list[dict[str, Cell]] = []
    for number, (seed, task) in enumerate(jobs):
        name, trial, tell = f"{task}-{seed}", trials[task], partial(clock.tell, number)
        rows += kept.rows(name, (task, seed, trial), partial(arms, task, seed, trial, tell))
    return BenchResult(seeds, rows, targets(rows))


def arms(task: str, seed: int, trial: Trial, tell: Callable[[float, str], object]) -> list[dict[str, Cell]]:
    """A line of each arm."""
    tell(0.0, f"{task}, seed {seed}: behaviour cloning")
    robot = MujocoRobot(task)
    shown = demonstrate(robot, trial.demonstrations, noise=NOISE, stream=demonstration_stream(seed), seed=seed)
    trained = Learner(config(task, trial, takeovers=False), robot.contract, task, seed)
    trained.pretrain(shown, lambda stage, share: None, baseline=False)
    cloned = evaluate(robot, deployed(trained.cloning, robot), actor="rl", episodes=trial.sure // 2, stream=_fresh(seed)).rate
    limit_s, rows = trial.limit_s, list[dict[str, Cell]]()
    for done, (arm, learn_in) in enumerate(ARMS.items()):

        def tell_of(found: Arm, done: int = done, arm: str = arm) -> None:
            tell((done + min(1.0, found.learn_s / found.limit_s)) / len(ARMS),
                 f"{task}, seed {seed}, {arm}: success {found.success:.2f} after {found.learn_s:.0f} s")

        found = learn_in(trained, shown, robot, replace(trial, limit_s=limit_s), tell_of)
        rows.append({"task": task, "seed": seed, "arm": arm, "BC": cloned, **found.cells(robot.contract.control_hz)})
        if not done:
            limit_s = min(limit_s, PATIENCE * found.seconds)
    robot.close()
    return rows


class Clock:
    """Says how much of several jobs is done, and how long the rest will take at the pace so far.

    Args:
        report: gets it.
        expected_s: how long each job usually takes [s].
    """

    def __init__(self, report: Report, expected_s: Sequence[float]) -> None:
        self._report, self._expected, self._began = report, expected_s, time.monotonic()

    def tell(self, number: int, share: float, what: str) -> None:
        """Of a job so much is done."""
        done, total = sum(self._expected[:number]) + share * self._expected[number], sum(self._expected)
        pace = (time.monotonic() - self._began) / done if done > SETTLED_S else 1.0
        self._report(done / total, f"{what}; about {max(1, math.ceil(pace * (total - done) / 60.0))} min left")


def _alone(trained: Learner, shown: Sequence[Episode], robot: MujocoRobot, trial: Trial, tell: Tell) -> Arm:
    """The learner of `rewardbot train`."""
    learner, found = _learner(trained.config, trained, shown), Arm(trial.limit_s)
    while learner.learn_s < trial.limit_s and found.mastered is None:
        _go_on(learner, robot, trial, found, None)
        tell(found)
    return found


def _with_takeovers(trained: Learner, shown: Sequence[Episode], robot: MujocoRobot, trial: Trial, tell: Tell) -> Arm:
    """That of `rewardbot train --takeovers`. The operator goes on watching for a while when the task has been mastered."""
    learner, found = _learner(config(trained.task, trial, takeovers=True), trained, shown), Arm(trial.limit_s)
    operator = WatchingOperator(robot, noise=NOISE, seed=trained.seed)
    while learner.learn_s < trial.limit_s and not found.enough_watched:
        _go_on(learner, robot, trial, found, operator)
        tell(found)
    return found


def _learner(config: LearnerConfig, trained: Learner, shown: Sequence[Episode]) -> Learner:
    """A new one that has been pretrained just as `trained` was."""
    learner = Learner(config, trained.contract, trained.task, trained.seed)
    learner.pretrain(shown, lambda stage, share: None, baseline=False, cloning=trained.cloning)
    return learner


def _go_on(learner: Learner, robot: MujocoRobot, trial: Trial, found: Arm, operator: WatchingOperator | None) -> None:
    """Learns for a while; then its policy is evaluated, unless it has been good enough already."""
    seconds, before = min(trial.limit_s, learner.learn_s + trial.every_s), len(learner.demonstrations)
    curve = learn(learner, robot, stream=learning_stream(learner.seed), seconds=seconds, operator=operator)
    found.takeovers += curve.takeovers
    found.helped += len(learner.demonstrations) - before
    found.steps, found.learn_s = learner.env_steps, learner.learn_s
    if found.mastered is None:
        policy, last = DeployedPolicy(learner.policy_weights()), found.learn_s >= trial.limit_s
        found.judge(_success(policy, robot, trial, learner.seed, last=last))


def _imitate(trained: Learner, shown: Sequence[Episode], robot: MujocoRobot, trial: Trial, tell: Tell) -> Arm:
    """HG-DAgger: what the operator does is imitated, and that is all."""
    found = Arm(trial.limit_s)

    def take(episode: Episode) -> None:
        taken = steps_taken_over(episode.info, len(episode))
        found.takeovers.append(len(spans(taken)))
        found.steps += len(episode)
        found.helped += int(taken.sum())

    cell = Imitation(replace(trained.config.bc, steps=trial.round_updates), trained.cloning, robot,
                     stream=learning_stream(trained.seed), episodes=trial.round_episodes, noise=NOISE, seed=trained.seed, take=take)
    data = [demonstration_set(episode, trained.cameras, trained.device) for episode in shown]
    policies, judged_at = hg_dagger(data, cell.fit, cell.supervise), 0.0
    next(policies)
    while found.learn_s < trial.limit_s and found.mastered is None:
        started = time.monotonic()
        cloning = next(policies)
        found.learn_s += time.monotonic() - started
        if found.learn_s >= min(judged_at + trial.every_s, trial.limit_s):
            judged_at = found.learn_s
            found.judge(_success(deployed(cloning, robot), robot, trial, trained.seed, last=found.learn_s >= trial.limit_s))
            tell(found)
    return found


ARMS: dict[str, Callable[[Learner, Sequence[Episode], MujocoRobot, Trial, Tell], Arm]] = {
    "takeovers": _with_takeovers, "nobody helps": _alone, "HG-DAgger": _imitate}


def _success(policy: DeployedPolicy, robot: MujocoRobot, trial: Trial, seed: int, *, last: bool) -> float:
    """Its success without help, in episodes until one fails. Where the first few go well, or this is the last word on an arm, in
    more and other ones: in as many as it takes to know that it has not mastered the task, or in all of them if it is the last.
    """
    few = evaluate(robot, policy, actor="rl", episodes=trial.look, stream=evaluation_stream(seed), most_failures=0).rate
    if few < 1.0 and not last:
        return few
    most_failures = None if last else math.floor((1.0 - MASTERED) * trial.sure + 1e-9)
    return evaluate(robot, policy, actor="rl", episodes=trial.sure, stream=_fresh(seed), most_failures=most_failures).rate


def _fresh(seed: int) -> int:
    """The stream of start states that nobody has been selected by."""
    return evaluation_stream(seed + FRESH)


def targets(rows: Sequence[Mapping[str, Any]]) -> list[Target]:
    """What was promised: means over seeds. Alone an arm that never mastered its task counts as if it had when it was given up, so
    that the ratio is an upper bound; with takeovers it must have.
    """
    targets: list[Target] = []
    for task in dict.fromkeys(row["task"] for row in rows):
        helped, alone = ([row for row in rows if (row["task"], row["arm"]) == (task, arm)] for arm in ("takeovers", "nobody helps"))
        ratio = None
        if all(row["minutes"] is not None for row in helped):
            ratio = sum(row["minutes"] for row in helped) / sum(row["minutes"] or row["given up after"] for row in alone)
        early, late = (sum(row[column] for row in helped) for column in (EARLY, LATE))
        targets += [Target.at_most(f"{task}: minutes until 95% with takeovers / without", ratio, HALF),
                    Target.at_most(f"{task}: takeovers per minute, last third / first", late / early if early else None, 1.0)]
    return targets
