"""Frozen dataclass <-> ROS parameters, on a real node."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Literal

import pytest
import rclpy
from rcl_interfaces.msg import ParameterType
from rclpy.context import Context
from rclpy.node import Node

from rewardbot.config import setting, to_mapping
from rewardbot.errors import ConfigError
from rewardbot.ros import params
from rewardbot.training.learner_config import LearnerConfig

pytestmark = pytest.mark.ros


@dataclass(frozen=True)
class Inner:
    rate: float = setting(0.5, "a rate [Hz]", min=0.0, max=10.0)
    names: tuple[str, ...] = setting(("a", "b"), "some names")
    none: tuple[float, ...] = setting((), "an empty list")


@dataclass(frozen=True)
class Outer:
    count: int = setting(3, "how many", min=1)
    kind: Literal["one", "two"] = setting("one", "which")
    on: bool = setting(True, "whether")
    inner: Inner = setting(Inner(), "a group")


@pytest.fixture
def make(domain: int, tmp_path: Any) -> Iterator[Any]:
    """Makes a node with parameters given by the text of a parameter file."""
    made: list[tuple[Context, Node]] = []

    def node(text: str = "", *arguments: str) -> Node:
        path = tmp_path / f"{len(made)}.yaml"
        path.write_text(text or "{}")
        files = ["--params-file", str(path)] if text else []
        context = Context()
        rclpy.init(args=["x", "--ros-args", *files, *arguments], context=context, domain_id=domain)
        made.append((context, Node("somebody", context=context, automatically_declare_parameters_from_overrides=True)))
        return made[-1][1]

    yield node
    for context, item in made:
        item.destroy_node()
        rclpy.try_shutdown(context=context)


def test_values_from_a_file_and_the_command_line_become_the_dataclass(make: Any) -> None:
    node = make("/**:\n  ros__parameters:\n    count: 5\n    inner: {rate: 2, names: [x], none: [1.5]}\n", "-p", 'kind:="two"')
    given = params.take_overrides(node)
    config = params.declare(node, Outer, given)
    assert config == Outer(count=5, kind="two", inner=Inner(rate=2.0, names=("x",), none=(1.5,)))
    assert isinstance(config.inner.rate, float), "a whole number is a number"
    assert node.get_parameter("inner.rate").value == 2.0
    params.refuse_unknown(node, given)


def test_a_parameter_describes_itself_and_is_read_only(make: Any) -> None:
    node = make()
    params.declare(node, Outer, params.take_overrides(node), prefix="learner")
    rate, count = node.describe_parameter("learner.inner.rate"), node.describe_parameter("learner.count")
    assert (rate.description, rate.read_only, rate.type) == ("a rate [Hz]", True, ParameterType.PARAMETER_DOUBLE)
    assert (rate.floating_point_range[0].from_value, rate.floating_point_range[0].to_value) == (0.0, 10.0)
    assert count.integer_range[0].from_value == 1
    assert not node.set_parameters([rclpy.parameter.Parameter("learner.count", value=4)])[0].successful


@pytest.mark.parametrize(("text", "words"), [
    ("count: 0", "count is 0"),
    ("count: many", "count is 'many'"),
    ("kind: three", "kind is 'three'"),
    ("inner: {rate: .nan}", "inner.rate is nan"),
    ("inner: {rate: true}", "inner.rate is True"),
])
def test_wrong_values_are_refused_by_name(make: Any, text: str, words: str) -> None:
    node = make(f"/**:\n  ros__parameters:\n    {text}\n")
    with pytest.raises(ConfigError, match=words.replace("(", r"\(")):
        params.declare(node, Outer, params.take_overrides(node))


def test_a_spelling_mistake_is_refused_and_mended(make: Any) -> None:
    node = make("/**:\n  ros__parameters:\n    inner: {rat: 1.0}\n")
    given = params.take_overrides(node)
    params.declare(node, Outer, given)
    with pytest.raises(ConfigError, match=r"inner\.rat") as caught:
        params.refuse_unknown(node, given)
    assert caught.value.next_step == "Did you mean 'inner.rate'?"


def test_live_parameters_are_checked_and_rebuilt(make: Any) -> None:
    node = make()
    config = params.declare_live(node, Inner, params.take_overrides(node))
    assert params.rebuild(config, {"rate": 3, "of_another": "x"}) == Inner(rate=3.0)
    with pytest.raises(ConfigError, match="rate is 11"):
        params.rebuild(config, {"rate": 11.0})


def test_the_learners_settings_survive_the_way_through_ros(make: Any) -> None:
    node = make()
    config = params.declare(node, LearnerConfig, params.take_overrides(node))
    assert config == LearnerConfig()
    declared = {name: node.get_parameter(name).value for name in params.names(LearnerConfig)}
    assert len(declared) > 20 and declared["rlpd.batch"] == to_mapping(LearnerConfig())["rlpd"]["batch"]
