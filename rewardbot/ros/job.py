"""The main job: drives the node graph from demonstrations through learning to the final evaluation.

It talks to the nodes only as any other program could: parameters, services, topics. It alone hears the simulator's true
success, to score episodes; what it hears never goes back to the nodes.
"""

from __future__ import annotations

import contextlib
import itertools
import json
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from rewardbot.config import setting
from rewardbot.data.episodes import DEMONSTRATIONS, PLAY
from rewardbot.errors import RewardbotError, RobotError
from rewardbot.robots.hand import HESITATION, NOISE
from rewardbot.robots.robot import load_contract
from rewardbot.robots.start_states import demonstration_stream, evaluation_stream, learning_stream
from rewardbot.ros.bags import Bags, Refusals
from rewardbot.ros.classifier_check import ClassifierCheck
from rewardbot.ros.conductor import Conductor, Task, index_in
from rewardbot.ros.graph import NAMESPACE, NodeStart, Value, load_graph, resolve
from rewardbot.ros.job_node import JobNode
from rewardbot.ros.supervisor import Supervisor, asked_to_stop
from rewardbot.training.files import StorageError
from rewardbot.training.options import ACTORS, phases
from rewardbot.training.rates import JUDGED, RECENT, Evaluation, classifier_errors
from rewardbot.training.record import JobRecord, RecordKeeper
from rewardbot.training.view import Progress, View
from rewardbot.types import EpisodeInfo

CURVE_EVERY_S = 5.0

ARRIVING_S = 20.0
"""Longest wait for the learner to take the last episode: on a machine that is too busy it may need more than a few [s]."""

GIVEN_UP_S = 15.0
"""Time after which an episode that the recorder has neither kept nor rejected is lost: it was killed with it [s]."""

Report = Callable[[Mapping[str, float], int], None]
"""Gets metrics every few seconds while learning, and the environment steps so far; `RunFolder.log` is one."""


@dataclass(frozen=True)
class DemoOptions:
    """What the main job is asked to do."""

    task: str = setting("lift", "task")
    robot: str = setting("sim_arm", "robot contract in config/robots")
    seed: int = setting(0, "seed of everything", min=0, max=100_000_000)
    demos: int = setting(30, "successful demonstrations; 0: play instead", min=0, max=10_000)
    play: int = setting(40, "episodes of play where there are no demonstrations", min=2, max=10_000)
    episodes: int = setting(100, "evaluation episodes for each policy", min=1, max=100_000)
    learn_s: float = setting(300.0, "longest time of learning [s]", min=0.0)
    learn_steps: int = setting(0, "most environment steps while learning; 0: no limit", min=0)
    operator_noise: float = setting(NOISE, "tremor of the simulated operator's hand, share of a full action", min=0.0, max=1.0)
    operator_hesitation: float = setting(
        HESITATION, "mean time for which that hand hesitates before it closes or opens [s]", min=0.0, max=5.0)
    config: str = setting("", "a ROS parameter file with settings of the learner")
    resume: bool = setting(False, "go on with what an earlier job left in the run folder")
    compare_bc: bool = setting(True, "evaluate behaviour cloning, plain and tuned, beside the result")


class Stopped(RewardbotError):
    """The job was asked to end (SIGINT or SIGTERM); everything up to the present episode is on disk."""

    exit_code = 130


def run_demo(
    options: DemoOptions, run_folder: Path, *, live: bool | None = None, report: Report = lambda metrics, steps: None
) -> dict[str, Any]:
    """Runs the main job; returns the summary. A node that dies is started again, and what it was at is done again.

    Args:
        options: what to do.
        run_folder: an existing folder for bags, checkpoint, `job.json` and `nodes.log`. Demonstrations that are there are used;
            with `options.resume` the job goes on where an earlier one with the same options left it.
        live: show a live table; None: only on a terminal.
        report: gets the learner's metrics while it learns.

    Returns:
        Fields of `training.summary.Summary`; `learn_s` leaves the plain baseline out, and a rate that was not measured is None.

    Raises:
        NodeDied: a node ended that cannot be helped by starting it again.
        RobotError: a node did not do what it was asked in time.
        Stopped: SIGINT or SIGTERM.
    """
    progress = Progress(f"rewardbot demo: {options.task}, seed {options.seed}", phases(options.demos))
    nodes = resolve(load_graph("sim"), _arguments(options, run_folder))
    with (
        asked_to_stop() as stopped,
        View(progress, live=live) as view,
        (run_folder / "nodes.log").open("a", buffering=1) as log_file,
    ):
        log = _log_to(log_file.write, view)

        def tell(line: str) -> None:
            log("job", line)
            view.warn(line)

        record = JobRecord.read(run_folder, tell) if options.resume else JobRecord()
        if all(record.evaluated(actor, options.episodes) for actor in _actors(options)):
            return _summary(options, record, run_folder)  # stopped when all was done but the summary
        keeper = RecordKeeper(record, run_folder, tell)
        with (
            Supervisor(nodes, log=log) as supervisor,
            JobNode(str(NAMESPACE.default), lambda: watch.round(), names=supervisor.names, is_ours=supervisor.is_ours,
                    log=tell) as node,
        ):
            watch = _Watch(supervisor, node, progress, view, keeper, stopped, run_folder)
            watch.start(nodes)
            conductor = Conductor(node, watch.present, supervisor.renew)
            try:
                _Job(options, run_folder, node, progress, report, keeper, conductor, tell).run()
            finally:
                keeper.keep()
        return _summary(options, record, run_folder)


def refuse_company() -> None:
    """As `run_demo` does, for those who have not begun a run folder yet.

    Raises:
        ConfigError: nodes of another graph are active under the same names, or ROS_DOMAIN_ID is none.
    """
    with JobNode(str(NAMESPACE.default), lambda: None, names=[node.name for node in resolve(load_graph("sim"), {})]) as node:
        node.refuse_company()


def _arguments(options: DemoOptions, run_folder: Path) -> dict[str, Value]:
    """Of the graph."""
    return {"task": options.task, "robot": options.robot, "seed": options.seed, "operator_noise": options.operator_noise,
            "operator_hesitation": options.operator_hesitation, "run_folder": str(run_folder.resolve()), "config": options.config,
            "resume": options.resume}


class _Watch:
    """Looks after the nodes, the view and a request to stop, whatever phase the job is in.

    Args:
        supervisor: has not started the nodes yet.
        node: the job's.
        progress, view: of the job.
        keeper: of its record.
        stopped: set when the job is asked to end.
        run_folder: to go on with.
    """

    def __init__(
        self, supervisor: Supervisor, node: JobNode, progress: Progress, view: View, keeper: RecordKeeper,
        stopped: threading.Event, run_folder: Path,
    ) -> None:
        self._supervisor, self._node, self._progress, self._view = supervisor, node, progress, view
        self._keeper, self._stopped, self._run_folder = keeper, stopped, run_folder
        self._restarts_before = dict(keeper.record.restarts)

    def start(self, nodes: Sequence[NodeStart]) -> None:
        """Starts the nodes; returns when all have found each other."""
        self._node.refuse_company()
        self._supervisor.start()
        self._node.expected = self._supervisor.names
        self._node.wait(lambda: self._supervisor.all_ready, 120.0, "the nodes to start")
        self._node.wait_connected(nodes)

    def round(self) -> None:
        """Called many times a second, whatever the job waits for.

        Raises:
            Stopped: see `run_demo`.
            NodeDied: likewise.
        """
        if self._stopped.is_set():
            self._keeper.keep()
            raise Stopped("Stopped.", next_step=f"What was done so far is in {self._run_folder}: "
                                                f"rewardbot demo --resume {self._run_folder} goes on.")
        self._supervisor.poll()
        node, progress = self._node, self._progress
        progress.rates = node.rates()
        progress.values.pop("waiting for", None)
        if missing := node.absent() or [text for name in node.expected if (text := node.text(name, "waiting_for"))]:
            progress.values["waiting for"] = ", ".join(missing)
        before, now = self._restarts_before, self._supervisor.restarts
        self._keeper.record.restarts = {name: before.get(name, 0) + now.get(name, 0) for name in before.keys() | now.keys()}
        self._view.refresh()

    def present(self, name: str) -> bool:
        """Whether a node's present process runs, has been heard and has found the others."""
        pid = self._supervisor.pid(name)
        ours = self._supervisor.is_ready(name) and self._node.process(name).startswith(f"{pid}-")
        return ours and self._node.connected(name)


def _actors(options: DemoOptions) -> tuple[str, ...]:
    return ACTORS if options.compare_bc and options.demos else ACTORS[-1:]


def _summary(options: DemoOptions, record: JobRecord, run_folder: Path) -> dict[str, Any]:
    evaluations = {actor: Evaluation.of(record.evaluations[actor].count(True), options.episodes) for actor in _actors(options)}
    return {
        "task": options.task,
        "seed": options.seed,
        "demonstrations": Bags(run_folder / DEMONSTRATIONS).successes(),
        "env_steps": int(record.learned["env_steps"]),
        "learn_s": round(record.pretrain_s + record.learned["learn_s"], 1),
        "total_s": round(record.total_s, 1),
        "success": {actor: result.rate for actor, result in evaluations.items()},
        "intervals": {actor: [result.low, result.high] for actor, result in evaluations.items()},
        "episodes": options.episodes,
        "classifier": asdict(classifier_errors(record.verdicts)),
        "curve": record.curve,
    }


class _Job:
    """The phases, one method each. Each finds out what of it has been done already."""

    def __init__(
        self, options: DemoOptions, run_folder: Path, node: JobNode, progress: Progress, report: Report, keeper: RecordKeeper,
        conductor: Conductor, tell: Callable[[str], None],
    ) -> None:
        self._options, self._node, self._progress, self._report = options, node, progress, report
        self._keeper, self._record, self._conductor, self._tell = keeper, keeper.record, conductor, tell
        self._bags = Bags(run_folder / (DEMONSTRATIONS if options.demos else PLAY))
        self._contract = load_contract(options.robot)
        self._report_failed = False
        self._pretraining = ""

    def run(self) -> None:
        """All phases; what comes out is in the record."""
        self._gather()
        self._pretrain()
        with ClassifierCheck(self._node, self._contract) as check:
            if not self._record.learned:
                self._learn(check)
            self._evaluate(check)

    def _gather(self) -> None:
        """What learning begins from: demonstrations, or play where there are none."""
        node, bags, shown = self._node, self._bags, self._options.demos > 0
        mode, source = ("demonstrate", "demonstration") if shown else ("play", "play")
        wanted = self._options.demos or self._options.play
        stream, name = demonstration_stream(self._options.seed), self._options.task
        have = bags.successes if shown else bags.count
        self._progress.begin(self._progress.phases[0])
        begun = len(node.scores.scores)
        refusals, last_end, known = Refusals(), time.monotonic(), 0

        def ended() -> list[EpisodeInfo]:
            nonlocal known, last_end
            infos = [score.event.info for score in node.scores.scores[begun:] if score.event.info.source == source]
            if len(infos) > known:
                known, last_end = len(infos), time.monotonic()
            return infos

        def first() -> int:
            indices = [index_in(stream, seed) for seed in (*bags.seeds(), *(info.seed for info in ended()))]
            tried = 1 + max((index for index in indices if index is not None), default=-1)
            if tried > 4 * wanted + 10:
                raise RewardbotError(f"The operator succeeded in {bags.successes()} of {tried} demonstrations of '{name}'.",
                                     next_step="Lower --noise.")
            return tried

        def settled() -> bool:
            if all(bags.dealt_with(info.id) for info in ended()):
                return True
            waited = time.monotonic() - last_end
            return waited > GIVEN_UP_S or (waited > 2.0 and node.value("recorder_node", "episodes_open") == 0)

        def clear() -> bool:
            """An episode whose end we did not hear, since its robot was killed then, is known to the recorder only."""
            return node.value("recorder_node", "episodes_ending") == 0

        def done() -> bool:
            self._share(have() / wanted, f"{have()} of {wanted}")
            refused = node.value("recorder_node", "episodes_rejected") or 0.0
            refusals.look(bags.count(), refused, node.text("recorder_node", "last_rejection"))
            return have() >= wanted and settled()

        if have() < wanted:
            self._conductor.conduct(
                Task(mode, stream, first=first, done=done, settled=settled, clear=clear, progress=lambda: (known, have()),
                     episodes=lambda: max(1, wanted - have()), needs=("sim_node", "policy_node", "recorder_node")),
                self._progress.phases[0])
            node.switch("simulated_operator", False)
        node.set_parameters("recorder_node", {"record": "none"}, keep=True)
        self._keeper.keep()

    def _pretrain(self) -> None:
        """Begins again if the learner dies in it."""
        self._progress.begin("pretraining")
        begun, node = time.monotonic(), self._node
        if node.text("learner_node", "state") == "ready":
            return  # resumed

        def done() -> bool:
            self._share(node.value("learner_node", "progress") or 0.0, node.text("learner_node", "stage"))
            self._have_pretrained()
            return node.text("learner_node", "state") == "ready"

        node.wait(done, 3600.0, "the learner to pretrain")
        # The plain baseline is nothing that is learned from.
        self._record.pretrain_s += time.monotonic() - begun - (node.value("learner_node", "baseline_s") or 0.0)
        self._keeper.keep()

    def _have_pretrained(self) -> None:
        """Asks for it if the learner, perhaps a new process of it, has not begun."""
        process = self._node.process("learner_node")
        if self._node.text("learner_node", "state") == "waiting" and self._pretraining != process:
            self._pretraining = process
            with contextlib.suppress(RobotError):  # it had begun, and the answer was lost
                self._node.trigger("pretrain")

    def _learn(self, check: ClassifierCheck) -> None:
        options, node, record = self._options, self._node, self._record
        stream = learning_stream(options.seed)
        self._progress.begin("learning")
        begun, last_curve = len(node.scores.scores), 0.0

        def done() -> bool:
            nonlocal last_curve
            self._have_pretrained()
            check.work()
            learned = node.value("learner_node", "learn_s") or 0.0
            steps = int(node.value("learner_node", "env_steps") or 0)
            index = index_in(stream, int(node.value("learner_node", "last_seed") or -1))
            record.explored = max(record.explored, -1 if index is None else index)
            ended = [score.success for score in node.scores.scores[begun:] if score.event.info.source == "policy"]
            successes = [success for success in ended if success is not None]
            shares = [learned / options.learn_s if options.learn_s else 1.0]
            shares += [steps / options.learn_steps] if options.learn_steps else []
            self._share(max(shares), f"{steps} steps, {int(node.value('learner_node', 'episodes') or 0)} episodes")
            self._show_learning(successes, check)
            if learned - last_curve >= CURVE_EVERY_S and successes:
                last_curve = learned
                self._curve(learned, steps, successes[-RECENT:], check)
            self._keeper.keep(at_least_s=2.0)
            return max(shares) >= 1.0 or node.value("learner_node", "converged") == 1.0

        def first() -> int:
            indices = [index_in(stream, score.event.info.seed) for score in node.scores.scores[begun:]]
            record.unheard += sum(index is not None and index > record.explored for index in set(indices))
            return record.explored + 1

        node.switch("learn", True, keep=True)
        self._conductor.conduct(
            Task("explore", stream, first=first, done=done, needs=("sim_node", "policy_node", "learner_node"),
                 progress=lambda: [node.value("learner_node", key) for key in ("learn_s", "episodes", "progress")]),
            "learning")
        self._let_arrive(begun)
        while True:
            process = node.process("learner_node")
            answer = json.loads(node.switch("learn", False, timeout_s=60.0))
            try:
                node.trigger("save", timeout_s=120.0)
            except RobotError as error:  # a full disk: what has been learned can be evaluated all the same
                self._tell(str(error))
            if node.process("learner_node") == process:
                break
        record.learned = {"version": int(answer["version"]), "env_steps": int(answer["env_steps"]),
                          "learn_s": float(answer["learn_s"])}
        self._keeper.keep()

    def _let_arrive(self, begun: int) -> None:
        """Waits until the learner has dealt with the last episode that ended: its messages may still be on their way to it."""
        ended = [score.event.info.id for score in self._node.scores.scores[begun:] if score.event.info.source == "policy"]
        with contextlib.suppress(RobotError):  # a learner that was started again meanwhile never hears of it
            self._node.wait(lambda: not ended or self._node.text("learner_node", "dealt_with") == ended[-1], ARRIVING_S,
                            "the learner to take the last episode")

    def _evaluate(self, check: ClassifierCheck) -> None:
        options, node, record = self._options, self._node, self._record
        actors, stream = _actors(options), evaluation_stream(options.seed)
        self._progress.begin("evaluation")
        for number, actor in enumerate(actors):
            results, begun = record.evaluation(actor, options.episodes), len(node.scores.scores)

            def missing(results: list[bool | None] = results) -> list[int]:
                return [index for index, result in enumerate(results) if result is None]

            def in_a_row(results: list[bool | None] = results) -> int:
                return sum(1 for _ in itertools.takewhile(lambda result: result is None, results[results.index(None) :]))

            def done(number: int = number, actor: str = actor, results: list[bool | None] = results) -> bool:
                nonlocal begun
                check.work()
                for score in node.scores.scores[begun:]:
                    info = score.event.info
                    index = index_in(stream, info.seed)
                    ours = info.source == "evaluation" and info.extra.get("actor") == actor
                    if ours and index is not None and index < len(results) and results[index] is None:
                        results[index] = score.success
                begun = len(node.scores.scores)
                known = len(results) - results.count(None)
                self._share((number + known / len(results)) / len(actors), f"{actor}: {results.count(True)} of {known}")
                record.verdicts += check.take("evaluation")
                self._keeper.keep(at_least_s=1.0)
                return known == len(results)

            def least_version() -> int:
                # With a full disk and a learner that was killed, it may be an earlier one.
                return min(int(record.learned["version"]), int(node.value("learner_node", "version") or 0))

            if missing():
                self._conductor.conduct(
                    Task("evaluate", stream, first=lambda: missing()[0], done=done, episodes=in_a_row, actor=actor,
                         least_version=least_version, progress=lambda: len(missing()),
                         needs=("sim_node", "policy_node", "learner_node")),
                    f"the evaluation of {actor}")
            self._progress.values[f"success {actor}"] = f"{results.count(True) / len(results):.2f}"
            self._keeper.keep()

    # Helpers -------------------------------------------------------------------------------------------------------------

    def _curve(self, learned: float, steps: int, recent: list[bool], check: ClassifierCheck) -> None:
        success = sum(recent) / len(recent)
        self._record.curve.append([round(learned, 1), steps, success])
        numbers = {key: value for key, value in self._node.metrics.get("learner_node", {}).items() if isinstance(value, float)}
        rates = {name: rate for name, rate in asdict(check.rates("policy", JUDGED)).items() if rate is not None}
        try:
            self._report({**numbers, "true_success": success, **rates}, steps)
            self._report_failed = False
        except StorageError as error:
            if not self._report_failed:
                self._tell(f"{error} The job goes on without it.")
            self._report_failed = True

    def _share(self, share: float, detail: str) -> None:
        self._progress.share, self._progress.detail = min(1.0, share), detail

    def _show_learning(self, successes: list[bool], check: ClassifierCheck) -> None:
        shown = {"success estimate": "success_estimate", "reward": "reward", "updates/s": "updates_per_s"}
        for name, key in shown.items():
            if (value := self._node.value("learner_node", key)) is not None:
                self._progress.values[name] = f"{value:.2f}"
        if recent := successes[-RECENT:]:
            self._progress.values[f"true success, last {RECENT}"] = f"{sum(recent) / len(recent):.2f}"
        if (wrong := check.rates("policy", JUDGED).false_positive_rate) is not None:
            self._progress.values["failures called success"] = f"{wrong:.2f}"


def _log_to(write: Callable[[str], object], view: View) -> Callable[[str, str], None]:
    """A log that goes into the file; warnings and errors are shown as well."""
    def log(node: str, line: str) -> None:
        with contextlib.suppress(OSError, ValueError):  # a full disk must not silence the node whose pipe this empties
            write(f"[{node}] {line}\n")
        if any(mark in line for mark in ("[WARN]", "[ERROR]", "[FATAL]", "starting it again")):
            view.warn(f"{node}: {line}")

    return log
