"""Frozen dataclass <-> YAML. Every configuration of rewardbot is one; wrong keys, types and ranges are refused by name.

The files under `config/` are ROS parameter files (`/**: ros__parameters: ...`), so that a node reads the very file that
the command line reads.
"""

from __future__ import annotations

import dataclasses
import os
import sys
import types
import typing
from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path
from string import Formatter
from typing import Any, TypeVar

import yaml

from rewardbot.errors import ConfigError, unknown_name

C = TypeVar("C")


def setting(default: Any, help: str, *, min: float | None = None, max: float | None = None) -> Any:
    """A dataclass field with help text and an inclusive range. Lists and dicts are not settings; use tuples.

    Args:
        default: default value; its field annotation is the type that is enforced.
        help: one line with the unit.
        min: smallest valid number.
        max: largest valid number.
    """
    return dataclasses.field(default=default, metadata={"help": help, "min": min, "max": max})


def share_path(relative: str) -> Path:
    """A file or folder of ours (`config/...`, `sim/...`, `launch/...`), from a checkout or from any kind of install.

    Looks in the source tree, then in `$prefix/share/rewardbot` of this environment, then in each prefix of
    AMENT_PREFIX_PATH, so that a ROS 2 install and a plain virtual environment both work.

    Raises:
        ConfigError: when it is in none of them; lists the places.
    """
    prefixes = [Path(sys.prefix), *(Path(p) for p in os.environ.get("AMENT_PREFIX_PATH", "").split(os.pathsep) if p)]
    roots = [Path(__file__).resolve().parent.parent, *(prefix / "share" / "rewardbot" for prefix in prefixes)]
    for root in roots:
        if (root / relative).exists():
            return root / relative
    places = ", ".join(str(root) for root in roots)
    raise ConfigError(f"rewardbot's file '{relative}' was not found.", valid=f"Looked in: {places}.",
                      next_step="Reinstall rewardbot: make venv, or colcon build.")


def user_path(path: str | Path) -> Path:
    """A path as a person writes it: `~` is the own home folder, `~name` that of another.

    Raises:
        ConfigError: nobody knows that home folder.
    """
    try:
        return Path(path).expanduser()
    except RuntimeError:
        raise ConfigError(f"There is no home folder for '{path}'.", next_step="Name the path from / on.") from None


def from_mapping(cls: type[C], values: Mapping[str, Any], *, where: str = "") -> C:
    """Builds the frozen dataclass `cls` from plain values; nested dataclasses from nested mappings.

    Raises:
        ConfigError: unknown key (suggests the nearest), wrong type or value out of range.
    """
    if not isinstance(values, Mapping):
        raise _wrong_type(where or cls.__name__, values, "a group of settings")
    hints = _hints(cls)
    built: dict[str, Any] = {}
    for key, value in values.items():
        name = f"{where}.{key}" if where else str(key)
        if key not in hints:
            error = unknown_name(f"setting of {cls.__name__}", str(key), hints)
            raise ConfigError(f"{where or cls.__name__}: {error.what}", valid=error.valid, next_step=error.next_step)
        built[key] = _convert(hints[key], value, name)
    for spec in dataclasses.fields(cls):  # type: ignore[arg-type]
        if spec.name in built:
            _check_range(spec, built[spec.name], f"{where}.{spec.name}" if where else spec.name)
    try:
        return cls(**built)
    except TypeError as error:
        raise ConfigError(f"{where or cls.__name__}: {error}.") from None


def overlaid(default: C, changes: Mapping[str, Any], *, where: str = "") -> C:
    """`default` with `changes` on top, as a file has them; groups of settings are merged.

    Raises:
        ConfigError: see `from_mapping`.
    """
    if not isinstance(changes, Mapping):
        raise _wrong_type(where or type(default).__name__, changes, "a group of settings")
    return from_mapping(type(default), merge(to_mapping(default), changes), where=where)


def to_mapping(config: Any) -> dict[str, Any]:
    """The inverse of `from_mapping`: plain values that YAML and JSON take, tuples as lists."""

    def plain(value: Any) -> Any:
        if isinstance(value, Mapping):
            return {key: plain(item) for key, item in value.items()}
        return [plain(item) for item in value] if isinstance(value, (tuple, list)) else value

    return plain(dataclasses.asdict(config))


def read_yaml(path: Path) -> dict[str, Any]:
    """Reads a YAML file and unwraps `/**: ros__parameters:` (or `<node>: ros__parameters:`) if it is there.

    Raises:
        ConfigError: missing file, invalid YAML (with line), or a document that is not a mapping.
    """
    document = _read_mapping(path)
    if len(document) == 1:
        (inner,) = document.values()
        if isinstance(inner, dict) and set(inner) == {"ros__parameters"}:
            return _mapping(inner["ros__parameters"], path)
    return document


def check_parameter_file(path: Path) -> None:
    """Refuses settings that `read_yaml` takes, but that no node does: those without `/**: ros__parameters:` around them.

    Raises:
        ConfigError: see `read_yaml`, and that.
    """
    def of_nodes(value: Any) -> bool:
        return isinstance(value, dict) and ("ros__parameters" in value or any(map(of_nodes, value.values())))

    bare = [str(key) for key, value in _read_mapping(path).items() if not of_nodes(value)]
    if bare:
        raise ConfigError(f"{path} is no ROS parameter file: it does not say for which nodes {bare[0]} is.",
                          valid="A node reads what stands, indented, below 'ros__parameters:', and that, indented, below '/**:'.",
                          next_step="Put these two lines above your settings, as in the files of config/tasks.")


def _read_mapping(path: Path) -> dict[str, Any]:
    try:
        return _mapping(yaml.safe_load(path.read_text(encoding="utf-8")), path)
    except OSError as error:
        raise ConfigError(f"Cannot read {path}: {error.strerror}.") from None
    except (yaml.YAMLError, ValueError) as error:  # the latter: not text at all, or a date that there never was
        raise ConfigError(f"{path} is not valid YAML: {' '.join(str(error).split())}") from None


def _mapping(document: Any, path: Path) -> dict[str, Any]:
    document = {} if document is None else document
    if not isinstance(document, dict):
        raise ConfigError(f"{path} holds a {type(document).__name__}.", valid="It must hold settings as 'key: value'.")
    return document


def load(cls: type[C], path: Path | None = None) -> C:
    """`cls` from a YAML file, or its defaults."""
    return from_mapping(cls, read_yaml(path) if path is not None else {}, where=str(path.name) if path else "")


def merge(values: Mapping[str, Any], changes: Mapping[str, Any]) -> dict[str, Any]:
    """`values` with `changes` on top; groups of settings are merged, everything else is replaced."""
    merged = dict(values)
    for key, change in changes.items():
        before = merged.get(key)
        merged[key] = merge(before, change) if isinstance(before, Mapping) and isinstance(change, Mapping) else change
    return merged


def settings_files(patterns: Sequence[str], names: Mapping[str, Any]) -> list[Path]:
    """The files that `patterns` stand for, in their order.

    Args:
        patterns: "config/tasks/{task}.yaml" is a file of ours; "{config}" alone is a path of the user's. A pattern with a
            name that is empty is left out.
        names: what stands for the names in braces.

    Raises:
        ConfigError: there is no such file.
    """
    found: list[Path] = []
    for pattern in patterns:
        if any(names[field] == "" for _, field, _, _ in Formatter().parse(pattern) if field):
            continue
        name = pattern.format(**names)
        if not pattern.startswith("{"):
            found.append(share_path(name))
        elif (path := user_path(name)).is_file():
            found.append(path.resolve())
        else:
            raise ConfigError(f"Cannot read {name}: there is no such file.")
    return found


def names_in(folder: str) -> list[str]:
    """Names of the YAML files in `config/<folder>`."""
    return sorted(path.stem for path in share_path(f"config/{folder}").glob("*.yaml"))


@cache
def _hints(cls: type) -> dict[str, Any]:
    return typing.get_type_hints(cls)


def _check_range(spec: dataclasses.Field[Any], value: Any, name: str) -> None:
    low, high = spec.metadata.get("min"), spec.metadata.get("max")
    for number in value if isinstance(value, tuple) else (value,):
        if not isinstance(number, (int, float)) or isinstance(number, bool):
            continue
        # `not (a <= b)` also refuses NaN.
        if (low is not None and not number >= low) or (high is not None and not number <= high):
            bounds = f"{'' if low is None else f'at least {low}'}{' and ' if None not in (low, high) else ''}"
            bounds += "" if high is None else f"at most {high}"
            raise ConfigError(f"{name} is {number}.", valid=f"It must be {bounds}: {spec.metadata.get('help', '')}")


def _convert(hint: Any, value: Any, name: str) -> Any:
    origin, arguments = typing.get_origin(hint), typing.get_args(hint)
    if hint is Any:
        return value
    if dataclasses.is_dataclass(hint):
        if not isinstance(value, Mapping):
            raise _wrong_type(name, value, "a group of settings")
        return from_mapping(typing.cast(type, hint), value, where=name)
    if origin in (typing.Union, types.UnionType):
        if value is None and type(None) in arguments:
            return None
        return _convert(next(a for a in arguments if a is not type(None)), value, name)
    if origin is typing.Literal:
        if value not in arguments:
            error = unknown_name(name, str(value), map(str, arguments))
            raise ConfigError(f"{name} is '{value}'.", valid=error.valid, next_step=error.next_step)
        return value
    if origin is tuple:
        if not isinstance(value, (list, tuple)):
            raise _wrong_type(name, value, "a list")
        if len(arguments) == 2 and arguments[1] is ...:
            return tuple(_convert(arguments[0], item, f"{name}[{i}]") for i, item in enumerate(value))
        if len(value) != len(arguments):
            raise ConfigError(f"{name} holds {len(value)} values.", valid=f"It must hold {len(arguments)}.")
        return tuple(_convert(a, item, f"{name}[{i}]") for i, (a, item) in enumerate(zip(arguments, value, strict=True)))
    if origin in (dict, Mapping) or (isinstance(origin, type) and issubclass(origin, Mapping)):
        if not isinstance(value, Mapping):
            raise _wrong_type(name, value, "a group of settings")
        return {key: _convert(arguments[1], item, f"{name}.{key}") for key, item in value.items()}
    if hint is float and isinstance(value, int) and not isinstance(value, bool):
        return float(value)
    if not isinstance(value, hint) or (hint is not bool and isinstance(value, bool)):
        raise _wrong_type(name, value, {"float": "a number", "int": "a whole number", "bool": "true or false",
                                        "str": "text"}.get(hint.__name__, hint.__name__))
    return value


def _wrong_type(name: str, value: Any, expected: str) -> ConfigError:
    return ConfigError(f"{name} is {value!r} ({type(value).__name__}).", valid=f"It must be {expected}.")
