"""The node graphs as plain data: one truth for `rewardbot up`, `rewardbot demo` and the launch files. No rclpy, no launch here."""

from __future__ import annotations

import json
import re
import shlex
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, get_args

from rewardbot.config import check_parameter_file, names_in, settings_files, user_path
from rewardbot.errors import ConfigError, unknown_name
from rewardbot.feedback.queries import SCORES
from rewardbot.robots.hand import HESITATION, NOISE
from rewardbot.robots.robot import load_contract
from rewardbot.robots.start_states import STREAMS
from rewardbot.teleop.devices import HELP as DEVICE_HELP
from rewardbot.teleop.devices import DeviceName
from rewardbot.teleop.driving import Frame
from rewardbot.training.options import PICTURES_HELP, SETTINGS_FILES, Pictures, TeacherName

Value = bool | int | float | str
Restart = Literal["never", "on-failure"]
Room = Literal["ros", "gui"]


@dataclass(frozen=True)
class Argument:
    """An argument of a graph. The default's type is the type that is enforced.

    Attributes:
        choices: the valid values, or a folder of `config/` whose file names are those beside the default, or empty.
        least: the smallest valid number, if a node would not say it in the words of the argument.
    """

    name: str
    default: Value
    help: str
    choices: str | tuple[str, ...] = ""
    least: int | None = None


@dataclass(frozen=True)
class From:
    """Stands for the value of an argument, a whole number that is multiplied if `times` is given."""

    argument: str
    times: int = 1

    def of(self, values: Mapping[str, Value]) -> Value:
        """The value, when those of all arguments are known."""
        value = values[self.argument]
        return value if self.times == 1 else int(value) * self.times


@dataclass(frozen=True)
class NodeSpec:
    """One node of a graph.

    Attributes:
        name: node name, and the executable: `python -m rewardbot.<room>.<name>`, `ros2 run rewardbot <name>`.
        parameters: parameter name -> value.
        parameter_files: YAML files, with `{argument}` to be filled in; see `config.settings_files`. A later one wins.
        remappings: from -> to.
        publishes: its topics, relative; `camera/*` stands for every camera of the robot.
        subscribes: likewise.
        condition: the Boolean argument that must be true, `argument=value`, both separated by a comma, or empty.
        restart: what to do when it dies with an exit code other than 0 and 2 (2 is a mistake of the user's).
        room: where it lives; one of `gui` is a window, and when a person closes that, the graph ends.
        leaves: it is a window of which there may be none or several: when it is closed, the graph goes on; others may join.
        terminal: it may read from the terminal in which `rewardbot up` runs.
    """

    name: str
    parameters: Mapping[str, Value | From] = field(default_factory=dict)
    parameter_files: tuple[str, ...] = ()
    remappings: Mapping[str, str] = field(default_factory=dict)
    publishes: tuple[str, ...] = ()
    subscribes: tuple[str, ...] = ()
    condition: str = ""
    restart: Restart = "on-failure"
    room: Room = "ros"
    leaves: bool = False
    terminal: bool = False


@dataclass(frozen=True)
class Graph:
    """Nodes in the order of their start. The last one is who commands the robot; it is stopped before the others."""

    name: str
    help: str
    arguments: tuple[Argument, ...]
    nodes: tuple[NodeSpec, ...]


@dataclass(frozen=True)
class NodeStart:
    """A node with everything filled in: what both starters start."""

    name: str
    namespace: str
    parameters: Mapping[str, Value]
    parameter_files: tuple[str, ...]
    remappings: Mapping[str, str]
    publishes: tuple[str, ...]
    subscribes: tuple[str, ...]
    restart: Restart
    room: Room = "ros"
    leaves: bool = False
    terminal: bool = False

    @property
    def module(self) -> str:
        """The Python module that is the node."""
        return f"rewardbot.{self.room}.{self.name}"

    @property
    def command(self) -> str:
        """What a person types to start it."""
        return shlex.join([self.name, *self.ros_arguments()])

    def ros_arguments(self) -> list[str]:
        """The arguments `--ros-args ...`."""
        arguments = ["--ros-args", "-r", f"__node:={self.name}", "-r", f"__ns:={self.namespace}"]
        for path in self.parameter_files:
            arguments += ["--params-file", path]
        for name, value in self.parameters.items():
            arguments += ["-p", f"{name}:={json.dumps(value)}"]  # JSON is YAML, and keeps the text "1" a text
        for source, target in self.remappings.items():
            arguments += ["-r", f"{source}:={target}"]
        return arguments


NAMESPACE = Argument("namespace", "rewardbot", "namespace of all names")
ROBOT = Argument("robot", "sim_arm", "robot contract", choices="robots")
LOOK = Argument("look", "system", "colours of the window", choices=("system", "dark", "light"))

OBSERVATION = ("joint_states", "tool_pose", "camera/*/image_raw")
ACTIONS = ("requested_action", "applied_action")
COMMANDS = ("servo_node/delta_twist_cmds", "gripper_controller/commands")
TELEOP = ("teleop/delta_twist_cmds", "teleop/gripper", "operator/success")
WEIGHTS = ("weights/policy", "weights/classifier")

LINGER = 80
"""Control periods of an episode in which somebody labels what he sees: long enough at the goal to hold a key."""

OPERATOR = (
    Argument("operator_noise", NOISE, "tremor of the simulated operator's hand, share of a full action"),
    Argument("operator_hesitation", HESITATION, "mean time for which that hand hesitates before it closes or opens [s]"),
)

OPERATOR_PARAMETERS = {argument.name: From(argument.name) for argument in OPERATOR}

SIM = Graph(
    name="sim",
    help="the simulated cell with recorder, classifier, learner and policy",
    arguments=(
        NAMESPACE,
        ROBOT,
        Argument("task", "lift", "simulated task", choices="tasks"),
        Argument("seed", 0, "seed of start states, operator, learner", least=0),
        Argument("lockstep", True, "as fast as the machine allows instead of in real time"),
        *OPERATOR,
        Argument("record", "demonstrations", "episodes that are recorded: demonstrations, all or none"),
        Argument("run_folder", "runs/up", "folder for bags and checkpoints"),
        Argument("policy", "rlpd", "policy algorithm", choices="policies"),
        Argument("reward", "", "vice or goal_classifier; empty: as configured", choices="rewards"),
        Argument("config", "", "a further ROS parameter file for learner_node"),
        Argument("resume", False, "go on from the run folder's checkpoint, if there is one"),
        Argument("learn", True, "start learner_node and classifier_node"),
        Argument("practise", False, "have the robot demonstrate, learn and explore by itself, until it is stopped"),
        Argument("demonstrations", 30, "with practise:=true: successful demonstrations before learning, the run folder's included"),
    ),
    nodes=(
        NodeSpec(
            "sim_node",
            {"task": From("task"), "robot": From("robot"), "seed": From("seed", STREAMS), "lockstep": From("lockstep"),
             **OPERATOR_PARAMETERS},
            publishes=(*OBSERVATION, *ACTIONS, "camera/*/camera_info", *TELEOP, "evaluation/success"),
            subscribes=(*COMMANDS, "episode")),
        NodeSpec(
            "recorder_node",
            {"robot": From("robot"), "record": From("record"), "run_folder": From("run_folder")},
            subscribes=(*OBSERVATION, *ACTIONS, "episode")),
        NodeSpec(
            "classifier_node", {"robot": From("robot")},
            publishes=("goal_probability", "success"),
            subscribes=("camera/*/image_raw", "weights/classifier"), condition="learn"),
        NodeSpec(
            "learner_node",
            {"task": From("task"), "robot": From("robot"), "seed": From("seed"), "run_folder": From("run_folder"),
             "resume": From("resume")},
            parameter_files=SETTINGS_FILES,
            publishes=WEIGHTS, subscribes=(*OBSERVATION, *ACTIONS, "episode"), condition="learn"),
        NodeSpec(
            "practice_node", {"run_folder": From("run_folder"), "demonstrations": From("demonstrations")},
            subscribes=("metrics",), condition="learn,practise"),
        NodeSpec(
            "policy_node",
            {"task": From("task"), "robot": From("robot"), "lockstep": From("lockstep"), "run_folder": From("run_folder")},
            publishes=(*COMMANDS, "episode"), subscribes=(*OBSERVATION, *TELEOP, "weights/policy")),
    ),
)

TELEOPERATION = Graph(
    name="teleop",
    help="a person drives the arm, in the simulated cell in real time, and records demonstrations",
    arguments=(
        NAMESPACE,
        ROBOT,
        Argument("task", "lift", "task, written into episodes, and simulated", choices="tasks"),
        Argument("device", "window", DEVICE_HELP, choices=get_args(DeviceName)),
        Argument("path", "", "device file, for device:=gamepad; empty: the first of /dev/input/js*"),
        Argument("joy_topic", "joy", "topic of the joy node, for device:=joy; /joy is the one in no namespace"),
        Argument("speed", 0.5, "speed at first, share of a full action"),
        Argument("frame", "base", "axes at first", choices=get_args(Frame)),
        Argument("bind", "", "other keys: action=key, separated by commas"),
        Argument("window", True, "open the window with camera views, whatever drives"),
        LOOK,
        Argument("sim", True, "start the simulated cell; false: another arm is behind the topics"),
        Argument("seed", 0, "seed of start states", least=0),
        Argument("record", "demonstrations", "episodes that are recorded: demonstrations, all or none"),
        Argument("pre_roll_s", 0.0, "time before the start of an episode that is in its bag, too [s]"),
        Argument("images", "raw", "camera images in bags", choices=("raw", "png", "jpeg")),
        Argument("jpeg_quality", 90, "quality of jpeg images, 1 to 100", least=1),
        Argument("least_free_gb", 1.0, "free space on the disk [GB] below which nothing is recorded"),
        Argument("run_folder", "runs/up", "folder for bags"),
    ),
    nodes=(
        NodeSpec(
            "sim_node",
            {"task": From("task"), "robot": From("robot"), "seed": From("seed", STREAMS), "lockstep": False},
            publishes=(*OBSERVATION, *ACTIONS, "camera/*/camera_info", *TELEOP, "evaluation/success"),
            subscribes=(*COMMANDS, "episode"), condition="sim"),
        NodeSpec(
            "recorder_node",
            {name: From(name) for name in (
                "robot", "record", "run_folder", "pre_roll_s", "images", "jpeg_quality", "least_free_gb")},
            subscribes=(*OBSERVATION, *ACTIONS, "episode")),
        NodeSpec(
            "teleop_node",
            {name: From(name) for name in ("robot", "device", "path", "joy_topic", "speed", "frame", "bind")},
            publishes=TELEOP[:2], subscribes=("tool_pose", "teleop/window"), terminal=True),
        NodeSpec(
            "teleop_window", {"robot": From("robot"), "device": From("device"), "bind": From("bind"), "look": From("look")},
            publishes=("teleop/window",), subscribes=("camera/*/image_raw", "episode", "metrics"), condition="window",
            room="gui"),
        NodeSpec(
            "policy_node",
            {"task": From("task"), "robot": From("robot"), "lockstep": False, "mode": "teleoperate",
             "run_folder": From("run_folder")},
            publishes=(*COMMANDS, "episode"), subscribes=(*OBSERVATION, *TELEOP, "weights/policy")),
    ),
)

GOAL = Graph(
    name="goal",
    help="a person labels pictures of a goal, seen by cameras or in the simulated cell",
    arguments=(
        NAMESPACE,
        Argument("robot", "webcam", "robot contract; gives the cameras", choices="robots"),
        Argument("folder", "runs/goal", "folder of the pictures"),
        LOOK,
        Argument("pictures", "camera", PICTURES_HELP, choices=get_args(Pictures)),
        Argument("source", "0", "of camera_node: number or path of a device, a stream, a video, a folder; or NAME=SOURCE,..."),
        Argument("rate", 10.0, "of camera_node: pictures a second"),
        Argument("task", "lift", "what the simulated operator does, again and again", choices="tasks"),
        Argument("seed", 0, "seed of start states", least=0),
    ),
    nodes=(
        NodeSpec(
            "camera_node", {"robot": From("robot"), "sources": From("source"), "rate": From("rate")},
            publishes=("camera/*/image_raw", "camera/*/camera_info"), condition="pictures=camera"),
        NodeSpec(
            "sim_node",
            {"task": From("task"), "robot": From("robot"), "seed": From("seed", STREAMS), "lockstep": False,
             "simulated_operator": True},
            publishes=(*OBSERVATION, *ACTIONS, "camera/*/camera_info", *TELEOP, "evaluation/success"),
            subscribes=(*COMMANDS, "episode"), condition="pictures=sim"),
        NodeSpec(
            "goal_window", {"robot": From("robot"), "folder": From("folder"), "look": From("look")},
            subscribes=("camera/*/image_raw", "metrics"), room="gui"),
        NodeSpec(
            "policy_node",
            {"task": From("task"), "robot": From("robot"), "lockstep": False, "mode": "demonstrate", "horizon": LINGER},
            publishes=(*COMMANDS, "episode"), subscribes=(*OBSERVATION, *TELEOP, "weights/policy"), condition="pictures=sim"),
    ),
)

QUESTIONS = ("preferences/questions", "preferences/receipts", "preferences/people")

PREFERENCES = Graph(
    name="preferences",
    help="the robot practises and learns to earn what a simulated teacher, people or a model prefer of two clips",
    arguments=(
        NAMESPACE,
        ROBOT,
        Argument("task", "lift", "task, written into episodes, and simulated", choices="tasks"),
        Argument("seed", 0, "seed of start states, operator, learner, questions", least=0),
        Argument("teacher", "simulated", "who is asked: simulated (knows the simulator's truth), human (windows) or model (endpoint)",
                 choices=get_args(TeacherName)),
        Argument("annotator", "", "with teacher:=human: the only one who may answer; empty: anybody"),
        Argument("window", True, "with teacher:=human: open a window here; false: operators join from elsewhere"),
        Argument("url", "http://127.0.0.1:8000/v1", "with teacher:=model: the endpoint"),
        Argument("model", "default", "with teacher:=model: name of the model there"),
        Argument("goal", "", "with teacher:=model: what the robot should do, in words"),
        Argument("budget", 200, "answers to ask for"),
        Argument("per_minute", 12.0, "most questions a minute on average, after the first ten"),
        Argument("minutes", 10.0, "time of learning over which the budget is spread [min]"),
        Argument("strategy", "disagreement", "how questions are chosen, see `feedback/queries.py`", choices=tuple(SCORES)),
        Argument("reward_tests", "", "YAML file of tests that a reward must pass before the policy learns from it"),
        LOOK,
        Argument("demonstrations", 10, "successful demonstrations before learning"),
        Argument("sim", True, "start the simulated cell; false: another arm is behind the topics, and demonstrations are there"),
        Argument("lockstep", True, "as fast as the machine allows instead of in real time"),
        *OPERATOR,
        Argument("run_folder", "runs/preferences", "folder for bags, answers and checkpoints"),
        Argument("policy", "rlpd", "policy algorithm", choices="policies"),
        Argument("config", "", "a further ROS parameter file for learner_node"),
        Argument("resume", True, "go on from the run folder's checkpoint, if there is one"),
    ),
    nodes=(
        NodeSpec(
            "sim_node",
            {"task": From("task"), "robot": From("robot"), "seed": From("seed", STREAMS), "lockstep": From("lockstep"),
             **OPERATOR_PARAMETERS},
            publishes=(*OBSERVATION, *ACTIONS, "camera/*/camera_info", *TELEOP, "evaluation/success"),
            subscribes=(*COMMANDS, "episode"), condition="sim"),
        NodeSpec(
            "recorder_node", {"robot": From("robot"), "record": "all", "run_folder": From("run_folder")},
            subscribes=(*OBSERVATION, *ACTIONS, "episode")),
        NodeSpec(
            "classifier_node", {"robot": From("robot")},
            publishes=("goal_probability", "success"), subscribes=("camera/*/image_raw", "weights/classifier")),
        NodeSpec(
            "learner_node",
            {"task": From("task"), "robot": From("robot"), "seed": From("seed"), "run_folder": From("run_folder"),
             "reward_tests": From("reward_tests"), "resume": From("resume")},
            parameter_files=(*SETTINGS_FILES[:2], "config/preferences.yaml", "{config}"),
            publishes=(*WEIGHTS, "weights/reward"), subscribes=(*OBSERVATION, *ACTIONS, "episode", "metrics")),
        NodeSpec(
            "preference_node",
            {"task": From("task"), "robot": From("robot"), "seed": From("seed"), "run_folder": From("run_folder"),
             "teacher": From("teacher"), "annotator": From("annotator"), "endpoint.url": From("url"), "endpoint.model": From("model"),
             "endpoint.task": From("goal"), "minutes": From("minutes"), "asking.strategy": From("strategy"),
             "asking.schedule.budget": From("budget"), "asking.schedule.per_minute": From("per_minute")},
            publishes=QUESTIONS, subscribes=("preferences/requests", "weights/reward", "metrics")),
        NodeSpec(
            "preference_window", {"robot": From("robot"), "annotator": From("annotator"), "look": From("look")},
            publishes=("preferences/requests",),
            subscribes=(*QUESTIONS, "joint_states", "camera/*/image_raw", "episode", "metrics"),
            condition="teacher=human,window", room="gui", leaves=True),
        NodeSpec(
            "practice_node",
            {"run_folder": From("run_folder"), "demonstrations": From("demonstrations"), "simulated_operator": From("sim")},
            subscribes=("metrics",)),
        NodeSpec(
            "policy_node",
            {"task": From("task"), "robot": From("robot"), "lockstep": From("lockstep"), "run_folder": From("run_folder")},
            publishes=(*COMMANDS, "episode"), subscribes=(*OBSERVATION, *TELEOP, "weights/policy")),
    ),
)

GRAPHS = {graph.name: graph for graph in (SIM, TELEOPERATION, GOAL, PREFERENCES)}

GUESTS = frozenset(node.name for graph in GRAPHS.values() for node in graph.nodes if node.leaves or node.name == "teleop_node")
"""Nodes that may come from elsewhere beside ours, and be there before the graph is and after it. Of two devices one has the arm."""


def load_graph(name: str) -> Graph:
    """The graph called `name`.

    Raises:
        ConfigError: unknown name.
    """
    if name not in GRAPHS:
        raise unknown_name("graph", name, GRAPHS)
    return GRAPHS[name]


def resolve(graph: Graph, given: Mapping[str, Value]) -> list[NodeStart]:
    """The nodes to start, in order.

    Args:
        graph: what to start.
        given: argument name -> value; text is converted to the argument's type, as launch arguments are text.

    Raises:
        ConfigError: unknown argument, wrong type, a value that is not among the choices, or a file that no node reads.
    """
    values = argument_values(graph, given)
    cameras = list(load_contract(str(values["robot"])).cameras) if "robot" in values else []
    starts: list[NodeStart] = []
    for node in graph.nodes:
        if not all(_holds(condition, values) for condition in node.condition.split(",") if condition):
            continue
        starts.append(NodeStart(
            name=node.name,
            namespace=_namespace(str(values["namespace"])),
            parameters={name: value.of(values) if isinstance(value, From) else value
                        for name, value in node.parameters.items()},
            parameter_files=tuple(map(str, settings_files(node.parameter_files, values))),
            remappings=dict(node.remappings),
            publishes=("metrics", *_of_cameras(node.publishes, cameras)),
            subscribes=tuple(_of_cameras(node.subscribes, cameras)),
            restart=node.restart,
            room=node.room,
            leaves=node.leaves,
            terminal=node.terminal,
        ))
    if values.get("config"):
        check_parameter_file(user_path(str(values["config"])))
    return starts


def argument_values(graph: Graph, given: Mapping[str, Value]) -> dict[str, Value]:
    """Every argument's value: what is given, converted and checked, and the defaults.

    Raises:
        ConfigError: see `resolve`.
    """
    known = {argument.name: argument for argument in graph.arguments}
    for name in given:
        if name not in known:
            raise unknown_name(f"argument of graph '{graph.name}'", name, known)
    values: dict[str, Value] = {}
    for name, argument in known.items():
        value = _converted(argument, given[name]) if name in given else argument.default
        if argument.choices and value != argument.default:
            valid = names_in(argument.choices) if isinstance(argument.choices, str) else argument.choices
            if value not in valid:
                raise unknown_name(name, str(value), valid)
        if argument.least is not None and isinstance(value, (int, float)) and not value >= argument.least:
            raise ConfigError(f"{name} is {value}.", valid=f"It must be at least {argument.least}: {argument.help}.")
        values[name] = value
    return values


def links(nodes: Sequence[NodeStart], *, asker: str, listens: Sequence[str]) -> dict[str, dict[str, int]]:
    """The connections of each node when all have found each other: node -> node on the other side -> topics between them, at least.

    Args:
        nodes: what was started.
        asker: name of the node of the program that asks.
        listens: topics that this subscribes to.
    """
    subscribed = {asker: Counter(listens), **{node.name: Counter(node.subscribes) for node in nodes}}
    published = {node.name: Counter(node.publishes) for node in nodes}
    found: dict[str, Counter[str]] = {node.name: Counter() for node in nodes}
    for talker, topics in published.items():
        for listener, wanted in subscribed.items():
            count = (topics & wanted).total()
            found[talker][listener] += count
            if listener in found:
                found[listener][talker] += count
    return {name: {other: count for other, count in counts.items() if count} for name, counts in found.items()}


def _namespace(name: str) -> str:
    if not re.fullmatch(r"/?([a-z_]\w*(/[a-z_]\w*)*/?)?", name, re.ASCII | re.IGNORECASE):
        raise ConfigError(f"namespace is '{name}'.", valid="Letters, digits and '_', no digit first; '/' between several names.")
    return f"/{name.strip('/')}"


def _holds(condition: str, values: Mapping[str, Value]) -> bool:
    name, separator, value = condition.partition("=")
    return values[name] == value if separator else bool(values[name])


def _of_cameras(topics: Sequence[str], cameras: Sequence[str]) -> list[str]:
    found: list[str] = []
    for topic in topics:
        found += [topic.replace("*", camera) for camera in cameras] if "*" in topic else [topic]
    return found


def _converted(argument: Argument, value: Any) -> Value:
    kind = type(argument.default)
    if isinstance(value, kind) and not (kind is int and isinstance(value, bool)):
        return value
    text = str(value)
    try:
        if kind is bool:
            return {"true": True, "false": False}[text.lower()]
        return kind(text)
    except (KeyError, ValueError):
        what = {bool: "true or false", int: "a whole number", float: "a number"}[kind]
        raise ConfigError(f"{argument.name} is '{text}'.", valid=f"It must be {what}: {argument.help}.") from None
