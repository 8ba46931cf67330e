"""The main job in one process, without ROS: demonstrate, pretrain, learn, evaluate. `ros/job.py` does it over a node graph."""

from __future__ import annotations

import time
from pathlib import Path

from rewardbot.config import load
from rewardbot.data.episodes import read_demonstrations, write_episode
from rewardbot.policies.base import DeployedPolicy
from rewardbot.rewards.goal_classifier import DeployedClassifier
from rewardbot.robots.mujoco import MujocoRobot
from rewardbot.robots.robot import load_contract
from rewardbot.training.collect import demonstrate
from rewardbot.training.compare import compare
from rewardbot.training.evaluate import ClassifierCounts, evaluate
from rewardbot.training.learner import Learner, LearnerConfig
from rewardbot.training.loop import learn
from rewardbot.training.options import JobOptions
from rewardbot.training.run import RunFolder
from rewardbot.training.streams import STREAMS
from rewardbot.training.summary import Summary
from rewardbot.training.view import Progress, View
from rewardbot.types import Metrics


def train(options: JobOptions, run: RunFolder, *, live: bool | None = None) -> Summary:
    """The main job without ROS; fills the run folder and returns the summary.

    Args:
        options: what to do.
        run: the run folder.
        live: a live table; None: only on a terminal.
    """
    started = time.monotonic()
    contract = load_contract(options.robot)
    config = load(LearnerConfig, Path(options.config) if options.config else None)
    robot = MujocoRobot(options.task, contract)
    progress = Progress(f"rewardbot train: {options.task}, seed {options.seed}",
                        ("demonstrations", "pretraining", "learning", "evaluation"))
    with View(progress, live=live) as view:

        def share(value: float, detail: str = "") -> None:
            progress.share, progress.detail = value, detail or progress.detail
            view.refresh()

        progress.begin("demonstrations")
        if options.demonstrations:
            demonstrations = read_demonstrations(Path(options.demonstrations), contract, options.task)
        else:
            demonstrations = demonstrate(robot, options.demos, noise=options.noise, stream=STREAMS * options.seed,
                                         seed=options.seed, progress=share)
            for episode in demonstrations:
                write_episode(run.path / "demonstrations", episode, contract)
        progress.begin("pretraining")
        learner = Learner(config, contract, options.task, options.seed)
        before = time.monotonic()
        learner.pretrain(demonstrations, lambda stage, value: share(value, stage))
        pretrain_s = time.monotonic() - before - learner.baseline_s
        progress.begin("learning")
        limit = 60.0 * (options.minutes or config.minutes)

        def report(metrics: Metrics, steps: int) -> None:
            run.log(metrics, steps)
            progress.values = {name: f"{metrics[name]:.2f}" for name in ("success_estimate", "reward", "updates_per_s")
                               if name in metrics}
            share(min(1.0, (time.monotonic() - before - pretrain_s) / max(limit, 1e-9)), f"{steps} steps")

        begun = time.monotonic()
        try:
            curve = learn(learner, robot, stream=STREAMS * options.seed + 1, seconds=limit,
                          until_converged=True, report=report)
        finally:  # also what was learned until Ctrl-C or until the simulator broke
            learn_s = pretrain_s + time.monotonic() - begun
            learner.save(run.path / "checkpoint")
        progress.begin("evaluation")
        errors = ClassifierCounts(DeployedClassifier(learner.classifier_weights()))
        policy = DeployedPolicy(learner.policy_weights())
        success: dict[str, float] = {}
        for actor in ("bc", "bc_tuned", "rl"):
            result = evaluate(robot, policy, actor=actor, episodes=options.episodes, stream=STREAMS * options.seed + 2,
                              progress=lambda value, actor=actor: share(value, actor), check=errors)
            success[actor] = result.rate
        if options.compare:
            success |= {
                arm: result.true
                for arm, result in compare(learner, robot, demonstrations, episodes=options.episodes, progress=share).items()
            }
    robot.close()
    summary = Summary(
        task=options.task, seed=options.seed, demonstrations=len(demonstrations), env_steps=learner.env_steps,
        learn_s=round(learn_s, 1), total_s=round(time.monotonic() - started, 1), success=success,
        episodes=options.episodes, classifier=errors.rates(), curve=tuple(curve.points),
    )
    run.finish(summary)
    return summary
