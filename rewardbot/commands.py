"""What the subcommands do. Heavy imports (torch, MuJoCo, rclpy) happen inside, so that `--help` and mistakes answer at once."""

from __future__ import annotations

import contextlib
import dataclasses
import json
import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from rich.console import Console
from rich.table import Column, Table

from rewardbot import registry
from rewardbot.config import from_mapping, names_in, user_path
from rewardbot.doctor.finding import DoctorOptions
from rewardbot.errors import ConfigError, DataError
from rewardbot.measured import NOT_MEASURED
from rewardbot.training.bench import BenchOptions, run_bench
from rewardbot.training.combinations import check_cameras
from rewardbot.training.files import StorageError, storing, try_out, write_atomic
from rewardbot.training.options import IMITATORS, EvalOptions, ImageOptions, JobOptions, LabelOptions
from rewardbot.training.run import RunFolder, naming_the_way_on
from rewardbot.training.state_options import StateOptions
from rewardbot.training.summary import Summary, result_table

TORCHRUN = "TORCHELASTIC_RUN_ID"
"""In the environment of processes that torchrun started."""

VIDEO_EPISODES = 5
FILMED = ".mp4"
POLICY_PLACES = ("", "policy.safetensors", "checkpoint/policy.safetensors")


@dataclass(frozen=True)
class Resume:
    """A run to go on with, and the options that were named beside it."""

    run: str
    given: dict[str, Any]


def demo(options: JobOptions, resume: Resume | None = None) -> None:
    """`rewardbot demo`, or `rewardbot demo --resume RUN`.

    Raises:
        RewardbotError: see `training.preparing.prepare`, `resuming.reopen` and `ros.job.run_demo`.
    """
    from rewardbot.ros.environment import require_ros

    require_ros()
    from rewardbot.ros.job import DemoOptions, refuse_company, run_demo

    if (begun := _begin(options, resume, "demo", refuse_company)) is None:
        return
    options, run = begun
    from rewardbot.training.preparing import learner_config

    asked = DemoOptions(
        task=options.task, robot=options.robot, seed=options.seed, demos=options.demos, play=options.play,
        episodes=options.episodes,
        learn_s=60.0 * (options.minutes or learner_config(options).minutes), operator_noise=options.noise,
        operator_hesitation=options.hesitation, config=options.config, resume=resume is not None)
    with run, naming_the_way_on(run, "demo"):
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
        RewardbotError: see `training.preparing.prepare`, `resuming.reopen` and `training.job.train`; or what torchrun cannot do.
    """
    check_cameras(options.reward, options.policy)
    if TORCHRUN in os.environ:
        _train_together(options, resume)
    elif (begun := _begin(options, resume, "train")) is not None:
        try:
            with naming_the_way_on(begun[1], "train"):
                done = _train(*begun, resume=resume is not None)
        except KeyboardInterrupt:
            raise KeyboardInterrupt(f"Stopped. To go on with it:\n  rewardbot train --resume {begun[1].path}") from None
        conclude(*done)


def train_from_states(options: StateOptions, given: Mapping[str, Any], resume: str | None) -> None:
    """`rewardbot train --env NAME`, or `rewardbot train --resume RUN` of such a run.

    Args:
        options: see `StateOptions`.
        given: those that were named, and their values.
        resume: the run to go on with.

    Raises:
        RewardbotError: see `training.state_job.prepare` and `reopen`, or what learning says.
    """
    from rewardbot.training.state_job import prepare, reopen, train
    from rewardbot.training.state_summary import return_table

    if resume is None:
        options, config, run = prepare(options, given)
    else:
        path = user_path(resume).resolve()
        options, config, run = reopen(path, {name: value for name, value in given.items() if name != "run_dir"})
    with run:
        summary = train(options, config, run)
    Console().print(return_table(f"{options.env}, {options.reward}", summary.returns, summary.successes))
    answers = f", {summary.answers} answers" if summary.answers else ""
    print(f"{summary.steps} steps{answers}; {summary.total_s:.0f} s.")
    names = ("summary.json", "curves.png", "policy.safetensors", "shield.safetensors", "ledger.sqlite", "reward.safetensors",
             "card/card.md")
    files = [name for name in names if (run.path / name).exists()]
    print(f"{run.path}: {', '.join(files)}")


def _train(options: JobOptions, run: RunFolder, *, resume: bool) -> tuple[RunFolder, Summary]:
    if options.policy in IMITATORS:
        from rewardbot.training.imitation_job import train as train_here
    else:
        from rewardbot.training.job import train as train_here
    with run:
        return run, train_here(options, run, resume=resume)


def _train_together(options: JobOptions, resume: Resume | None) -> None:
    """As one of the processes that torchrun started. The first one leaves behind and says what a single one would."""
    if options.policy in IMITATORS:
        raise ConfigError(f"'{options.policy}' learns in one process.", valid="Several processes together learn with --policy rlpd.",
                          next_step="Leave torchrun out.")
    if resume is not None or options.compare:
        raise ConfigError("Several processes can neither go on with a run nor compare.",
                          next_step="Leave torchrun out, or --resume and --compare.")
    from rewardbot.nets import parallel
    from rewardbot.training.preparing import prepare

    with parallel.group() as rank:
        if rank == 0:
            conclude(*_train(*prepare(options, "train"), resume=False))
            return
        with TemporaryDirectory() as folder, Path(os.devnull).open("w") as nowhere, contextlib.redirect_stdout(nowhere):
            options = dataclasses.replace(options, run_dir=folder, episodes=1, compare=False)
            _train(*prepare(options, "train"), resume=False)


def _begin(
    options: JobOptions, resume: Resume | None, command: str, last_check: Callable[[], None] = lambda: None
) -> tuple[JobOptions, RunFolder] | None:
    """A new run, or the one to go on with; None when that is over, which is then shown."""
    if resume is None:
        from rewardbot.training.preparing import prepare

        return prepare(options, command, last_check)
    from rewardbot.training.resuming import finished, reopen

    path = user_path(resume.run).resolve()
    if (summary := finished(path, resume.given)) is None:
        return reopen(path, resume.given, command)
    Console().print(result_table(summary.success, summary.episodes))
    print(f"The run {path} is finished: there is nothing to go on with. rewardbot eval {path} evaluates its policy anew.")
    return None


def _compare(options: JobOptions, run: RunFolder) -> dict[str, float]:
    """True success of the other rewards, from the same demonstrations, behaviour cloning and number of steps."""
    from rewardbot.data.demonstrations import read_demonstrations
    from rewardbot.robots.mujoco import MujocoRobot
    from rewardbot.robots.robot import load_contract
    from rewardbot.training.compare import ARMS, compare
    from rewardbot.training.learner import Learner
    from rewardbot.training.preparing import learner_config
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
    console.print(summary.took())
    files = ", ".join(name for name in ("summary.json", "curves.png", "video.mp4") if (run.path / name).exists())
    console.print(f"{run.path}: {files}", soft_wrap=True, highlight=False)


def evaluate(name: str, options: EvalOptions) -> None:
    """`rewardbot eval`.

    Raises:
        DataError: no policy there, a damaged one, or one of another task or camera size.
        ConfigError: unknown actor, or a film that is none.
        StorageError: a file that cannot be written.
    """
    path = find_policy(Path(name))
    from rewardbot.training.state_policy import is_state_policy

    if is_state_policy(data := path.read_bytes()):
        _evaluate_from_states(path, data, options)
        return
    from rewardbot.policies.base import DeployedPolicy
    from rewardbot.robots.mujoco import MujocoRobot
    from rewardbot.robots.robot import load_contract
    from rewardbot.robots.start_states import evaluation_stream
    from rewardbot.training.evaluate import evaluate as judge
    from rewardbot.training.view import bar

    if options.demos:
        raise ConfigError(f"{path} acts on camera images: its episodes are recorded by a graph, not with --demos.",
                          next_step="rewardbot up sim record:=all records bags.")
    film = user_path(options.video) if options.video else None
    if film is not None and (film.suffix != FILMED or film.is_dir()):
        raise ConfigError(f"--video is '{options.video}'.", valid=f"A file name that ends in {FILMED}.")
    policy = DeployedPolicy(data)
    if options.task and options.task != policy.task:
        from rewardbot.robots.tasks import load_task

        load_task(options.task)
        raise DataError(f"{path} was trained for task '{policy.task}', not for '{options.task}'.",
                        next_step="Leave --task out, or name another run.")
    robot = MujocoRobot(policy.task, load_contract(policy.robot))
    try:
        called = policy.learner if options.actor == "rl" else options.actor
        with bar(f"rewardbot eval: {policy.task}, {called}", "evaluation") as report:
            result = judge(robot, policy, actor=options.actor, episodes=options.episodes,
                           stream=evaluation_stream(options.seed), progress=report)
    finally:
        robot.close()
    print(f"{policy.task}: {path}")  # not as the table's title, which is folded at the table's width
    Console().print(result_table({called: result.rate}, result.episodes))
    if film is not None:
        frames = record(path, film, actor=options.actor, seed=options.seed, episodes=VIDEO_EPISODES)
        print(f"{options.video}: {frames} frames")


def _evaluate_from_states(path: Path, data: bytes, options: EvalOptions) -> None:
    from rewardbot.training.safety import guarded
    from rewardbot.training.state_job import judge_policy, successes
    from rewardbot.training.state_loop import make_env
    from rewardbot.training.state_policy import StatePolicy
    from rewardbot.training.state_summary import return_table

    name = StatePolicy(data).env
    if options.task or options.video or options.actor != EvalOptions.actor:
        raise ConfigError(f"{path} acts on state vectors of {name}: it has no other task or actor, and no video.",
                          next_step="Leave --task, --actor and --video out.")
    out = user_path(options.demos) if options.demos else None
    if out is not None:
        try_out(out)
    env = guarded(make_env(name), path.parent)
    try:
        if out is None:
            found = judge_policy(data, env, options.seed, options.episodes)
            returns, held = [one.total for one in found], successes(found)
        else:
            from rewardbot.training.state_loop import start_seeds
            from rewardbot.training.visiting import demonstrate

            shown = demonstrate(env, StatePolicy(data).act, start_seeds(options.seed, options.episodes))
            returns, held = shown.returns, ()
            write_atomic(out, shown.to_bytes())
    finally:
        env.close()
    Console().print(return_table(f"{name}: {path}", returns, held))
    if options.demos:
        print(f"{options.demos}: {options.episodes} demonstrations")


def find_policy(path: Path) -> Path:
    """The policy file of a run folder, a checkpoint folder, or the file itself.

    Raises:
        DataError: there is none.
    """
    from rewardbot.training.checkpoint import newest
    from rewardbot.training.generations import numbered

    for folder in (user_path(path), user_path(path) / "checkpoint"):
        if numbered(folder):  # the newest that is whole
            return newest(folder) / POLICY_PLACES[1]
    for place in POLICY_PLACES:
        candidate = user_path(path) / place
        if candidate.is_file():
            return candidate
    raise DataError(f"There is no policy in {path}.", valid="Name a run folder, a checkpoint folder or a policy.safetensors.",
                    next_step="rewardbot demo or rewardbot train makes one.")


def record(policy_path: Path, video: Path, *, actor: str, seed: int, episodes: int) -> int:
    """Writes a video of some evaluation episodes; returns the number of frames."""
    from rewardbot.policies.base import DeployedPolicy
    from rewardbot.robots.mujoco import MujocoRobot
    from rewardbot.robots.robot import load_contract
    from rewardbot.robots.start_states import evaluation_stream, start_seed
    from rewardbot.training.video import side_by_side, write_video

    policy = DeployedPolicy(policy_path.read_bytes())
    robot = MujocoRobot(policy.task, load_contract(policy.robot))

    def frames() -> Any:
        for episode in range(episodes):
            observation = robot.reset(start_seed(evaluation_stream(seed), episode))
            yield side_by_side(observation.images)
            for _ in range(robot.task.horizon):
                robot.send(policy.act(observation, actor=actor))
                observation = robot.read()
                yield side_by_side(observation.images)

    try:
        return write_video(video, frames(), fps=robot.contract.control_hz)
    finally:
        robot.close()


def success_images(folder: str, options: ImageOptions) -> None:
    """`rewardbot success-images`.

    Raises:
        ConfigError: unknown task or robot.
        MissingSystemLibrary: nothing can be drawn here.
        StorageError: the folder holds something, or cannot be written.
    """
    from rewardbot.data.success_images import write_success_images
    from rewardbot.robots.mujoco import MujocoRobot
    from rewardbot.robots.rendering import check_rendering
    from rewardbot.robots.robot import load_contract
    from rewardbot.training.collect import picture_success
    from rewardbot.training.view import bar

    path = user_path(folder)
    if path.is_dir() and any(path.iterdir()):
        raise StorageError(f"{path} is not empty.", next_step="Name a new folder.")
    check_rendering()
    robot = MujocoRobot(options.task, load_contract(options.robot))
    try:
        with storing(path):  # what is in the way shows before the pictures are taken
            path.mkdir(parents=True, exist_ok=True)
        with bar(f"rewardbot success-images: {options.task}", "pictures") as report:
            images = picture_success(robot, options.count, seed=options.seed, progress=report)
    finally:
        robot.close()
    with storing(path):
        write_success_images(path, images)
    print(f"{path}: {options.count} moments, {', '.join(images)}")


def label_goal(folder: str, options: LabelOptions) -> None:
    """`rewardbot label-goal`: the graph `goal` until its window is closed.

    Raises:
        RewardbotError: as `up`; or a folder, a robot or a source that cannot be used.
    """
    robot = options.robot or ("webcam" if options.pictures == "camera" else "sim_arm")
    arguments = {"folder": str(user_path(folder)), "robot": robot, "pictures": options.pictures, "source": options.source,
                 "rate": options.rate, "task": options.task, "look": options.look}
    up("goal", [f"{name}:={value}" for name, value in arguments.items()])


def up(graph: str, arguments: Sequence[str]) -> None:
    """`rewardbot up`: starts a graph with `name:=value` arguments and keeps it until Ctrl-C.

    Raises:
        ConfigError: unknown graph or argument.
        MissingSystemLibrary: the graph has cameras to draw, and nothing can be drawn here.
        StorageError: the run folder cannot be made.
        NodeDied: a node ended.
    """
    from rewardbot.ros.graph import Value, load_graph, resolve
    from rewardbot.ros.supervisor import up as start

    given: dict[str, Value] = {}
    for argument in arguments:
        name, separator, value = argument.partition(":=")
        if not separator or not name:
            raise ConfigError(f"'{argument}' is not an argument of a graph.", valid="Arguments have the form name:=value.",
                              next_step="rewardbot list names the arguments of each graph.")
        given[name] = value
    nodes = resolve(load_graph(graph), given)
    if any(node.name == "sim_node" for node in nodes):
        from rewardbot.robots.rendering import check_rendering

        check_rendering()
    if any(node.room == "gui" for node in nodes):
        from rewardbot.gui.screen import check_screen

        check_screen()
    for folder in {user_path(str(node.parameters["run_folder"])) for node in nodes if "run_folder" in node.parameters}:
        with storing(folder, "another folder with run_folder:="):  # otherwise the first episode would tell
            folder.mkdir(parents=True, exist_ok=True)
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
        "Reward algorithms (--reward)": _systems("reward"),
        "Policy algorithms (--policy)": _systems("policy"),
        "Without a reward (--reward self_play), and safety (--unsafe)": _systems("training"),
        "Tabular algorithms (rewardbot.tabular)": _systems("tabular"),
        "Node graphs (rewardbot up NAME name:=value ...)": graphs,
        "Comparisons (rewardbot bench NAME)": _described("bench"),
        "Formats (rewardbot bags export|import NAME)": _described("exchange"),
    }
    console = Console(highlight=False)
    for title, rows in sections.items():
        console.print(f"\n[bold]{title}[/]")
        table = Table("", Column(overflow="fold"), show_header=False, box=None, padding=(0, 2))
        for row in rows or [("(none)", "")]:
            table.add_row(*row)
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

    path = user_path(options.json) if options.json else None
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


def _systems(kind: registry.Kind) -> list[tuple[str, str]]:
    """Name and what is known of it: what it is, and below that its paper, the feedback that it consumes, its tests and its result."""
    rows: list[tuple[str, str]] = []
    for system in (registry.system(kind, name) for name in registry.names(kind)):
        facts = [system.paper, f"learns from {system.consumes}" if system.consumes else "", system.tests,
                 f"measured: {system.measured}" if system.measured != NOT_MEASURED else NOT_MEASURED]
        rows.append((system.name, f"{system.what}\n[dim]{'; '.join(filter(None, facts))}[/]"))
    return rows


def _described(kind: registry.Kind) -> list[tuple[str, str]]:
    return [(name, registry.describe(kind, name)) for name in registry.names(kind)]
