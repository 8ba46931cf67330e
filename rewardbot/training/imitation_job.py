"""`rewardbot train --policy bc|filtered_bc|dagger|hg_dagger`: an operator is imitated, from cameras, in one process.

The simulated operator demonstrates. Of DAgger he is the expert who says in each state what he would do; of HG-DAgger he is the one
who watches and takes over. Filtered behaviour cloning gets his demonstrations as they come, with his verdict on each.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from pathlib import Path

from rewardbot.config import load
from rewardbot.data.demonstrations import read_demonstrations, read_judged
from rewardbot.data.episodes import DEMONSTRATIONS
from rewardbot.policies.base import DeployedPolicy
from rewardbot.robots.mujoco import MujocoRobot
from rewardbot.robots.robot import load_contract
from rewardbot.robots.start_states import STREAMS
from rewardbot.training.checkpoint import CHECKPOINT, POLICY
from rewardbot.training.evaluate import evaluate
from rewardbot.training.files import storing, write_atomic
from rewardbot.training.imitation import imitation_weights
from rewardbot.training.imitators import CLONED, Imitator
from rewardbot.training.job import record_demonstrations
from rewardbot.training.learner_config import LearnerConfig
from rewardbot.training.options import FILTERED, JobOptions
from rewardbot.training.record import JobRecord, RecordKeeper
from rewardbot.training.run import RunFolder
from rewardbot.training.summary import Summary, wilson
from rewardbot.training.view import Progress, View
from rewardbot.types import Metrics

PHASES = ("demonstrations", "learning", "evaluation")
_log = logging.getLogger(__name__)


def train(options: JobOptions, run: RunFolder, *, live: bool | None = None, resume: bool = False) -> Summary:
    """One of `options.IMITATORS`; fills the run folder and returns the summary.

    Args:
        options: what to do.
        run: the run folder.
        live: a live table; None: only on a terminal.
        resume: go on with what is in the run folder: demonstrations, a policy that was finished, evaluations. Rounds are done again.
    """
    record = JobRecord.read(run.path, _log.warning) if resume else JobRecord()
    keeper = RecordKeeper(record, run.path, _log.warning)
    config, contract = load(LearnerConfig, Path(options.config) if options.config else None), load_contract(options.robot)
    robot, file = MujocoRobot(options.task, contract), run.path / CHECKPOINT / POLICY
    progress = Progress(f"rewardbot train: {options.task}, {options.policy}, seed {options.seed}", PHASES)
    with View(progress) as view:

        def share(value: float, detail: str = "") -> None:
            progress.share, progress.detail = value, detail or progress.detail
            view.refresh()

        def report(metrics: Metrics, steps: int, seconds: float) -> None:
            run.log(metrics, steps)
            progress.values = {name: f"{value:.2f}" for name, value in metrics.items()}
            record.curve.append([round(seconds, 1), steps, metrics["true_success"]])
            keeper.keep()

        progress.begin(PHASES[0])
        folder = Path(options.demonstrations) if options.demonstrations else run.path / DEMONSTRATIONS
        if not options.demonstrations:
            record_demonstrations(options, robot, folder, share, success=None if options.policy == FILTERED else True)
        progress.begin(PHASES[1])
        if not (record.learned and file.is_file()):
            record.curve.clear()
            read = read_judged if options.policy == FILTERED else read_demonstrations
            shown = sorted(read(folder, contract, options.task), key=lambda episode: episode.info.seed or 0)
            learner = Imitator(config, options, robot, lambda stage, value: share(value, stage), report)
            actors = learner.learn(shown)
            with storing(file):
                file.parent.mkdir(exist_ok=True)
            write_atomic(file, imitation_weights(actors, robot, options.policy))
            record.learned = {"version": 1, "env_steps": learner.steps, "learn_s": learner.seconds}
            keeper.keep()
        progress.begin(PHASES[2])
        policy = DeployedPolicy(file.read_bytes())
        for actor, name in {CLONED: CLONED, "rl": options.policy}.items() if options.policy != "bc" else [("rl", CLONED)]:
            if not record.evaluated(name, options.episodes):
                record.evaluations[name] = _judge(robot, policy, actor, options, lambda value, name=name: share(value, name))
                keeper.keep()
    robot.close()
    keeper.keep()
    counts = {name: found.count(True) for name, found in record.evaluations.items()}
    summary = Summary(
        task=options.task, seed=options.seed, demonstrations=options.demos, env_steps=int(record.learned["env_steps"]),
        learn_s=round(record.learned["learn_s"], 1), total_s=round(record.total_s, 1), episodes=options.episodes,
        success={name: found / options.episodes for name, found in counts.items()},
        intervals={name: wilson(found, options.episodes) for name, found in counts.items()},
        curve=tuple((point[0], int(point[1]), point[2]) for point in record.curve))
    run.finish(summary)
    return summary


def _judge(
    robot: MujocoRobot, policy: DeployedPolicy, actor: str, options: JobOptions, progress: Callable[[float], None]
) -> list[bool | None]:
    """True success from each start state of an evaluation."""
    truth: list[bool | None] = []
    evaluate(robot, policy, actor=actor, episodes=options.episodes, stream=STREAMS * options.seed + 2, progress=progress,
             check=lambda images, success: truth.append(success))
    return truth
