"""Every file under config/ loads, is found by its name, and reaches the command line and the learner's node alike."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import pytest

from rewardbot import registry
from rewardbot.config import check_parameter_file, from_mapping, merge, names_in, read_yaml, settings_files, share_path
from rewardbot.errors import ConfigError
from rewardbot.robots.robot import load_contract
from rewardbot.robots.tasks import task_names
from rewardbot.ros.graph import NodeStart, load_graph, resolve
from rewardbot.training.learner_config import LearnerConfig
from rewardbot.training.options import JobOptions
from rewardbot.training.preferences import METHODS as PREFERENCES
from rewardbot.training.preferences import settings_of
from rewardbot.training.preparing import learner_config

SETTINGS = [f"{folder}/{name}" for folder in ("tasks", "rewards", "policies") for name in names_in(folder)]


@pytest.mark.parametrize("name", SETTINGS)
def test_each_file_of_settings_is_a_ros_parameter_file_that_loads(name: str) -> None:
    path = share_path(f"config/{name}.yaml")
    assert path.read_text().count("/**:\n  ros__parameters:\n") == 1
    from_mapping(LearnerConfig, read_yaml(path), where=path.name)


@pytest.mark.parametrize("name", names_in("robots"))
def test_each_robot_loads(name: str) -> None:
    assert load_contract(name).name == name


def test_there_is_a_file_for_every_task_and_none_for_nothing() -> None:
    assert names_in("tasks") == task_names()
    assert set(names_in("rewards")) <= set(registry.names("reward"))
    assert set(names_in("policies")) <= set(registry.names("policy"))


def test_the_defaults_in_the_code_are_those_of_the_main_job() -> None:
    """Comparisons and tests use the defaults; the main job reads the files."""
    assert learner_config(JobOptions()) == learner_config(JobOptions(reward="vice")) == LearnerConfig()


def test_takeovers_come_with_settings_of_their_own_and_the_users_win(tmp_path: Path) -> None:
    own = from_mapping(LearnerConfig, read_yaml(share_path("config/takeovers.yaml")))
    assert learner_config(JobOptions(takeovers=True)) == own != LearnerConfig()
    file = tmp_path / "mine.yaml"
    file.write_text("judged_episodes: 7")
    assert learner_config(JobOptions(takeovers=True, config=str(file))) == dataclasses.replace(own, judged_episodes=7)


def given_to(node: NodeStart) -> dict[str, object]:
    """The settings in the files of a node."""
    values: dict[str, object] = {}
    for file in node.parameter_files:
        values = merge(values, read_yaml(Path(file)))
    return values


@pytest.mark.parametrize("given", [
    {}, {"task": "push"}, {"reward": "goal_classifier"}, {"config": "mine.yaml"},
    {"task": "reach", "reward": "vice", "config": "mine.yaml"}])
def test_node_and_command_line_read_the_same(given: dict[str, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path("mine.yaml").write_text("/**:\n  ros__parameters:\n    classifier: {every: 7, negatives: offline}\n")
    (node,) = [start for start in resolve(load_graph("sim"), given) if start.name == "learner_node"]
    values = given_to(node)
    options = from_mapping(JobOptions, given)
    assert from_mapping(LearnerConfig, values) == learner_config(options)
    expected = {"vice": "visited", "goal_classifier": "offline"}.get(options.reward, "offline" if options.config else "visited")
    assert learner_config(options).classifier.negatives == expected


@pytest.mark.parametrize("task", task_names())
def test_what_is_preferred_need_not_be_what_a_clone_does(task: str) -> None:
    (node,) = [start for start in resolve(load_graph("preferences"), {"task": task}) if start.name == "learner_node"]
    config = from_mapping(LearnerConfig, given_to(node))
    assert (config.rewarded_by, config.rlpd.stay) == ("preferences", 0.0)


@pytest.mark.parametrize("name", names_in("states"))
def test_each_file_for_state_vectors_loads(name: str) -> None:
    changes = read_yaml(share_path(f"config/states/{name}.yaml"))
    for reward in PREFERENCES:
        assert settings_of(reward, changes).loop.steps == changes["loop"]["steps"]


@pytest.mark.parametrize(("content", "said"), [
    (b"\xff\xfe\x00", "is not valid YAML: 'utf-8' codec"), (b"day: 2024-99-99", "is not valid YAML: month must be"),
    (b"rlpd: {discount", "is not valid YAML"), (b"- 1", "holds a list"), (b"/**:\n  ros__parameters: [1]", "holds a list"),
])
def test_a_file_that_holds_no_settings_is_refused(content: bytes, said: str, tmp_path: Path) -> None:
    file = tmp_path / "mine.yaml"
    file.write_bytes(content)
    with pytest.raises(ConfigError, match=said):
        read_yaml(file)


def test_files_of_ours_are_not_taken_from_the_present_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path("config/tasks").mkdir(parents=True)
    Path("config/tasks/lift.yaml").write_text("somebody: else's")
    assert settings_files(["config/tasks/{task}.yaml"], {"task": "lift"}) == [share_path("config/tasks/lift.yaml")]
    with pytest.raises(ConfigError, match=r"Cannot read nowhere\.yaml"):
        settings_files(["{config}"], {"config": "nowhere.yaml"})


@pytest.mark.parametrize("text", [
    "", "/**:\n  ros__parameters:\n    publish_s: 1.0\n", "/rewardbot/learner_node:\n  ros__parameters: {publish_s: 1.0}\n",
    "rewardbot:\n  learner_node:\n    ros__parameters: {publish_s: 1.0}\n/**:\n  ros__parameters: {}\n"])
def test_what_a_node_reads_is_a_parameter_file(text: str, tmp_path: Path) -> None:
    file = tmp_path / "mine.yaml"
    file.write_text(text)
    check_parameter_file(file)


@pytest.mark.parametrize("text", ["publish_s: 1.0\n", "/**:\n  publish_s: 1.0\n", "/**:\n  ros__parameters: {}\npublish_s: 1.0\n"])
def test_settings_that_a_node_would_not_read_are_refused_before_it_starts(text: str, tmp_path: Path) -> None:
    file = tmp_path / "mine.yaml"
    file.write_text(text)
    with pytest.raises(ConfigError, match=r"(?s)mine.yaml is no ROS parameter file.*'ros__parameters:'.*config/tasks"):
        resolve(load_graph("sim"), {"config": str(file)})
