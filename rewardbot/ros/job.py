"""The main job: drives the node graph from demonstrations through learning to the final evaluation.

It talks to the nodes only as any other program could: parameters, services, topics. It alone hears the simulator's true
success, to score episodes; what it hears never goes back to the nodes.
"""

from __future__ import annotations

import json
import signal
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from rewardbot.config import setting
from rewardbot.data.episodes import list_episodes, read_header
from rewardbot.errors import RewardbotError, RobotError
from rewardbot.robots.robot import load_contract
from rewardbot.ros.classifier_check import ClassifierCheck
from rewardbot.ros.graph import NAMESPACE, Value, load_graph, resolve
from rewardbot.ros.job_node import JobNode
from rewardbot.ros.recorder_node import DEMONSTRATIONS
from rewardbot.ros.supervisor import Supervisor
from rewardbot.training.evaluate import Evaluation
from rewardbot.training.loop import JUDGED, RECENT
from rewardbot.training.streams import STREAMS
from rewardbot.training.summary import ClassifierErrors
from rewardbot.training.view import Progress, View

PHASES = ("demonstrations", "pretraining", "learning", "evaluation")
ACTORS = ("bc", "bc_tuned", "rl")
CURVE_EVERY_S = 5.0

Report = Callable[[Mapping[str, float], int], None]
"""Gets metrics every few seconds while learning, and the environment steps so far; `RunFolder.log` is one."""


@dataclass(frozen=True)
class DemoOptions:
    """What the main job is asked to do."""

    task: str = setting("lift", "task")
    robot: str = setting("sim_arm", "robot contract in config/robots")
    seed: int = setting(0, "seed of everything", min=0, max=100_000_000)
    demos: int = setting(30, "successful demonstrations", min=2, max=10_000)
    episodes: int = setting(100, "evaluation episodes for each policy", min=1, max=100_000)
    learn_s: float = setting(300.0, "longest time of learning [s]", min=0.0)
    learn_steps: int = setting(0, "most environment steps while learning; 0: no limit", min=0)
    operator_noise: float = setting(0.2, "tremor of the simulated operator's hand, share of a full action", min=0.0, max=1.0)
    config: str = setting("", "a ROS parameter file with settings of the learner")
    resume: bool = setting(False, "go on with what an earlier job left in the run folder")
    compare_bc: bool = setting(True, "evaluate behaviour cloning, plain and tuned, beside the result")


class Stopped(RewardbotError):
    """The job was asked to end (SIGINT or SIGTERM); everything up to the present episode is on disk."""

    exit_code = 130


def run_demo(
    options: DemoOptions, run_folder: Path, *, live: bool | None = None, report: Report = lambda metrics, steps: None
) -> dict[str, Any]:
    """Runs the main job; returns the summary.

    Args:
        options: what to do.
        run_folder: an existing folder for bags, checkpoint and `nodes.log`. Demonstrations that are there are used.
        live: show a live table; None: only on a terminal.
        report: gets the learner's metrics while it learns.

    Returns:
        `task, seed, demonstrations, env_steps, learn_s, total_s, success {bc, bc_tuned, rl}, episodes, intervals {actor:
        [low, high]}, classifier {false_positive_rate, false_negative_rate}, curve [[s, steps, success]]`. `learn_s` is
        pretraining without the plain baseline, and learning; a rate that was not measured is None.

    Raises:
        NodeDied: a node ended.
        RobotError: a node did not do what it was asked in time.
        Stopped: SIGINT or SIGTERM.
    """
    arguments: dict[str, Value] = {
        "task": options.task, "robot": options.robot, "seed": options.seed, "operator_noise": options.operator_noise,
        "run_folder": str(run_folder.resolve()), "config": options.config, "resume": options.resume}
    progress = Progress(f"rewardbot demo: {options.task}, seed {options.seed}", PHASES)
    nodes = resolve(load_graph("sim"), arguments)
    with (
        _signals() as stopped,
        View(progress, live=live) as view,
        (run_folder / "nodes.log").open("a", buffering=1) as log_file,
        Supervisor(nodes, log=_log_to(log_file.write, view)) as supervisor,
    ):
        def every_round() -> None:
            if stopped.is_set():
                raise Stopped("Stopped.", next_step=f"What was done so far is in {run_folder}.")
            supervisor.poll()
            view.refresh()

        with JobNode(str(NAMESPACE.default), every_round) as node:
            node.refuse_company()
            supervisor.start()
            node.wait(lambda: supervisor.all_ready, 120.0, "the nodes to start")
            node.wait_connected(nodes)
            return _Job(options, run_folder, node, progress, report).run()


class _Job:
    """The phases, one method each."""

    def __init__(
        self, options: DemoOptions, run_folder: Path, node: JobNode, progress: Progress, report: Report
    ) -> None:
        self._options, self._node, self._progress, self._report = options, node, progress, report
        self._demonstrations = run_folder / DEMONSTRATIONS
        self._contract = load_contract(options.robot)
        self._started = time.monotonic()
        self._curve: list[list[float]] = []

    def run(self) -> dict[str, Any]:
        """All phases; returns the summary."""
        self._demonstrate()
        pretrain_s = self._pretrain()
        with ClassifierCheck(self._node, self._contract) as check:
            version, env_steps, learn_s = self._learn(check)
            evaluations, classifier = self._evaluate(version, check)
        return {
            "task": self._options.task,
            "seed": self._options.seed,
            "demonstrations": self._successes(),
            "env_steps": env_steps,
            "learn_s": round(pretrain_s + learn_s, 1),
            "total_s": round(time.monotonic() - self._started, 1),
            "success": {actor: result.rate for actor, result in evaluations.items()},
            "intervals": {actor: [result.low, result.high] for actor, result in evaluations.items()},
            "episodes": self._options.episodes,
            "classifier": asdict(classifier),
            "curve": self._curve,
        }

    def _demonstrate(self) -> None:
        wanted, tried = self._options.demos, 0
        self._progress.begin("demonstrations")
        self._node.set_parameters("sim_node", {"seed": STREAMS * self._options.seed})
        self._node.switch("simulated_operator", True)
        while (missing := wanted - self._successes()) > 0:
            if tried > 3 * wanted + 10:
                raise RewardbotError(
                    f"The operator succeeded in {wanted - missing} of {tried} demonstrations of '{self._options.task}'.",
                    next_step="Lower --noise.")
            kept = self._recorded()
            run = self._node.request("demonstrate", episodes=missing)
            have = wanted - missing
            self._wait_for_episodes(run, missing, lambda done, have=have: self._share(
                (have + done) / wanted, f"{have + done} of {wanted}"))
            tried += missing
            self._node.wait(lambda kept=kept, more=missing: self._recorded() >= kept + more, 60.0, "the recorder to write")
        self._node.switch("simulated_operator", False)
        self._node.set_parameters("recorder_node", {"record": "none"})

    def _pretrain(self) -> float:
        """Returns the time it took without the plain baseline, which nothing is learned from [s]."""
        self._progress.begin("pretraining")
        if self._node.text("learner_node", "state") == "ready":
            return 0.0  # resumed
        begun = time.monotonic()
        self._node.trigger("pretrain")

        def done() -> bool:
            self._share(self._node.value("learner_node", "progress") or 0.0, self._node.text("learner_node", "stage"))
            return self._node.text("learner_node", "state") == "ready"

        self._node.wait(done, 1800.0, "the learner to pretrain")
        return time.monotonic() - begun - (self._node.value("learner_node", "baseline_s") or 0.0)

    def _learn(self, check: ClassifierCheck) -> tuple[int, int, float]:
        """Returns the version of the final weights, the environment steps and the time [s]."""
        options, node = self._options, self._node
        self._progress.begin("learning")
        node.set_parameters("sim_node", {"seed": STREAMS * options.seed + 1})
        run = node.request("explore")
        node.switch("learn", True)
        begun, last_curve, last_end = time.monotonic(), 0.0, time.monotonic()
        ended = 0

        def done() -> bool:
            nonlocal last_curve, last_end, ended
            elapsed = time.monotonic() - begun
            steps = int(node.value("learner_node", "env_steps") or 0)
            check.work()
            successes = node.scores.of_run(run)
            if len(successes) > ended:
                ended, last_end = len(successes), time.monotonic()
            shares = [elapsed / options.learn_s if options.learn_s else 1.0]
            shares += [steps / options.learn_steps] if options.learn_steps else []
            self._share(max(shares), f"{steps} steps, {ended} episodes")
            self._show_learning(successes, check)
            if elapsed - last_curve >= CURVE_EVERY_S and successes:
                last_curve = elapsed
                recent = successes[-RECENT:]
                self._curve.append([round(elapsed, 1), steps, sum(recent) / len(recent)])
                numbers = {key: value for key, value in node.metrics.get("learner_node", {}).items() if isinstance(value, float)}
                rates = {name: rate for name, rate in asdict(check.rates("policy", JUDGED)).items() if rate is not None}
                self._report({**numbers, "true_success": sum(recent) / len(recent), **rates}, steps)
            if time.monotonic() - last_end > 60.0:
                raise RewardbotError("No episode ended for 60 s while learning.",
                                     next_step="Look at the nodes' output in nodes.log of the run folder.")
            return max(shares) >= 1.0

        node.wait(done, options.learn_s + 120.0, "learning to end")
        learn_s = time.monotonic() - begun
        answer = json.loads(node.switch("learn", False, timeout_s=60.0))
        node.request("idle")
        node.trigger("save", timeout_s=120.0)
        return int(answer["version"]), int(answer["env_steps"]), learn_s

    def _evaluate(self, version: int, check: ClassifierCheck) -> tuple[dict[str, Evaluation], ClassifierErrors]:
        options, node = self._options, self._node
        actors = ACTORS if options.compare_bc else ACTORS[-1:]
        self._progress.begin("evaluation")
        results: dict[str, Evaluation] = {}
        for index, actor in enumerate(actors):
            # Setting the seed begins the sequence again: every policy is judged from the same start states.
            node.set_parameters("sim_node", {"seed": STREAMS * options.seed + 2})
            run = node.request("evaluate", episodes=options.episodes, actor=actor, least_version=version)

            def show(done: int, index: int = index, actor: str = actor, run: int = run) -> None:
                check.work()
                successes = node.scores.of_run(run)
                self._share((index + done / options.episodes) / len(actors), f"{actor}: {sum(successes)} of {done}")

            self._wait_for_episodes(run, options.episodes, show)
            successes = node.scores.of_run(run)
            if len(successes) != options.episodes:
                raise RobotError(f"The truth of {len(successes)} of {options.episodes} evaluation episodes of '{actor}' was heard.",
                                 next_step="Messages were lost: the machine is too busy. rewardbot eval judges the saved policy.")
            results[actor] = Evaluation.of(sum(successes), len(successes))
            self._progress.values[f"success {actor}"] = f"{results[actor].rate:.2f}"
        return results, check.rates("evaluation")  # an episode of learning may have ended just before

    # Helpers -------------------------------------------------------------------------------------------------------------

    def _wait_for_episodes(self, run: int, count: int, show: Callable[[int], None]) -> None:
        """Waits until `count` episodes of the request have ended; `show` gets the number so far."""
        known, since = -1, time.monotonic()

        def done() -> bool:
            nonlocal known, since
            ended = self._node.scores.count(run)
            if ended > known:
                known, since = ended, time.monotonic()
            show(ended)
            return ended >= count or time.monotonic() - since > 60.0

        self._node.wait(done, 3600.0 + 60.0 * count, f"{count} episodes")
        if self._node.scores.count(run) < count:
            raise RewardbotError(f"No episode ended for 60 s; {known} of {count} were done.",
                                 next_step="Look at the nodes' output in nodes.log of the run folder.")

    def _successes(self) -> int:
        """Successful demonstrations on disk."""
        if not self._demonstrations.is_dir():
            return 0
        return sum(read_header(path).info.success is True for path in list_episodes(self._demonstrations))

    def _recorded(self) -> int:
        """Episodes that the recorder has dealt with, kept or not."""
        return sum(int(self._node.value("recorder_node", key) or 0) for key in ("episodes_saved", "episodes_rejected"))

    def _share(self, share: float, detail: str) -> None:
        self._progress.share, self._progress.detail = min(1.0, share), detail
        self._progress.rates = self._node.rates()

    def _show_learning(self, successes: list[bool], check: ClassifierCheck) -> None:
        shown = {"success estimate": "success_estimate", "reward": "reward", "updates/s": "updates_per_s"}
        for name, key in shown.items():
            if (value := self._node.value("learner_node", key)) is not None:
                self._progress.values[name] = f"{value:.2f}"
        if recent := successes[-RECENT:]:
            self._progress.values[f"true success, last {RECENT}"] = f"{sum(recent) / len(recent):.2f}"
        if (wrong := check.rates("policy", JUDGED).false_positive_rate) is not None:
            self._progress.values["failures called success"] = f"{wrong:.2f}"


@contextmanager
def _signals() -> Iterator[threading.Event]:
    """SIGINT and SIGTERM set the event instead of interrupting; only in the main thread, where handlers may be set."""
    asked = threading.Event()
    if threading.current_thread() is not threading.main_thread():
        yield asked
        return
    before = {number: signal.signal(number, lambda *_: asked.set()) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield asked
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _log_to(write: Callable[[str], object], view: View) -> Callable[[str, str], None]:
    """A log that goes into the file; warnings and errors are shown as well."""
    def log(node: str, line: str) -> None:
        write(f"[{node}] {line}\n")
        if any(mark in line for mark in ("[WARN]", "[ERROR]", "[FATAL]", "starting it again")):
            view.warn(f"{node}: {line}")

    return log
