"""`rewardbot train --policy bc|filtered_bc|dagger|hg_dagger`: an operator is imitated, from cameras, in one process.

The simulated operator demonstrates. Of DAgger he is the expert who says in each state what he would do; of HG-DAgger he is the one
who watches and takes over. Filtered behaviour cloning gets his demonstrations as they come, with his verdict on each.
"""

from __future__ import annotations

from pathlib import Path

from rewardbot.data.demonstrations import read_demonstrations, read_judged
from rewardbot.data.episodes import DEMONSTRATIONS
from rewardbot.policies.base import DeployedPolicy
from rewardbot.robots.start_states import evaluation_stream
from rewardbot.training.checkpoint import CHECKPOINT, POLICY
from rewardbot.training.evaluate import evaluate
from rewardbot.training.files import storing, write_atomic
from rewardbot.training.imitation import imitation_weights
from rewardbot.training.imitators import CLONED, Imitator
from rewardbot.training.job import record_demonstrations
from rewardbot.training.options import FILTERED, JobOptions
from rewardbot.training.run import RunFolder
from rewardbot.training.running import RunningJob
from rewardbot.training.summary import Summary
from rewardbot.types import Metrics

PHASES = ("demonstrations", "learning", "evaluation")


def train(options: JobOptions, run: RunFolder, *, live: bool | None = None, resume: bool = False) -> Summary:
    """One of `options.IMITATORS`; fills the run folder and returns the summary.

    Args:
        options: what to do.
        run: the run folder.
        live: a live table; None: only on a terminal.
        resume: go on with what is in the run folder: demonstrations, a policy that was finished, evaluations. Rounds are done again.
    """
    with RunningJob(options, run, PHASES, live=live, resume=resume) as job:
        demonstrations = _gather(job)
        policy = _learn(job, demonstrations)
        _evaluate(job, policy)
    return job.finish({})


def _gather(job: RunningJob) -> Path:
    """The folder of demonstrations; of filtered cloning, of those that failed, too."""
    options = job.options
    job.begin("demonstrations")
    if options.demonstrations:
        return Path(options.demonstrations)
    folder = job.run.path / DEMONSTRATIONS
    record_demonstrations(options, job.robot, folder, job.share, success=None if options.policy == FILTERED else True)
    return folder


def _learn(job: RunningJob, demonstrations: Path) -> DeployedPolicy:
    """Clones and, of those that go in rounds, lets the operator correct; the policy is then in the run folder."""
    options, robot, file = job.options, job.robot, job.run.path / CHECKPOINT / POLICY
    job.begin("learning")
    if job.record.learned and file.is_file():
        return DeployedPolicy(file.read_bytes())
    job.record.curve.clear()

    def report(metrics: Metrics, steps: int, seconds: float) -> None:
        job.report(metrics, steps, seconds, shown=list(metrics))

    read = read_judged if options.policy == FILTERED else read_demonstrations
    shown = sorted(read(demonstrations, robot.contract, options.task), key=lambda episode: episode.info.seed or 0)
    learner = Imitator(job.config, options, robot, lambda stage, value: job.share(value, stage), report)
    weights = imitation_weights(learner.learn(shown), robot, options.policy)
    with storing(file):
        file.parent.mkdir(exist_ok=True)
    write_atomic(file, weights)
    job.record.learned = {"version": 1, "env_steps": learner.steps, "learn_s": learner.seconds, "rounds": learner.rounds,
                          "most_rounds": learner.most_rounds}
    job.keep()
    return DeployedPolicy(weights)


def _evaluate(job: RunningJob, policy: DeployedPolicy) -> None:
    """True success from the same fresh start states: of plain cloning and of what came of it."""
    options, record = job.options, job.record
    job.begin("evaluation")
    actors = {"rl": CLONED} if options.policy == "bc" else {CLONED: CLONED, "rl": options.policy}
    for actor, name in actors.items():
        if record.evaluated(name, options.episodes):
            continue
        truth: list[bool | None] = []
        evaluate(job.robot, policy, actor=actor, episodes=options.episodes, stream=evaluation_stream(options.seed),
                 progress=lambda value, name=name: job.share(value, name),
                 check=lambda images, success, truth=truth: truth.append(success))
        record.evaluations[name] = truth
        job.keep()
