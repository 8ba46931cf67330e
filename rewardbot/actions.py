"""Commands that have actions, such as `rewardbot bags list`: their table, their command lines and their help."""

from __future__ import annotations

import sys
from argparse import Namespace
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from rewardbot.arguments import Parser, add_options, parse
from rewardbot.errors import unknown_name


@dataclass(frozen=True)
class NoOptions:
    """An action with places only."""


@dataclass(frozen=True)
class Action:
    """An action of a command.

    Attributes:
        help: one line.
        run: gets the places and the options; true is exit code 1.
        places: positional arguments as (name, how many, what), as argparse has them.
        options: dataclass of the others.
    """

    help: str
    run: Callable[[Namespace, Any], bool | None]
    places: tuple[tuple[str, str | None, str], ...]
    options: type = NoOptions


def run(command: str, actions: Mapping[str, Action], parser: Parser, argv: Sequence[str]) -> bool:
    """Runs `rewardbot COMMAND ACTION ...`; whether something was found that needs mending.

    Raises:
        RewardbotError: whatever the user can mend.
    """
    if not argv or argv[0] in ("-h", "--help"):
        print(_usage(parser, actions))
        sys.exit(0)
    if argv[0] not in actions:
        raise unknown_name(f"action of {command}", argv[0], actions)
    action = actions[argv[0]]
    options, places = parse(_parser(parser, argv[0], action), action.options, argv[1:])
    return bool(action.run(places, options))


def _parser(command: Parser, name: str, action: Action) -> Parser:
    parser = Parser(prog=f"{command.prog} {name}", description=action.help, allow_abbrev=False)
    for place, count, what in action.places:
        parser.add_argument(place, metavar=place.upper(), nargs=count, help=what)
    add_options(parser, action.options)
    return parser


def _usage(command: Parser, actions: Mapping[str, Action]) -> str:
    lines = []
    for name, action in actions.items():
        usage = _parser(command, name, action).format_usage().removeprefix("usage: ")
        lines += [" ".join(usage.split()).replace(" [-h]", ""), f"    {action.help}", ""]
    return "\n".join([f"{command.prog}: {command.description}", "", *lines, f"{command.prog} ACTION --help shows more of an action."])
