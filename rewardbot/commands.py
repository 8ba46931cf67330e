"""What the subcommands do. Heavy imports (torch, MuJoCo, rclpy) happen inside, so that `--help` and mistakes answer at once."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rich.console import Console
from rich.table import Table

from rewardbot import registry
from rewardbot.config import from_mapping, merge, names_in, read_yaml, settings_files, to_mapping
from rewardbot.doctor.finding import DoctorOptions
from rewardbot.errors import ConfigError, DataError, unknown_name
from rewardbot.training.bench import BenchOptions, run_bench
from rewardbot.training.files import StorageError, storing, try_out, write_atomic
from rewardbot.training.options import SETTINGS_FILES, EvalOptions, JobOptions
from rewardbot.training.run import LEARNER, RunFolder, learner_yaml
from rewardbot.training.summary import Summary, result_table

if TYPE_CHECKING:
    from rewardbot.training.learner import LearnerConfig

VIDEO_EPISODES = 5
POLICY_PLACES = ("", "policy.safetensors", "checkpoint/policy.safetensors")


@dataclass(frozen=True)
class Resume:
    """A run to go on with, and the options that were named beside it."""

    run: str
    given: dict[str, Any]


def demo(options: JobOptions, resume: Resume | None = None) -> None:
    """`rewardbot demo`, or `rewardbot demo --resume RUN`.

    Raises:
        RewardbotError: see `prepare`, `resuming.reopen` and `ros.job.run_demo`.
    """
    try:
        from rewardbot.ros.job import DemoOptions, run_demo
    except ModuleNotFoundError as error:
        raise ConfigError(f"ROS 2 is not here: {error}.",
                          next_step="make venv, or source your ROS 2 install; `rewardbot train` needs no ROS.") from None
    if (begun := _begin(options, resume, "demo")) is None:
        return
    options, run = begun
    asked = DemoOptions(
        task=options.task, robot=options.robot, seed=options.seed, demos=options.demos, episodes=options.episodes,
        learn_s=60.0 * (options.minutes or learner_config(options).minutes), operator_noise=options.noise, config=options.config,
        resume=resume is not None)
    with run:
        found = run_demo(asked, run.path, report=run.log)
        fields = {spec.name for spec in dataclasses.fields(Summary)}
        summary = from_mapping(Summary, {name: value for name, value in found.items() if name in fields})
        if options.compare:
            run.finish(summary)  # what is known so far, should the comparison be stopped
            summary = dataclasses.replace(summary, success={**summary.success, **_compare(options, run)})
        try:
            run.finish(summary)
        except StorageError:
            Console().print(result_table(summary.success, summary.episodes))  # a full disk must not cost the result
            raise
    conclude(run, summary)


def train(options: JobOptions, resume: Resume | None = None) -> None:
    """`rewardbot train`, or `rewardbot train --resume RUN`.

    Raises:
        RewardbotError: see `prepare`, `resuming.reopen` and `training.job.train`.
    """
    if (begun := _begin(options, resume, "train")) is None:
        return
    options, run = begun
    from rewardbot.training.job import train as train_here

    with run:
        summary = train_here(options, run, resume=resume is not None)
    conclude(run, summary)


def _begin(options: JobOptions, resume: Resume | None, command: str) -> tuple[JobOptions, RunFolder] | None:
    """A new run, or the one to go on with; None when that is over, which is then shown."""
    if resume is None:
        return prepare(options, command)
    from rewardbot.training.resuming import finished, reopen

    path = Path(resume.run).expanduser().resolve()
    if (summary := finished(path)) is None:
        return reopen(path, resume.given, command)
    Console().print(result_table(summary.success, summary.episodes))
    print(f"The run {path} is finished: there is nothing to go on with. rewardbot eval {path} evaluates its policy anew.")
    return None


def prepare(options: JobOptions, command: str = "demo") -> tuple[JobOptions, RunFolder]:
    """Checks everything that can be checked before a long job, and makes its run folder.

    The resolved settings of the learner are in `learner.yaml` there, which the returned options name as their `config`.
    Recorded demonstrations that were named are linked to `demonstrations/` there.

    Raises:
        ConfigError: unknown task, robot or algorithm, or a wrong setting.
        MissingSystemLibrary: nothing can be drawn here.
        DataError: demonstrations that cannot be used.
        StorageError: the run folder cannot be made.
    """
    from rewardbot.robots.rendering import check_rendering
    from rewardbot.robots.robot import load_contract
    from rewardbot.robots.tasks import load_task

    load_task(options.task)
    contract = load_contract(options.robot)
    config = learner_config(options)
    check_rendering()
    bags: list[Path] = []
    if options.demonstrations:
        bags = _usable_demonstrations(Path(options.demonstrations).expanduser(), options, contract)
        options = dataclasses.replace(options, demos=len(bags))
    settings = {"command": command, "options": to_mapping(options), "robot": to_mapping(contract), "learner": to_mapping(config)}
    run = RunFolder.create(Path(options.run_dir), options.task, options.seed, settings)
    write_atomic(run.path / LEARNER, learner_yaml(to_mapping(config)))
    if bags:
        with storing(run.path):
            (run.path / "demonstrations").mkdir()
            for bag in bags:
                (run.path / "demonstrations" / bag.name).symlink_to(bag.resolve(), target_is_directory=True)
        options = dataclasses.replace(options, demonstrations=str(run.path / "demonstrations"))
    return dataclasses.replace(options, config=str(run.path / LEARNER)), run


def learner_config(options: JobOptions) -> LearnerConfig:
    """The learner's settings: its defaults, then each of `SETTINGS_FILES`. Algorithms that can be named here have a file there.

    Raises:
        ConfigError: unknown algorithm, unreadable file, wrong key, type or value.
    """
    if registry.check("policy", options.policy) not in (learners := names_in("policies")):
        raise ConfigError(f"Policy algorithm '{options.policy}' does not learn from images and a learned reward.",
                          valid=f"--policy takes: {', '.join(learners)}.",
                          next_step="bc is evaluated beside it in any case; sac, from state vectors, is for programs of yours.")
    if options.reward and registry.check("reward", options.reward) not in (rewards := names_in("rewards")):
        raise unknown_name("reward algorithm for this job", options.reward, rewards)
    from rewardbot.training.learner import LearnerConfig

    values: dict[str, Any] = {}
    for path in settings_files(SETTINGS_FILES, to_mapping(options)):
        settings = read_yaml(path)
        from_mapping(LearnerConfig, settings, where=path.name)  # so that a mistake is reported with its file
        values = merge(values, settings)
    return from_mapping(LearnerConfig, values)


def _compare(options: JobOptions, run: RunFolder) -> dict[str, float]:
    """True success of the other rewards, from the same demonstrations, behaviour cloning and number of steps."""
    from rewardbot.data.episodes import read_demonstrations
    from rewardbot.robots.mujoco import MujocoRobot
    from rewardbot.robots.robot import load_contract
    from rewardbot.training.compare import ARMS, compare
    from rewardbot.training.learner import Learner
    from rewardbot.training.view import Progress, View

    contract = load_contract(options.robot)
    learner = Learner(learner_config(options), contract, options.task, options.seed)
    learner.load(run.path / "checkpoint")
    demonstrations = read_demonstrations(run.path / "demonstrations", contract, options.task)
    robot = MujocoRobot(options.task, contract)
    progress = Progress(f"rewardbot demo --compare: {options.task}, seed {options.seed}", ARMS)
    try:
        with View(progress) as view:

            def report(share: float, detail: str) -> None:
                progress.phase, _, progress.detail = detail.partition(": ")
                progress.share = share
                view.refresh()

            results = compare(learner, robot, demonstrations, episodes=options.episodes, progress=report)
    finally:
        robot.close()
    return {arm: result.true for arm, result in results.items()}


def conclude(run: RunFolder, summary: Summary) -> None:
    """Prints the result, and adds the video of the final policy to the run folder."""
    console = Console()
    console.print(result_table(summary.success, summary.episodes))
    policy = run.path / POLICY_PLACES[-1]
    if policy.exists():
        record(policy, run.path / "video.mp4", actor="rl", seed=summary.seed, episodes=VIDEO_EPISODES)
    console.print(f"Learned in {summary.learn_s:.0f} s and {summary.env_steps} steps; all together {summary.total_s:.0f} s.")
    files = ", ".join(name for name in ("summary.json", "curves.png", "video.mp4") if (run.path / name).exists())
    console.print(f"{run.path}: {files}", soft_wrap=True, highlight=False)


def evaluate(name: str, options: EvalOptions) -> None:
    """`rewardbot eval`.

    Raises:
        DataError: no policy there, a damaged one, or one of another task or camera size.
        ConfigError: unknown actor.
    """
    path = find_policy(Path(name))
    from rewardbot.policies.base import DeployedPolicy
    from rewardbot.robots.mujoco import MujocoRobot
    from rewardbot.robots.robot import load_contract
    from rewardbot.training.evaluate import evaluate as judge
    from rewardbot.training.streams import STREAMS
    from rewardbot.training.view import Progress, View

    policy = DeployedPolicy(path.read_bytes())
    if options.task and options.task != policy.task:
        from rewardbot.robots.tasks import load_task

        load_task(options.task)
        raise DataError(f"{path} was trained for task '{policy.task}', not for '{options.task}'.",
                        next_step="Leave --task out, or name another run.")
    robot = MujocoRobot(policy.task, load_contract(str(policy.description["robot"])))
    progress = Progress(f"rewardbot eval: {policy.task}, {options.actor}", ("evaluation",), phase="evaluation")
    try:
        with View(progress) as view:

            def report(share: float) -> None:
                progress.share = share
                view.refresh()

            result = judge(robot, policy, actor=options.actor, episodes=options.episodes,
                           stream=STREAMS * options.seed + 2, progress=report)
    finally:
        robot.close()
    Console().print(result_table({options.actor: result.rate}, result.episodes, title=f"{policy.task}: {path}"))
    if options.video:
        frames = record(path, Path(options.video), actor=options.actor, seed=options.seed, episodes=VIDEO_EPISODES)
        print(f"{options.video}: {frames} frames")


def find_policy(path: Path) -> Path:
    """The policy file of a run folder, a checkpoint folder, or the file itself.

    Raises:
        DataError: there is none.
    """
    from rewardbot.training.checkpoint import newest
    from rewardbot.training.generations import numbered

    for folder in (path.expanduser(), path.expanduser() / "checkpoint"):
        if numbered(folder):  # the newest that is whole
            return newest(folder) / POLICY_PLACES[1]
    for place in POLICY_PLACES:
        candidate = path.expanduser() / place
        if candidate.is_file():
            return candidate
    raise DataError(f"There is no policy in {path}.", valid="Name a run folder, a checkpoint folder or a policy.safetensors.",
                    next_step="rewardbot demo or rewardbot train makes one.")


def record(policy_path: Path, video: Path, *, actor: str, seed: int, episodes: int) -> int:
    """Writes a video of some evaluation episodes; returns the number of frames."""
    from rewardbot.policies.base import DeployedPolicy
    from rewardbot.robots.mujoco import MujocoRobot
    from rewardbot.robots.robot import load_contract
    from rewardbot.training.streams import STREAMS, start_seed
    from rewardbot.training.video import side_by_side, write_video

    policy = DeployedPolicy(policy_path.read_bytes())
    robot = MujocoRobot(policy.task, load_contract(str(policy.description["robot"])))

    def frames() -> Any:
        for episode in range(episodes):
            observation = robot.reset(start_seed(STREAMS * seed + 2, episode))
            yield side_by_side(observation.images)
            for _ in range(robot.task.horizon):
                robot.send(policy.act(observation, actor=actor))
                observation = robot.read()
                yield side_by_side(observation.images)

    try:
        return write_video(video, frames(), fps=robot.contract.control_hz)
    finally:
        robot.close()


def up(graph: str, arguments: Sequence[str]) -> None:
    """`rewardbot up`: starts a graph with `name:=value` arguments and keeps it until Ctrl-C.

    Raises:
        ConfigError: unknown graph or argument.
        MissingSystemLibrary: the graph has cameras to draw, and nothing can be drawn here.
        NodeDied: a node ended.
    """
    from rewardbot.ros.graph import Value, load_graph
    from rewardbot.ros.supervisor import up as start

    if any(node.name == "sim_node" for node in load_graph(graph).nodes):
        from rewardbot.robots.rendering import check_rendering

        check_rendering()
    given: dict[str, Value] = {}
    for argument in arguments:
        name, separator, value = argument.partition(":=")
        if not separator or not name:
            raise ConfigError(f"'{argument}' is not an argument of a graph.", valid="Arguments have the form name:=value.",
                              next_step="rewardbot list names the arguments of each graph.")
        given[name] = value
    start(graph, given)


def show_names() -> None:
    """`rewardbot list`."""
    from rewardbot.robots.tasks import load_task, task_names
    from rewardbot.ros.graph import GRAPHS

    graphs = [(name, f"{graph.help}; {' '.join(f'{a.name}:={a.default}' for a in graph.arguments)}")
              for name, graph in GRAPHS.items()]
    sections = {
        "Tasks (--task)": [(name, load_task(name).goal) for name in task_names()],
        "Robots (--robot)": [(name, f"config/robots/{name}.yaml") for name in names_in("robots")],
        "Reward algorithms (--reward)": _described("reward"),
        "Policy algorithms (--policy)": _described("policy"),
        "Node graphs (rewardbot up NAME name:=value ...)": graphs,
        "Comparisons (rewardbot bench NAME)": _described("bench"),
    }
    console = Console(highlight=False)
    for title, rows in sections.items():
        console.print(f"\n[bold]{title}[/]")
        table = Table(show_header=False, box=None, padding=(0, 2))
        for name, text in rows or [("(none)", "")]:
            table.add_row(name, text)
        console.print(table)


def bench(name: str, options: BenchOptions) -> None:
    """`rewardbot bench`.

    Raises:
        RewardbotError: unknown comparison, or whatever it says.
    """
    run_bench(name, options)


def doctor(options: DoctorOptions) -> int:
    """`rewardbot doctor`. Returns the number of problems.

    Raises:
        ConfigError: a check that does not exist.
        StorageError: the JSON file cannot be written; that shows before the checks begin.
    """
    from rewardbot.doctor import finding
    from rewardbot.doctor.run import examine

    path = Path(options.json).expanduser() if options.json else None
    if path is not None:
        try_out(path)
    console = Console()
    with console.status("") as status:
        found = examine(options, progress=lambda name: status.update(f"looking at {name}"))
    console.print(finding.table(found))
    for line in finding.mends(found):
        console.print(line, soft_wrap=True, markup=False)
    if path is not None:
        write_atomic(path, json.dumps(finding.to_mapping(found), indent=2, allow_nan=False) + "\n")
        console.print(f"Written to {path}", soft_wrap=True)
    return finding.problems(found)


def _described(kind: registry.Kind) -> list[tuple[str, str]]:
    return [(name, registry.describe(kind, name)) for name in registry.names(kind)]


def _usable_demonstrations(folder: Path, options: JobOptions, contract: Any) -> list[Path]:
    """The bags of the folder's successful demonstrations, all read once, so that a broken one shows now."""
    from rewardbot.data.episodes import list_episodes, read_demonstrations

    if not folder.is_dir():
        raise DataError(f"There is no folder {folder}.", next_step="--demonstrations names a folder of recorded episodes.")
    used = {episode.info.id for episode in read_demonstrations(folder, contract, options.task)}
    bags = [path for path in list_episodes(folder) if path.name in used]
    if len(bags) < 2:
        raise DataError(f"{folder} holds {len(bags)} successful demonstrations of '{options.task}'.",
                        valid="At least 2 are needed, 30 are good.")
    return bags
