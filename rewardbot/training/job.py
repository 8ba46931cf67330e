"""The main job in one process, without ROS: demonstrate, pretrain, learn, evaluate. `ros/job.py` does it over a node graph."""

from __future__ import annotations

import logging
import shutil
import time
from collections.abc import Callable
from pathlib import Path

from rewardbot.config import load
from rewardbot.data.demonstrations import read_demonstrations
from rewardbot.data.episodes import DEMONSTRATIONS, PLAY, list_episodes, read_header, write_episode
from rewardbot.policies.base import DeployedPolicy
from rewardbot.rewards.goal_classifier import DeployedClassifier
from rewardbot.robots.mujoco import MujocoRobot
from rewardbot.robots.robot import load_contract
from rewardbot.robots.start_states import STREAMS, start_seed
from rewardbot.robots.takeovers import WatchingOperator
from rewardbot.training.checkpoint import CHECKPOINT, Checkpoints, exists
from rewardbot.training.collect import demonstrate, play
from rewardbot.training.compare import compare
from rewardbot.training.evaluate import ClassifierCounts, evaluate
from rewardbot.training.learner import Learner
from rewardbot.training.learner_config import LearnerConfig
from rewardbot.training.loop import learn
from rewardbot.training.options import ACTORS, JobOptions, phases
from rewardbot.training.pretraining import pretrain
from rewardbot.training.rates import error_rates
from rewardbot.training.record import JobRecord, RecordKeeper
from rewardbot.training.run import RunFolder
from rewardbot.training.summary import Summary, wilson
from rewardbot.training.view import Progress, View
from rewardbot.types import Metrics

SHOWN = ("success_estimate", "takeovers_per_minute", "reward", "updates_per_s")
"""Metrics of learning that are shown while it goes on."""

_log = logging.getLogger(__name__)


def train(options: JobOptions, run: RunFolder, *, live: bool | None = None, resume: bool = False) -> Summary:
    """The main job without ROS; fills the run folder and returns the summary.

    Args:
        options: what to do.
        run: the run folder.
        live: a live table; None: only on a terminal.
        resume: go on with what is in the run folder.
    """
    record = JobRecord.read(run.path, _log.warning) if resume else JobRecord()
    keeper = RecordKeeper(record, run.path, _log.warning)
    contract = load_contract(options.robot)
    config = load(LearnerConfig, Path(options.config) if options.config else None)
    robot = MujocoRobot(options.task, contract)
    progress = Progress(f"rewardbot train: {options.task}, seed {options.seed}", phases(options.demos))
    with View(progress, live=live) as view:

        def share(value: float, detail: str = "") -> None:
            progress.share, progress.detail = value, detail or progress.detail
            view.refresh()

        progress.begin(progress.phases[0])
        folder, stream = run.path / (DEMONSTRATIONS if options.demos else PLAY), STREAMS * options.seed
        if not options.demos:
            have = len(_recorded(folder))
            play(robot, options.play - have, stream=stream, first=have, progress=share,
                 take=lambda episode: write_episode(folder, episode, contract))
        elif not options.demonstrations:
            record_demonstrations(options, robot, folder, share)
        progress.begin("pretraining")
        learner = Learner(config, contract, options.task, options.seed)
        checkpoints = Checkpoints(run.path / CHECKPOINT)
        if resume and exists(checkpoints.folder):
            checkpoints.restore(learner)
        else:
            before = time.monotonic()
            pretrain(learner, run.path, lambda stage, value: share(value, stage), demonstrations=options.demonstrations)
            record.pretrain_s = time.monotonic() - before - learner.baseline_s
            checkpoints.save(learner)
        keeper.keep()
        progress.begin("learning")
        limit = 60.0 * (options.minutes or config.minutes)

        def report(metrics: Metrics, steps: int) -> None:
            run.log(metrics, steps)
            progress.values = {name: f"{metrics[name]:.2f}" for name in SHOWN if name in metrics}
            share(min(1.0, learner.learn_s / max(limit, 1e-9)), f"{steps} steps")
            record.curve.append([round(learner.learn_s, 1), steps, metrics["true_success"]])
            keeper.keep(at_least_s=2.0)

        if not record.learned:
            try:
                operator = WatchingOperator(
                    robot, noise=options.noise, hesitation=options.hesitation, seed=options.seed) if options.takeovers else None
                learn(learner, robot, stream=STREAMS * options.seed + 1, seconds=limit, until_converged=True, operator=operator,
                      checkpoints=checkpoints, report=report)
            finally:  # also what was learned until Ctrl-C or until the simulator broke
                checkpoints.save(learner)
            record.learned = {"version": learner.version, "env_steps": learner.env_steps, "learn_s": learner.learn_s}
            keeper.keep()
        progress.begin("evaluation")
        policy = DeployedPolicy(learner.policy_weights())
        for actor in ACTORS if options.demos else ACTORS[-1:]:
            if record.evaluated(actor, options.episodes):
                continue
            errors = ClassifierCounts(DeployedClassifier(learner.classifier_weights()))
            result = evaluate(robot, policy, actor=actor, episodes=options.episodes, stream=STREAMS * options.seed + 2,
                              progress=lambda value, actor=actor: share(value, actor), check=errors)
            record.evaluations[actor] = [success for _, success in errors.verdicts]
            record.verdicts += [list(verdict) for verdict in errors.verdicts]
            assert result.successes == record.evaluations[actor].count(True)
            keeper.keep()
        success = {actor: results.count(True) / len(results) for actor, results in record.evaluations.items()}
        if options.compare:
            demonstrations = read_demonstrations(Path(options.demonstrations or folder), contract, options.task)
            success |= {
                arm: result.true
                for arm, result in compare(learner, robot, demonstrations, episodes=options.episodes, progress=share).items()
            }
    robot.close()
    keeper.keep()
    intervals = {actor: wilson(results.count(True), len(results)) for actor, results in record.evaluations.items()}
    summary = Summary(
        task=options.task, seed=options.seed, demonstrations=options.demos, env_steps=int(record.learned["env_steps"]),
        learn_s=round(record.pretrain_s + record.learned["learn_s"], 1), total_s=round(record.total_s, 1), success=success,
        intervals=intervals, episodes=options.episodes,
        classifier=error_rates([(judged, true) for judged, true in record.verdicts]),
        curve=tuple((point[0], int(point[1]), point[2]) for point in record.curve),
    )
    run.finish(summary)
    return summary


def record_demonstrations(
    options: JobOptions, robot: MujocoRobot, folder: Path, progress: Callable[[float], None], *, success: bool | None = True
) -> None:
    """Fills a folder with the simulated operator's demonstrations, beside those that are there; see `collect.demonstrate`."""
    stream, seeds = STREAMS * options.seed, _recorded(folder)
    demonstrate(robot, options.demos - len(seeds), noise=options.noise, hesitation=options.hesitation, stream=stream,
                seed=options.seed, success=success, progress=progress,
                first=max(seeds, default=start_seed(stream, -1)) - start_seed(stream, -1),
                take=lambda episode: write_episode(folder, episode, robot.contract))


def _recorded(folder: Path) -> list[int]:
    """Start seeds of the demonstrations in a folder, which need not exist. What a kill left unfinished there is removed."""
    for part in folder.glob("*.part"):
        shutil.rmtree(part)
    paths = list_episodes(folder) if folder.is_dir() else []
    return [info.seed for info in (read_header(path).info for path in paths) if info.seed is not None]
