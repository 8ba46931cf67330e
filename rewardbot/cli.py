"""The `rewardbot` command. Errors are shown without a traceback: what happened, what is valid, what to do; exit code 2."""

from __future__ import annotations

import atexit
import contextlib
import errno
import gc
import os
import signal
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from types import FrameType
from typing import NoReturn

import rewardbot
from rewardbot import bag_commands, commands, label_commands, ledger_commands, reward_commands
from rewardbot.actions import NoOptions
from rewardbot.arguments import Parser, add_options, parse
from rewardbot.config import user_path
from rewardbot.doctor.finding import DoctorOptions
from rewardbot.errors import RewardbotError, unknown_name
from rewardbot.training.bench import BenchOptions
from rewardbot.training.combinations import knows_no_cameras
from rewardbot.training.options import EvalOptions, ImageOptions, JobOptions, LabelOptions
from rewardbot.training.run import LATEST
from rewardbot.training.state_options import StateOptions, is_state_run

PROBLEMS, INTERRUPTED = 1, 130


@dataclass(frozen=True)
class Command:
    """A subcommand.

    Attributes:
        help: one line.
        run: gets its arguments, and the parser to fill.
    """

    help: str
    run: Callable[[Parser, Sequence[str]], None]


def _demo(parser: Parser, argv: Sequence[str]) -> None:
    commands.demo(*_job(parser, argv))


def _train(parser: Parser, argv: Sequence[str]) -> None:
    peek = Parser(add_help=False, allow_abbrev=False)
    peek.add_argument("--resume", nargs="?", const="")
    for option in ("--run-dir", "--task", "--reward", "--policy", "--demos"):
        peek.add_argument(option, default="")
    seen = vars(peek.parse_known_args(list(argv))[0])
    again = seen["resume"] is not None and (seen["resume"] or f"{seen['run_dir'] or JobOptions.run_dir}/{LATEST}")
    named = any(argument.partition("=")[0] in ("--env", "--state") for argument in argv)
    named = named or (bool(seen["task"] or seen["demos"]) and knows_no_cameras(seen["reward"], seen["policy"]))
    if named or (again and is_state_run(user_path(again))):
        _train_from_states(parser, argv)
        return
    parser.epilog = "From state vectors and preferences: rewardbot train --env NAME --help"
    commands.train(*_job(parser, argv))


def _train_from_states(parser: Parser, argv: Sequence[str]) -> None:
    parser.description = "learns from the state vectors of a gymnasium environment, with a learned reward"
    parser.add_argument("--resume", nargs="?", const="", metavar="RUN",
                        help="go on with a run that was stopped or killed, with its own options (default: the newest)")
    add_options(parser, StateOptions)
    options, rest = parse(parser, StateOptions, argv)
    given = {name: getattr(options, name) for name in vars(rest) if hasattr(options, name)}
    resume = None if rest.resume is None else rest.resume or f"{options.run_dir}/{LATEST}"
    if options.task and not options.env and "state" not in given:
        options = replace(options, state=True)
        print(f"{options.task} from the arm's true state: over cameras {options.reward} and {options.policy} do not go together.")
    commands.train_from_states(options, given, resume)


def _job(parser: Parser, argv: Sequence[str]) -> tuple[JobOptions, commands.Resume | None]:
    parser.add_argument("--resume", nargs="?", const="", metavar="RUN",
                        help="go on with a run that was stopped or killed, with its own options (default: the newest)")
    add_options(parser, JobOptions)
    options, rest = parse(parser, JobOptions, argv)
    if rest.resume is None:
        return options, None
    given = {name: getattr(options, name) for name in vars(rest) if hasattr(options, name) and name != "run_dir"}
    return options, commands.Resume(rest.resume or f"{options.run_dir}/{LATEST}", given)


def _eval(parser: Parser, argv: Sequence[str]) -> None:
    parser.add_argument("policy", nargs="?", default="runs/latest", metavar="RUN_OR_CHECKPOINT",
                        help="run folder, checkpoint folder or policy file (default: runs/latest)")
    add_options(parser, EvalOptions)
    options, rest = parse(parser, EvalOptions, argv)
    commands.evaluate(rest.policy, options)


def _up(parser: Parser, argv: Sequence[str]) -> None:
    parser.add_argument("graph", metavar="GRAPH", help="name of a node graph, see `rewardbot list`")
    parser.add_argument("arguments", nargs="*", default=[], metavar="name:=value", help="its arguments, as for `ros2 launch`")
    found, unknown = parser.parse_known_args(list(argv))
    commands.up(found.graph, [*found.arguments, *unknown])


def _success_images(parser: Parser, argv: Sequence[str]) -> None:
    parser.add_argument("folder", metavar="DIR", help="a new or empty folder")
    add_options(parser, ImageOptions)
    options, rest = parse(parser, ImageOptions, argv)
    commands.success_images(rest.folder, options)


def _label_goal(parser: Parser, argv: Sequence[str]) -> None:
    parser.add_argument("folder", metavar="DIR", help="folder of the pictures, new or not")
    add_options(parser, LabelOptions)
    options, rest = parse(parser, LabelOptions, argv)
    commands.label_goal(rest.folder, options)


def _label(parser: Parser, argv: Sequence[str]) -> None:
    parser.add_argument("bags", metavar="BAGS", help="folder of recorded episodes, or one of them")
    add_options(parser, label_commands.LabelBagsOptions)
    options, rest = parse(parser, label_commands.LabelBagsOptions, argv)
    label_commands.label(rest.bags, options)


def _list(parser: Parser, argv: Sequence[str]) -> None:
    parse(parser, NoOptions, argv)
    commands.show_names()


def _bench(parser: Parser, argv: Sequence[str]) -> None:
    parser.add_argument("name", metavar="NAME", help="name of a comparison, see `rewardbot list`")
    add_options(parser, BenchOptions)
    options, rest = parse(parser, BenchOptions, argv)
    commands.bench(rest.name, options)


def _doctor(parser: Parser, argv: Sequence[str]) -> None:
    add_options(parser, DoctorOptions)
    if commands.doctor(parse(parser, DoctorOptions, argv)[0]):
        sys.exit(PROBLEMS)


def _bags(parser: Parser, argv: Sequence[str]) -> None:
    if bag_commands.run(parser, argv):
        sys.exit(PROBLEMS)


def _ledger(parser: Parser, argv: Sequence[str]) -> None:
    ledger_commands.run(parser, argv)


def _reward(parser: Parser, argv: Sequence[str]) -> None:
    if reward_commands.run(parser, argv):
        sys.exit(PROBLEMS)


COMMANDS = {
    "demo": Command("the main job over ROS 2: demonstrate, learn the reward, learn to earn it, evaluate", _demo),
    "train": Command("the same in one process, without ROS", _train),
    "eval": Command("true success of a saved policy over fresh episodes", _eval),
    "success-images": Command("pictures of a task's goal from the simulator, for --success-images", _success_images),
    "label": Command("which of two clips of recorded episodes is better: a person, a simulated teacher or a model says it", _label),
    "label-goal": Command("a window in which two keys make pictures of a goal and a classifier of it", _label_goal),
    "bags": Command("look at recorded episodes, mend, cut, merge and delete them, and exchange them with other formats", _bags),
    "ledger": Command("look at what annotators answered, export it, undo or amend an answer, withdraw an annotator's", _ledger),
    "reward": Command("make a reward of a ledger, test what it must prefer, and write its card", _reward),
    "up": Command("start a graph of ROS 2 nodes and keep it running", _up),
    "list": Command("names of tasks, algorithms, robots, graphs and comparisons", _list),
    "doctor": Command("what of this machine works, what does not, and how to mend it; exit code 1 if there is a problem", _doctor),
    "bench": Command("a comparison with a table and a JSON file", _bench),
}


def usage() -> str:
    """The text of `rewardbot --help`."""
    width = max(map(len, COMMANDS))
    lines = [f"  {name:<{width}}  {command.help}" for name, command in COMMANDS.items()]
    return "\n".join([(rewardbot.__doc__ or "").strip(), "", "usage: rewardbot COMMAND [options]", "", *lines, "",
                      "rewardbot COMMAND --help shows the options of a command."])


def run(argv: Sequence[str]) -> None:
    """Runs one command line, without the program's name.

    Raises:
        RewardbotError: whatever the user can mend.
    """
    if not argv or argv[0] in ("-h", "--help", "help"):
        print(usage())
        return
    if argv[0] in ("-V", "--version"):
        print(f"rewardbot {rewardbot.__version__}")
        return
    if argv[0] not in COMMANDS:
        raise unknown_name("command", argv[0], COMMANDS)
    command = COMMANDS[argv[0]]
    command.run(Parser(prog=f"rewardbot {argv[0]}", description=command.help, allow_abbrev=False), argv[1:])


def main() -> NoReturn:
    """The console script."""
    atexit.register(gc.freeze)  # or Python, as it ends, looks through all that torch is made of, again and again: 0.4 s
    for number in (signal.SIGTERM, signal.SIGHUP):
        if signal.getsignal(number) is signal.SIG_DFL:  # not after nohup
            signal.signal(number, _leave)
    if sys.stdout is None:  # `rewardbot list >&-`
        sys.stdout = Path(os.devnull).open("w")  # noqa: SIM115
    try:
        run(sys.argv[1:])
        sys.stdout.flush()
    except RewardbotError as error:
        print("\n  ".join((f"rewardbot: {error}", *getattr(error, "__notes__", ()))), file=sys.stderr)
        sys.exit(error.exit_code)
    except KeyboardInterrupt as stopped:
        if str(stopped):
            print(f"rewardbot: {stopped}", file=sys.stderr)
        sys.exit(INTERRUPTED)
    except BrokenPipeError:  # `rewardbot list | head`
        _say_no_more()
        sys.exit(1)
    except OSError as error:
        if error.errno != errno.ENOSPC:
            raise
        print(f"rewardbot: Cannot write {error.filename or 'what should be printed'}: {error.strerror}.", file=sys.stderr)
        _say_no_more()
        sys.exit(RewardbotError.exit_code)
    sys.exit(0)


def _say_no_more() -> None:
    """What is still to be printed would fail once more when Python ends."""
    with contextlib.suppress(OSError):
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _leave(number: int, frame: FrameType | None) -> None:
    """Python would end on the spot, and what was started go on without us. A second signal does not wait."""
    signal.signal(number, signal.SIG_DFL)
    sys.exit(128 + number)
