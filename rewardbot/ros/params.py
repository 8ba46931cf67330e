"""Frozen dataclass <-> ROS parameters. Values are checked by `rewardbot.config`, so a node and the command line refuse alike.

Every field becomes a read-only parameter with the field's help as description and its range; nested dataclasses become
dotted names. `ros2 param describe` shows all of it.
"""

from __future__ import annotations

import dataclasses
import math
import typing
from collections.abc import Mapping
from typing import Any, TypeVar

from rcl_interfaces.msg import FloatingPointRange, IntegerRange, ParameterDescriptor, SetParametersResult
from rclpy.node import Node
from rclpy.parameter import Parameter

from rewardbot.config import from_mapping, to_mapping
from rewardbot.errors import ConfigError, unknown_name

C = TypeVar("C")
_OF_ROS = ("use_sim_time", "start_type_description_service")
_LARGEST_INTEGER = 2**63 - 1


def take_overrides(node: Node) -> dict[str, Any]:
    """Removes the parameters that were given from outside from `node` and returns them, by dotted name.

    The node must have been made with `automatically_declare_parameters_from_overrides`; ROS's own parameters stay.
    """
    given = {name: parameter.value for name, parameter in node.get_parameters_by_prefix("").items()}
    given = {name: value for name, value in given.items() if name not in _OF_ROS and not name.startswith("qos_overrides.")}
    for name in given:
        node.undeclare_parameter(name)
    return given


def declare(node: Node, cls: type[C], given: Mapping[str, Any], *, prefix: str = "", defaults: C | None = None) -> C:
    """Declares the fields of the frozen dataclass `cls` as read-only parameters and builds it from their values.

    Args:
        node: the node that gets the parameters.
        cls: a dataclass of `rewardbot.config.setting` fields.
        given: values from outside by dotted name, see `take_overrides`; names outside `cls` are not looked at.
        prefix: "learner" makes `learner.batch` of `batch`.
        defaults: values to use where none is given, the class's own if None.

    Raises:
        ConfigError: wrong type or value out of range.
    """
    values = to_mapping(defaults) if defaults is not None else {}
    for name, value in _within(given, names(cls, prefix), prefix).items():
        _put(values, name.split("."), value)
    config = from_mapping(cls, values, where=prefix)
    for name, value, spec in _flat(config, prefix):
        # The default of rclpy would be to look at the overrides again; they have just been checked and converted.
        node.declare_parameter(name, value, describe(value, spec, read_only=True), ignore_override=True)
    return config


def declare_live(node: Node, cls: type[C], given: Mapping[str, Any]) -> C:
    """As `declare`, but the parameters may be set while the node runs: what is wrong is refused, `rebuild` reads a change."""
    config = from_mapping(cls, _within(given, names(cls, ""), ""))
    for name, value, spec in _flat(config, ""):
        node.declare_parameter(name, value, describe(value, spec, read_only=False), ignore_override=True)

    def check(changes: list[Parameter[Any]]) -> SetParametersResult:
        try:
            rebuild(config, {change.name: change.value for change in changes})
        except ConfigError as error:
            return SetParametersResult(successful=False, reason=str(error))
        return SetParametersResult(successful=True)

    node.add_on_set_parameters_callback(check)
    return config


def rebuild(config: C, changes: Mapping[str, Any]) -> C:
    """A copy of the flat dataclass `config` with `changes`; names of other parameters are ignored.

    Raises:
        ConfigError: wrong type or value out of range.
    """
    cls = type(config)
    known = {spec.name for spec in dataclasses.fields(cls)}  # type: ignore[arg-type]
    return from_mapping(cls, {**to_mapping(config), **{name: value for name, value in changes.items() if name in known}})


def refuse_unknown(node: Node, given: Mapping[str, Any]) -> None:
    """Refuses values from outside that no declared parameter took.

    Raises:
        ConfigError: names the parameter and suggests the nearest.
    """
    for name in given:
        if not node.has_parameter(name):
            valid = [known for known in node.list_parameters([], 0).names if known not in _OF_ROS]
            raise unknown_name(f"parameter of {node.get_name()}", name, valid)


def names(cls: type, prefix: str = "") -> list[str]:
    """Dotted parameter names of the dataclass `cls`."""
    found: list[str] = []
    hints = typing.get_type_hints(cls)
    for spec in dataclasses.fields(cls):
        name = f"{prefix}.{spec.name}" if prefix else spec.name
        nested = hints[spec.name]
        found += names(nested, name) if dataclasses.is_dataclass(nested) else [name]  # type: ignore[arg-type]
    return found


def describe(value: Any, spec: dataclasses.Field[Any], *, read_only: bool) -> ParameterDescriptor:
    """The ROS description of one field: help, range, read-only."""
    descriptor = ParameterDescriptor(description=str(spec.metadata.get("help") or ""), read_only=read_only)
    low, high = spec.metadata.get("min"), spec.metadata.get("max")
    first = value[0] if isinstance(value, list) and value else value
    descriptor.dynamic_typing = isinstance(value, list) and not value  # an empty list tells no type
    if (low is None and high is None) or isinstance(first, (bool, str)):
        return descriptor
    if isinstance(first, int):
        descriptor.integer_range = [IntegerRange(
            from_value=-_LARGEST_INTEGER if low is None else int(low),
            to_value=_LARGEST_INTEGER if high is None else int(high), step=0)]
    else:
        descriptor.floating_point_range = [FloatingPointRange(
            from_value=-math.inf if low is None else float(low),
            to_value=math.inf if high is None else float(high), step=0.0)]
    return descriptor


def _within(given: Mapping[str, Any], known: list[str], prefix: str) -> dict[str, Any]:
    cut = len(prefix) + 1 if prefix else 0
    return {name[cut:]: value for name, value in given.items() if name in known}


def _put(values: dict[str, Any], path: list[str], value: Any) -> None:
    for key in path[:-1]:
        values = values.setdefault(key, {})
    values[path[-1]] = value


def _flat(config: Any, prefix: str) -> list[tuple[str, Any, dataclasses.Field[Any]]]:
    found: list[tuple[str, Any, dataclasses.Field[Any]]] = []
    for spec in dataclasses.fields(config):
        name, value = f"{prefix}.{spec.name}" if prefix else spec.name, getattr(config, spec.name)
        if dataclasses.is_dataclass(value):
            found += _flat(value, name)
            continue
        if value is None or isinstance(value, Mapping):
            raise ConfigError(f"{name} cannot be a ROS parameter.", valid="Numbers, text, true or false, lists of them, groups.")
        found.append((name, list(value) if isinstance(value, tuple) else value, spec))
    return found
