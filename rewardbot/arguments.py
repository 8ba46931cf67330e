"""Command lines from frozen dataclasses: each field is an option, its metadata the help, the type and the range.

Whatever is wrong becomes a ConfigError that lists what is valid and suggests the nearest, like in a YAML file.
"""

from __future__ import annotations

import argparse
import dataclasses
import difflib
import inspect
import sys
import typing
from collections.abc import Callable, Sequence
from typing import Any, NoReturn, TypeVar

from rewardbot.config import from_mapping
from rewardbot.errors import ConfigError, RewardbotError

C = TypeVar("C")


class Parser(argparse.ArgumentParser):
    """argparse whose errors are ConfigErrors."""

    def error(self, message: str) -> NoReturn:
        """See `argparse`."""
        raise ConfigError(f"{message[:1].upper()}{message[1:]}.", next_step=f"{self.prog} --help shows how it is used.")


def add_options(parser: argparse.ArgumentParser, cls: type[Any]) -> None:
    """Adds an option `--name` for every field of the dataclass."""
    hints = typing.get_type_hints(cls)
    for spec in dataclasses.fields(cls):
        option, hint = _option(spec.name), hints[spec.name]
        text = str(spec.metadata.get("help", "")).replace("%", "%%")
        if hint is bool:
            # `--x` and `--no-x`, so that a default of True can be turned off.
            parser.add_argument(option, action=argparse.BooleanOptionalAction, dest=spec.name, default=argparse.SUPPRESS,
                                help=text + (" (default: yes)" if spec.default is True else ""))
            continue
        shown = spec.default if spec.default not in ("", None, ()) else None
        if isinstance(shown, tuple):
            shown = ",".join(map(str, shown))
        parser.add_argument(option, dest=spec.name, default=argparse.SUPPRESS, metavar=_metavar(hint),
                            help=text + (f" (default: {shown})" if shown is not None else ""))


def parse(parser: argparse.ArgumentParser, cls: type[C], argv: Sequence[str]) -> tuple[C, argparse.Namespace]:
    """Parses `argv` with a parser that `add_options` prepared; returns the dataclass and everything else that was parsed.

    Raises:
        ConfigError: unknown option (suggests the nearest), wrong type, value out of range.
    """
    found, unknown = parser.parse_known_args(list(argv))
    if unknown:
        raise unknown_argument(parser, unknown[0])
    hints = typing.get_type_hints(cls)
    values = {spec.name: _value(hints[spec.name], getattr(found, spec.name), _option(spec.name))
              for spec in dataclasses.fields(cls) if hasattr(found, spec.name)}  # type: ignore[arg-type]
    try:
        return from_mapping(cls, values), found
    except ConfigError as error:
        for name in values:  # say it in the words of the command line
            if error.what.startswith(f"{name} ") or error.what.startswith(f"{name}["):
                what = f"{_option(name)}{error.what[len(name):]}"
                raise ConfigError(what, valid=error.valid, next_step=error.next_step) from None
        raise


def call(main: Callable[..., object], argv: Sequence[str] | None = None) -> None:
    """Runs a small program: `main`'s arguments, text or whole numbers with defaults, are words of the command line in their order.

    `--help` tells them. What is wrong is told on standard error, and the program ends with exit code 2.
    """
    parser = Parser(description=main.__doc__)
    hints = typing.get_type_hints(main)
    for name, of in inspect.signature(main).parameters.items():
        parser.add_argument(name, nargs="?", type=hints[name], default=of.default,
                            help=f"default: {of.default}" if of.default != "" else None)
    try:
        main(**vars(parser.parse_args(argv)))
    except (RewardbotError, OSError) as error:
        print(f"{parser.prog}: {error}", file=sys.stderr)
        sys.exit(2)


def unknown_argument(parser: argparse.ArgumentParser, argument: str) -> ConfigError:
    """The error for an option or value that a command does not take."""
    if not argument.startswith("-"):
        return ConfigError(f"{parser.prog} does not take '{argument}'.", next_step=f"{parser.prog} --help shows how it is used.")
    name = argument.partition("=")[0]
    options = sorted(option for action in parser._actions for option in action.option_strings if option.startswith("--"))
    nearest = difflib.get_close_matches(name, options, n=1)
    return ConfigError(f"{parser.prog} has no option {name}.", valid=f"Valid: {', '.join(options)}.",
                       next_step=f"Did you mean {nearest[0]}?" if nearest else "")


def _option(name: str) -> str:
    return f"--{name.replace('_', '-')}"


def _metavar(hint: Any) -> str:
    if typing.get_origin(hint) is tuple:
        return f"{_metavar(typing.get_args(hint)[0])},..."
    return {int: "N", float: "X", str: "TEXT"}.get(hint, "TEXT")


def _value(hint: Any, given: Any, option: str) -> Any:
    """The text of an option as the type of its field; what `from_mapping` checks anyway is left to it."""
    if not isinstance(given, str):
        return given
    if typing.get_origin(hint) is tuple:
        kind = typing.get_args(hint)[0]
        return tuple(_value(kind, part, option) for part in given.split(",") if part)
    if hint in (int, float):
        try:
            return hint(given)
        except ValueError:
            raise ConfigError(f"{option} is '{given}'.",
                              valid=f"It must be {'a whole number' if hint is int else 'a number'}.") from None
    return given
