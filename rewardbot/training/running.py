"""A job in one process while it runs: what all of its phases need, and what they leave behind."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import TracebackType

from rewardbot.config import load
from rewardbot.robots.mujoco import MujocoRobot
from rewardbot.robots.robot import load_contract
from rewardbot.training.device import one_thread
from rewardbot.training.learner_config import LearnerConfig
from rewardbot.training.options import JobOptions
from rewardbot.training.rates import classifier_errors
from rewardbot.training.record import JobRecord, RecordKeeper
from rewardbot.training.run import RunFolder
from rewardbot.training.summary import Summary, wilson
from rewardbot.training.view import Progress, View
from rewardbot.types import Metrics

_log = logging.getLogger(__name__)


class RunningJob:
    """See the module. A context manager: inside it the view is shown, and the robot is there.

    Args:
        options: what to do.
        run: the run folder.
        phases: names of all phases in order.
        live: a live table; None: only on a terminal.
        resume: go on with what is in the run folder.

    Attributes:
        options, run, resume: as given.
        record: what has been done so far; phases change it, and `keep` writes it down.
        config: of the learner.
        robot: the simulator.
    """

    def __init__(self, options: JobOptions, run: RunFolder, phases: tuple[str, ...], *, live: bool | None, resume: bool) -> None:
        self.options, self.run, self.resume = options, run, resume
        self.record = JobRecord.read(run.path, _log.warning) if resume else JobRecord()
        self.config = load(LearnerConfig, Path(options.config) if options.config else None)
        self.robot = MujocoRobot(options.task, load_contract(options.robot))
        self._keeper = RecordKeeper(self.record, run.path, _log.warning)
        self._progress = Progress(f"rewardbot train: {options.task}, {options.policy}, seed {options.seed}", phases)
        self._view = View(self._progress, live=live)

    def __enter__(self) -> RunningJob:
        one_thread()
        self._view.__enter__()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._view.__exit__(kind, error, trace)
        self.robot.close()

    def begin(self, phase: str) -> None:
        """The next phase begins."""
        self._progress.begin(phase)

    def share(self, share: float, detail: str = "") -> None:
        """Shows how much of the phase is done, 0 to 1, and what goes on; without a detail, the one before stays."""
        self._progress.share, self._progress.detail = share, detail or self._progress.detail
        self._view.refresh()

    def keep(self) -> None:
        """Writes the record down."""
        self._keeper.keep()

    def report(self, metrics: Metrics, steps: int, learn_s: float, *, shown: Sequence[str]) -> None:
        """Metrics of learning, for the files, the curve and the view.

        Args:
            metrics: `true_success` among them.
            steps: in the environment so far.
            learn_s: time of learning so far [s].
            shown: names of those that the view shows, where there are such.
        """
        self.run.log(metrics, steps)
        self._progress.values = {name: f"{metrics[name]:.2f}" for name in shown if name in metrics}
        self.record.curve.append([round(learn_s, 1), steps, metrics["true_success"]])
        self._keeper.keep(at_least_s=2.0)

    def finish(self, compared: Mapping[str, float]) -> Summary:
        """Completes the run folder, from the record.

        Args:
            compared: who else was evaluated -> true success.

        Raises:
            StorageError: full disk.
        """
        self.keep()
        options, record = self.options, self.record
        successes = {actor: results.count(True) for actor, results in record.evaluations.items()}
        summary = Summary(
            task=options.task, seed=options.seed, demonstrations=options.demos, env_steps=int(record.learned["env_steps"]),
            learn_s=round(record.pretrain_s + record.learned["learn_s"], 1), total_s=round(record.total_s, 1),
            success={actor: count / options.episodes for actor, count in successes.items()} | dict(compared),
            intervals={actor: wilson(count, options.episodes) for actor, count in successes.items()},
            episodes=options.episodes,
            classifier=classifier_errors(record.verdicts),
            curve=tuple((point[0], int(point[1]), point[2]) for point in record.curve),
            rounds=int(record.learned.get("rounds", 0)), most_rounds=int(record.learned.get("most_rounds", 0)),
        )
        self.run.finish(summary)
        return summary
