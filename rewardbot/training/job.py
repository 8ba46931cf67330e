"""The main job in one process, without ROS: demonstrate, pretrain, learn, evaluate. `ros/job.py` does it over a node graph."""

from __future__ import annotations

import shutil
import time
from collections.abc import Callable
from pathlib import Path

from rewardbot.data.demonstrations import read_demonstrations
from rewardbot.data.episodes import DEMONSTRATIONS, PLAY, list_episodes, read_header, write_episode
from rewardbot.policies.base import DeployedPolicy
from rewardbot.rewards.goal_classifier import DeployedClassifier
from rewardbot.robots.mujoco import MujocoRobot
from rewardbot.robots.start_states import demonstration_stream, evaluation_stream, learning_stream, start_seed
from rewardbot.robots.takeovers import WatchingOperator
from rewardbot.training.checkpoint import CHECKPOINT, Checkpoints, exists
from rewardbot.training.collect import demonstrate, play
from rewardbot.training.compare import compare
from rewardbot.training.evaluate import ClassifierCounts, evaluate
from rewardbot.training.learner import Learner
from rewardbot.training.loop import learn
from rewardbot.training.options import ACTORS, JobOptions, phases
from rewardbot.training.pretraining import pretrain, take_up
from rewardbot.training.run import RunFolder
from rewardbot.training.running import RunningJob
from rewardbot.training.summary import Summary
from rewardbot.types import Metrics

SHOWN = ("success_estimate", "takeovers_per_minute", "reward", "updates_per_s")
"""Metrics of learning that are shown while it goes on."""


def train(options: JobOptions, run: RunFolder, *, live: bool | None = None, resume: bool = False) -> Summary:
    """The main job without ROS; fills the run folder and returns the summary. Each phase finds out what of it has been done already.

    Args:
        options: what to do.
        run: the run folder.
        live: a live table; None: only on a terminal.
        resume: go on with what is in the run folder.
    """
    with RunningJob(options, run, phases(options.demos), live=live, resume=resume) as job:
        _gather(job)
        learner, checkpoints = _pretrain(job)
        _learn(job, learner, checkpoints)
        _evaluate(job, learner)
        compared = _compare(job, learner) if options.compare else {}
    return job.finish(compared)


def _gather(job: RunningJob) -> None:
    """What learning begins from: demonstrations, or play where there are none."""
    options = job.options
    job.begin(phases(options.demos)[0])
    if options.demos == 0:
        record_play(options, job.robot, job.run.path / PLAY, job.share)
    elif not options.demonstrations:
        record_demonstrations(options, job.robot, job.run.path / DEMONSTRATIONS, job.share)


def _pretrain(job: RunningJob) -> tuple[Learner, Checkpoints]:
    """A learner that has seen them: as its checkpoint says, or from the start."""
    job.begin("pretraining")
    learner = Learner(job.config, job.robot.contract, job.options.task, job.options.seed)
    checkpoints = Checkpoints(job.run.path / CHECKPOINT)
    if job.resume and exists(checkpoints.folder):
        checkpoints.restore(learner)
        take_up(learner, job.run.path)
    else:
        before = time.monotonic()
        pretrain(learner, job.run.path, lambda stage, value: job.share(value, stage), demonstrations=job.options.demonstrations)
        job.record.pretrain_s = time.monotonic() - before - learner.baseline_s  # the plain baseline is nothing that is learned from
        checkpoints.save(learner)
    job.keep()
    return learner, checkpoints


def _learn(job: RunningJob, learner: Learner, checkpoints: Checkpoints) -> None:
    """Reinforcement learning on the learned reward, until it has converged or its time is over."""
    options = job.options
    job.begin("learning")
    if job.record.learned:
        return
    limit_s = 60.0 * (options.minutes or job.config.minutes)
    operator = None
    if options.takeovers:
        operator = WatchingOperator(job.robot, noise=options.noise, hesitation=options.hesitation, seed=options.seed)

    def report(metrics: Metrics, steps: int) -> None:
        job.report(metrics, steps, learner.learn_s, shown=SHOWN)
        job.share(min(1.0, learner.learn_s / max(limit_s, 1e-9)), f"{steps} steps")

    try:
        learn(learner, job.robot, stream=learning_stream(options.seed), seconds=limit_s, until_converged=True, operator=operator,
              checkpoints=checkpoints, report=report)
    finally:  # also what was learned until Ctrl-C or until the simulator broke
        checkpoints.save(learner)
    job.record.learned = {"version": learner.version, "env_steps": learner.env_steps, "learn_s": learner.learn_s}
    job.keep()


def _evaluate(job: RunningJob, learner: Learner) -> None:
    """True success of each actor from the same fresh start states, and how often the classifier agrees."""
    options, record = job.options, job.record
    job.begin("evaluation")
    policy = DeployedPolicy(learner.policy_weights())
    for actor in ACTORS if options.demos else ACTORS[-1:]:
        if record.evaluated(actor, options.episodes):
            continue
        errors = ClassifierCounts(DeployedClassifier(learner.classifier_weights()))
        evaluate(job.robot, policy, actor=actor, episodes=options.episodes, stream=evaluation_stream(options.seed),
                 progress=lambda value, actor=actor: job.share(value, actor), check=errors)
        record.evaluations[actor] = [verdict.true for verdict in errors.verdicts]
        record.verdicts += errors.verdicts
        job.keep()


def _compare(job: RunningJob, learner: Learner) -> dict[str, float]:
    """True success of the same learner on other rewards."""
    options = job.options
    folder = Path(options.demonstrations or job.run.path / DEMONSTRATIONS)
    demonstrations = read_demonstrations(folder, job.robot.contract, options.task)
    found = compare(learner, job.robot, demonstrations, episodes=options.episodes, progress=job.share)
    return {arm: result.true for arm, result in found.items()}


def record_play(options: JobOptions, robot: MujocoRobot, folder: Path, progress: Callable[[float], None]) -> None:
    """Fills a folder with random motion, beside what is there; see `collect.play`."""
    have = len(_recorded(folder))
    play(robot, options.play - have, stream=demonstration_stream(options.seed), first=have, progress=progress,
         take=lambda episode: write_episode(folder, episode, robot.contract))


def record_demonstrations(
    options: JobOptions, robot: MujocoRobot, folder: Path, progress: Callable[[float], None], *, success: bool | None = True
) -> None:
    """Fills a folder with the simulated operator's demonstrations, beside those that are there; see `collect.demonstrate`."""
    stream, seeds = demonstration_stream(options.seed), _recorded(folder)
    demonstrate(robot, options.demos - len(seeds), noise=options.noise, hesitation=options.hesitation, stream=stream,
                seed=options.seed, success=success, progress=progress,
                first=max(seeds, default=start_seed(stream, -1)) - start_seed(stream, -1),
                take=lambda episode: write_episode(folder, episode, robot.contract))


def _recorded(folder: Path) -> list[int]:
    """Start seeds of the episodes in a folder, which need not exist. What a kill left unfinished there is removed."""
    for part in folder.glob("*.part"):
        shutil.rmtree(part)
    paths = list_episodes(folder) if folder.is_dir() else []
    return [info.seed for info in (read_header(path).info for path in paths) if info.seed is not None]
