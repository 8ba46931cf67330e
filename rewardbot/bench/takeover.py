"""Learning with a simulated operator who takes over when the policy gets no further, against learning alone and against HG-DAgger.

All arms of a task and seed have the same few demonstrations and begin with the same cloned policy. Time counts from there, without
evaluations, until the policy that would be deployed succeeds in 95% of fresh episodes in which nobody helps.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from statistics import mean

import torch

from rewardbot.data.takeovers import spans, steps_taken_over
from rewardbot.policies.base import DeployedPolicy
from rewardbot.policies.bc import demonstration_set
from rewardbot.policies.hg_dagger import hg_dagger
from rewardbot.robots.mujoco import MujocoRobot
from rewardbot.robots.takeovers import WatchingOperator
from rewardbot.training.bench import BenchOptions, BenchResult, Cell, Report, Target
from rewardbot.training.collect import demonstrate
from rewardbot.training.evaluate import evaluate
from rewardbot.training.imitation import Imitation, deployed
from rewardbot.training.learner import Learner, LearnerConfig
from rewardbot.training.loop import learn
from rewardbot.training.options import JobOptions
from rewardbot.training.preparing import learner_config
from rewardbot.training.streams import STREAMS
from rewardbot.types import Episode

SEEDS = (0, 1, 2)
NOISE = 0.2
MASTERED = 0.95
"""Share of fresh episodes that must succeed."""

HALF = 0.5
"""Of the minutes that it takes without takeovers."""


@dataclass(frozen=True)
class Trial:
    """How a task is tried.

    Attributes:
        demonstrations: so few that behaviour cloning is weak.
        limit_s: time of learning after which an arm has failed, the longest of the main job [s].
        every_s: time of learning between two evaluations [s].
        look, sure: episodes of an evaluation; the second so many follow only where the first so many went well.
        round_episodes, round_updates: of HG-DAgger: episodes in a round, gradient steps after it.
        trained: False: networks that are hardly trained, to show that it runs.
    """

    demonstrations: int
    limit_s: float
    every_s: float
    look: int = 20
    sure: int = 40
    round_episodes: int = 5
    round_updates: int = 100
    trained: bool = True


TRIALS = {"lift": Trial(3, 180.0, 5.0), "pencil_case": Trial(5, 720.0, 20.0)}
QUICK = Trial(2, 0.5, 0.3, look=2, sure=2, round_episodes=2, round_updates=2, trained=False)


@dataclass
class Arm:
    """What came of one arm.

    Attributes:
        takeovers: how many there were in each episode.
        steps: of all episodes.
        helped: how many of them the operator did.
        learn_s: time of learning [s].
        success: in the last evaluation.
        mastered: time of learning when that was enough [s], takeovers and the operator's steps until then; None: it never was.
    """

    takeovers: list[int] = field(default_factory=list)
    steps: int = 0
    helped: int = 0
    learn_s: float = 0.0
    success: float = 0.0
    mastered: tuple[float, int, int] | None = None

    def judge(self, success: float) -> None:
        """Takes the result of an evaluation."""
        self.success = success
        if success >= MASTERED:
            self.mastered = self.learn_s, sum(self.takeovers), self.helped

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
    """Each arm of each task on each seed, one after the other."""
    torch.set_num_threads(1)
    trials = {"lift": QUICK} if options.quick else TRIALS
    seeds = options.seeds or (SEEDS[:1] if options.quick else SEEDS)
    rows: list[dict[str, Cell]] = []
    results: dict[str, dict[str, list[Arm]]] = {task: {arm: [] for arm in ARMS} for task in trials}
    jobs = [(seed, task) for seed in seeds for task in trials]
    for number, (seed, task) in enumerate(jobs):
        report(number / len(jobs), f"{task}, seed {seed}: behaviour cloning")
        trial, robot = trials[task], MujocoRobot(task)
        shown = demonstrate(robot, trial.demonstrations, noise=NOISE, stream=STREAMS * seed, seed=seed)
        trained = Learner(config(task, trial, takeovers=False), robot.contract, task, seed)
        trained.pretrain(shown, lambda stage, share: None, baseline=False)
        cloned = evaluate(robot, deployed(trained.cloning, robot), actor="rl", episodes=trial.look + trial.sure,
                          stream=STREAMS * seed + 2).rate
        for done, (arm, learn_in) in enumerate(ARMS.items()):

            def tell(found: Arm, what: str = f"{task}, seed {seed}, {arm}", before: float = number + done / len(ARMS),
                     limit_s: float = trial.limit_s) -> None:
                report((before + min(1.0, found.learn_s / limit_s) / len(ARMS)) / len(jobs),
                       f"{what}: success {found.success:.2f} after {found.learn_s:.0f} s")

            found = learn_in(trained, shown, robot, trial, tell)
            results[task][arm].append(found)
            seconds, takeovers, helped = found.mastered or (None, None, None)
            early, middle, late = (found.per_minute(third, robot.contract.control_hz) for third in range(3))
            rows.append({
                "task": task, "seed": seed, "arm": arm, "BC": cloned, "minutes": None if seconds is None else seconds / 60.0,
                "takeovers": takeovers, "operator's steps": helped, "success": found.success, "all steps": found.steps,
                "takeovers a minute, early": early, "midway": middle, "late": late})
        robot.close()
    return BenchResult(seeds, rows, targets(results, trials))


def _alone(trained: Learner, shown: Sequence[Episode], robot: MujocoRobot, trial: Trial, tell: Tell) -> Arm:
    """The learner of `rewardbot train`."""
    learner, found = _learner(trained.config, trained, shown), Arm()
    while learner.learn_s < trial.limit_s and found.mastered is None:
        _go_on(learner, robot, trial, found, None)
        tell(found)
    return found


def _with_takeovers(trained: Learner, shown: Sequence[Episode], robot: MujocoRobot, trial: Trial, tell: Tell) -> Arm:
    """That of `rewardbot train --takeovers`. The operator goes on watching when the task has been mastered, until learning ends."""
    learner, found = _learner(config(trained.task, trial, takeovers=True), trained, shown), Arm()
    operator = WatchingOperator(robot, noise=NOISE, seed=trained.seed)
    while learner.learn_s < trial.limit_s and not (found.mastered and learner.converged):
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
    curve = learn(learner, robot, stream=STREAMS * learner.seed + 1, seconds=seconds, operator=operator)
    found.takeovers += curve.takeovers
    found.helped += len(learner.demonstrations) - before
    found.steps, found.learn_s = learner.env_steps, learner.learn_s
    if found.mastered is None:
        found.judge(_success(DeployedPolicy(learner.policy_weights()), robot, trial, learner.seed))


def _imitate(trained: Learner, shown: Sequence[Episode], robot: MujocoRobot, trial: Trial, tell: Tell) -> Arm:
    """HG-DAgger: what the operator does is imitated, and that is all."""
    found = Arm()

    def take(episode: Episode) -> None:
        taken = steps_taken_over(episode.info, len(episode))
        found.takeovers.append(len(spans(taken)))
        found.steps += len(episode)
        found.helped += int(taken.sum())

    cell = Imitation(replace(trained.config.bc, steps=trial.round_updates), trained.cloning, robot, stream=STREAMS * trained.seed + 1,
                     episodes=trial.round_episodes, noise=NOISE, seed=trained.seed, take=take)
    data = [demonstration_set(episode, trained.cameras, trained.device) for episode in shown]
    policies, judged_at = hg_dagger(data, cell.fit, cell.supervise), 0.0
    next(policies)
    while found.learn_s < trial.limit_s and found.mastered is None:
        started = time.monotonic()
        cloning = next(policies)
        found.learn_s += time.monotonic() - started
        if found.learn_s >= min(judged_at + trial.every_s, trial.limit_s):
            judged_at = found.learn_s
            found.judge(_success(deployed(cloning, robot), robot, trial, trained.seed))
            tell(found)
    return found


ARMS: dict[str, Callable[[Learner, Sequence[Episode], MujocoRobot, Trial, Tell], Arm]] = {
    "takeovers": _with_takeovers, "nobody helps": _alone, "HG-DAgger": _imitate}


def _success(policy: DeployedPolicy, robot: MujocoRobot, trial: Trial, seed: int) -> float:
    """Its success in fresh episodes without help: in the first few, and in more of them only where those went well."""
    stream = STREAMS * seed + 2
    few = evaluate(robot, policy, actor="rl", episodes=trial.look, stream=stream).rate
    return few if few < MASTERED else evaluate(robot, policy, actor="rl", episodes=trial.look + trial.sure, stream=stream).rate


def targets(results: dict[str, dict[str, list[Arm]]], trials: dict[str, Trial]) -> list[Target]:
    """What the issue promises: means over seeds. Alone an arm that never mastered its task counts as if it had at the limit; with
    takeovers it must have.
    """
    targets: list[Target] = []
    for task, arms in results.items():
        helped = arms["takeovers"]
        seconds = {arm: mean(one.mastered[0] if one.mastered else trials[task].limit_s for one in of) for arm, of in arms.items()}
        ratio = seconds["takeovers"] / seconds["nobody helps"] if all(one.mastered for one in helped) else None
        early, late = (sum(one.per_minute(third, 1.0) for one in helped) for third in (0, 2))
        targets += [Target.at_most(f"{task}: minutes until 95% with takeovers / without", ratio, HALF),
                    Target.at_most(f"{task}: takeovers per minute, last third / first", late / early if early else None, 1.0)]
    return targets
