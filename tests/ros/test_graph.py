"""The graph as data, and that `ros2 launch` and `rewardbot up` start the same."""

from __future__ import annotations

import json
import runpy
import sys
import types
from pathlib import Path
from typing import Any

import pytest

from rewardbot.config import share_path
from rewardbot.errors import ConfigError
from rewardbot.robots.start_states import demonstration_stream
from rewardbot.ros.graph import GRAPHS, NodeStart, links, load_graph, resolve
from rewardbot.ros.recorder_node import RecorderSettings


class Recorded:
    """Stands in for any launch action: remembers what it was given."""

    def __init__(self, *arguments: Any, **options: Any) -> None:
        self.arguments, self.options = arguments, options


class LaunchDescription(Recorded):
    pass


class DeclareLaunchArgument(Recorded):
    pass


class OpaqueFunction(Recorded):
    pass


class Shutdown(Recorded):
    pass


class LogInfo(Recorded):
    pass


class Node(Recorded):
    pass


@pytest.fixture
def launch(monkeypatch: pytest.MonkeyPatch) -> None:
    """The names that our launch files import."""
    for name, members in {
        "launch": [LaunchDescription], "launch.actions": [DeclareLaunchArgument, LogInfo, OpaqueFunction, Shutdown],
        "launch_ros": [], "launch_ros.actions": [Node]}.items():
        module = types.ModuleType(name)
        for member in members:
            setattr(module, member.__name__, member)
        monkeypatch.setitem(sys.modules, name, module)


def launched(graph: str, given: dict[str, str]) -> list[Node]:
    """The Node actions of `ros2 launch rewardbot <graph>.launch.py name:=value ...`."""
    found = runpy.run_path(str(share_path(f"launch/{graph}.launch.py")))
    (entities,) = found["generate_launch_description"]().arguments
    configurations: dict[str, str] = {}
    actions: list[Node] = []
    for entity in entities:
        if isinstance(entity, DeclareLaunchArgument):
            configurations[entity.arguments[0]] = given.get(entity.arguments[0], entity.options["default_value"])
        else:
            actions += entity.options["function"](types.SimpleNamespace(launch_configurations=configurations))
    assert set(given) <= set(configurations)
    return actions


def as_launch_ros_would(node: Node) -> dict[str, Any]:
    """What launch_ros hands to the process."""
    options = node.options
    return {"executable": options["executable"], "name": f"__node:={options['name']}", "namespace": f"__ns:={options['namespace']}",
            "files": [item for item in options["parameters"] if isinstance(item, str)],
            "parameters": {name: value for item in options["parameters"] if isinstance(item, dict) for name, value in item.items()},
            "remappings": [f"{source}:={target}" for source, target in options["remappings"]],
            "restarts": options.get("respawn", False) or isinstance(after(node, -9), Node)}


def after(node: Node, code: int, *, shutdown: bool = False) -> Any:
    """What becomes of the launch when a node has ended, perhaps in a shutdown that is under way."""
    return node.options["on_exit"](types.SimpleNamespace(returncode=code), types.SimpleNamespace(is_shutdown=shutdown))


def as_supervisor_does(start: NodeStart) -> dict[str, Any]:
    """What the command line of `rewardbot up` says."""
    arguments = start.ros_arguments()
    assert arguments[0] == "--ros-args"
    pairs = list(zip(arguments[1::2], arguments[2::2], strict=True))
    rules = [value for flag, value in pairs if flag == "-r"]
    parameters = dict(value.split(":=", 1) for flag, value in pairs if flag == "-p")
    return {"executable": start.module.rsplit(".", 1)[1], "name": rules[0], "namespace": rules[1],
            "files": [value for flag, value in pairs if flag == "--params-file"],
            "parameters": {name: json.loads(value) for name, value in parameters.items()},
            "remappings": rules[2:], "restarts": start.restart == "on-failure"}


@pytest.mark.parametrize("graph", sorted(GRAPHS))
@pytest.mark.parametrize("given", [
    {}, {"task": "reach", "seed": "4", "learn": "false", "run_folder": "/tmp/a b", "namespace": "cell", "window": "false"}])
def test_both_starters_start_the_same(launch: None, graph: str, given: dict[str, str]) -> None:
    given = {name: value for name, value in given.items() if name in [argument.name for argument in GRAPHS[graph].arguments]}
    ours = [as_supervisor_does(start) for start in resolve(load_graph(graph), given)]
    theirs = [as_launch_ros_would(node) for node in launched(graph, given)]
    assert ours == theirs


def test_a_launched_node_that_the_user_must_mend_ends_the_launch_and_one_that_crashed_does_not(launch: None) -> None:
    for node in launched("sim", {}):
        assert isinstance(after(node, 2), Shutdown) and isinstance(after(node, 0), Shutdown)
        assert after(node, -9) is None and after(node, 1) is None
        assert after(node, 0, shutdown=True) is None, "one shutdown is announced, not one for each node"
    starters = [{node.options["additional_env"]["REWARDBOT_STARTER"] for node in launched("sim", {})} for _ in range(2)]
    assert len(starters[0]) == 1 and starters[0] != starters[1], "one for all nodes of a launch, another in the next"


def test_a_launched_window_that_is_closed_leaves_the_others_and_says_how_it_comes_back(launch: None) -> None:
    nodes = {node.options["name"]: node for node in launched("preferences", {"teacher": "human", "annotator": "ann"})}
    window = nodes["preference_window"]
    closed = after(window, 0)
    assert isinstance(closed, LogInfo) and "preference_window --ros-args" in closed.options["msg"]
    assert 'annotator:="ann"' in closed.options["msg"]
    assert isinstance(after(window, 2), Shutdown), "a mistake in the command"
    assert after(window, 0, shutdown=True) is None, "it is not to be opened again"
    for _ in range(5):
        window = after(window, 1)
        assert isinstance(window, Node) and window.options["parameters"] == nodes["preference_window"].options["parameters"]
        assert isinstance(after(window, 2), LogInfo), "it was there, and has lost its screen"
    assert isinstance(after(window, 1), LogInfo), "there is no end to it"


def test_every_graph_has_a_launch_file_and_every_node_a_module() -> None:
    for graph in GRAPHS.values():
        assert share_path(f"launch/{graph.name}.launch.py").exists()
        for node in graph.nodes:
            assert share_path(f"rewardbot/{node.room}/{node.name}.py").read_text().count("def main() -> None:") == 1


def test_arguments_reach_the_nodes(tmp_path: Path) -> None:
    config = tmp_path / "mine.yaml"
    config.write_text("{}")
    nodes = {start.name: start for start in resolve(load_graph("sim"), {
        "task": "push", "seed": 3, "operator_noise": "0.1", "config": str(config)})}
    assert nodes["sim_node"].parameters["task"] == nodes["learner_node"].parameters["task"] == "push"
    assert nodes["sim_node"].parameters["operator_noise"] == 0.1
    # By hand everything starts from the demonstrations' stream of a seed, nothing from one that any seed is evaluated on.
    assert nodes["learner_node"].parameters["seed"] == 3 and nodes["sim_node"].parameters["seed"] == demonstration_stream(3)
    ours = [str(share_path(f"config/{name}.yaml")) for name in ("tasks/push", "policies/rlpd")]
    assert nodes["learner_node"].parameter_files == (*ours, str(config))
    assert nodes["policy_node"].namespace == "/rewardbot"


def test_a_condition_leaves_nodes_out() -> None:
    names = [start.name for start in resolve(load_graph("sim"), {"learn": False})]
    assert names == ["sim_node", "recorder_node", "policy_node"]
    given = {"practise": "true", "demonstrations": 5, "run_folder": "here"}
    nodes = {start.name: start for start in resolve(load_graph("sim"), given)}
    assert nodes["practice_node"].parameters == {"run_folder": "here", "demonstrations": 5}
    assert len(nodes) == 6 and "practice_node" not in [start.name for start in resolve(load_graph("sim"), {})]


@pytest.mark.parametrize(("given", "words"), [
    ({"tusk": "lift"}, "no argument of graph 'sim' named 'tusk'"),
    ({"seed": "many"}, "seed is 'many'"),
    ({"seed": "-1"}, "seed is -1(.|\n)*at least 0: seed of start states"),
    ({"lockstep": "perhaps"}, "lockstep is 'perhaps'"),
    ({"robot": "sim_arn"}, "no robot named 'sim_arn'"),
    ({"task": "lfit"}, "no task named 'lfit'"),
    ({"reward": "vise"}, "no reward named 'vise'"),
    ({"config": "nowhere.yaml"}, "nowhere.yaml"),
    *(({"namespace": name}, f"namespace is '{name}'(.|\n)*no digit first") for name in ("a b", "1", "a/2", "a//b", "zelle-ä")),
])
def test_wrong_arguments_are_refused(given: dict[str, str], words: str) -> None:
    with pytest.raises(ConfigError, match=words):
        resolve(load_graph("sim"), given)


def test_a_strategy_for_questions_that_does_not_exist_is_refused() -> None:
    with pytest.raises(ConfigError, match=r"no strategy named 'entropie'(.|\n)*Did you mean 'entropy'"):
        resolve(load_graph("preferences"), {"strategy": "entropie"})


@pytest.mark.parametrize(("given", "namespace"), [("", "/"), ("/", "/"), ("cell", "/cell"), ("/cell/left_2/", "/cell/left_2")])
def test_namespaces(given: str, namespace: str) -> None:
    assert {start.namespace for start in resolve(load_graph("sim"), {"namespace": given})} == {namespace}


def test_a_person_drives_with_or_without_the_window_and_the_simulated_cell() -> None:
    nodes = {start.name: start for start in resolve(load_graph("teleop"), {})}
    assert nodes["teleop_window"].module == "rewardbot.gui.teleop_window" and nodes["teleop_node"].terminal
    assert nodes["policy_node"].parameters["mode"] == "teleoperate" and nodes["sim_node"].parameters["lockstep"] is False
    names = [start.name for start in resolve(load_graph("teleop"), {"device": "gamepad", "window": "false", "sim": "false"})]
    assert names == ["recorder_node", "teleop_node", "policy_node"]
    with pytest.raises(ConfigError, match=r"(?s)no device named 'gampad'.*Did you mean 'gamepad'"):
        resolve(load_graph("teleop"), {"device": "gampad"})


def test_how_demonstrations_are_recorded_can_be_said_where_the_graph_is_started() -> None:
    given = {"pre_roll_s": "0.5", "images": "jpeg", "jpeg_quality": "80", "least_free_gb": "2", "path": "/dev/input/js1"}
    nodes = {start.name: start.parameters for start in resolve(load_graph("teleop"), given)}
    recorder = RecorderSettings(run_folder="runs/up", pre_roll_s=0.5, images="jpeg", jpeg_quality=80, least_free_gb=2.0)
    assert {name: value for name, value in nodes["recorder_node"].items() if name != "record"} == vars(recorder)
    assert {name: nodes["teleop_node"][name] for name in ("device", "path")} == {"device": "window", "path": "/dev/input/js1"}
    unasked = {start.name: start.parameters for start in resolve(load_graph("teleop"), {})}["recorder_node"]
    assert {name: value for name, value in unasked.items() if name != "record"} == vars(RecorderSettings())


@pytest.mark.parametrize(("pictures", "names"), [
    ("camera", ["camera_node", "goal_window"]), ("sim", ["sim_node", "goal_window", "policy_node"]), ("topics", ["goal_window"])])
def test_pictures_of_a_goal_come_from_somewhere(pictures: str, names: list[str]) -> None:
    assert [start.name for start in resolve(load_graph("goal"), {"pictures": pictures, "robot": "sim_arm"})] == names


def test_an_unknown_graph_lists_the_valid_ones() -> None:
    with pytest.raises(ConfigError, match=r"Valid: .*sim"):
        load_graph("simm")


def test_only_the_job_may_hear_true_success() -> None:
    for graph in GRAPHS.values():
        for node in graph.nodes:
            assert not any(topic.startswith("evaluation/") for topic in node.subscribes), node.name


def test_links_are_those_that_each_pair_of_nodes_has() -> None:
    found = links(resolve(load_graph("sim"), {}), asker="job", listens=("episode", "metrics"))
    # Its two commands to sim_node, whose observations it hears; `episode` to sim, recorder, learner and the asker; its metrics.
    assert found["policy_node"]["job"] == 2 and found["policy_node"]["recorder_node"] >= 1
    assert found["sim_node"]["policy_node"] == found["policy_node"]["sim_node"] > 3
    # Two cameras, the weights, and its own metrics.
    assert found["classifier_node"]["sim_node"] == 2 and found["classifier_node"]["job"] == 1
    assert found["classifier_node"]["learner_node"] >= 1 and "job" not in found
