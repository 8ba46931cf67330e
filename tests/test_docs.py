"""What README.md says is there: files, commands, options, topics, services, parameters. And the example runs."""

from __future__ import annotations

import io
import re
import subprocess
import sys
from pathlib import Path

import pytest
import yaml
from rich.console import Console

from rewardbot import cli
from rewardbot.config import from_mapping, names_in, share_path
from rewardbot.errors import RewardbotError
from rewardbot.robots.tasks import load_task, task_names
from rewardbot.ros import classifier_node, learner_node, params, policy_node, recorder_node, sim_node
from rewardbot.ros.graph import GRAPHS, load_graph, resolve
from rewardbot.training.learner_config import LearnerConfig
from rewardbot.training.summary import ACTORS, Summary, result_table

ROOT = Path(__file__).resolve().parents[1]
README = (ROOT / "README.md").read_text()
PARAMETERS = {
    "sim": (sim_node.SimSettings, sim_node.SimState),
    "recorder": (recorder_node.RecorderSettings, recorder_node.RecorderState),
    "classifier": (classifier_node.ClassifierSettings,),
    "learner": (learner_node.LearnerSettings, LearnerConfig),
    "policy": (policy_node.PolicySettings, policy_node.Request),
}


def section(title: str) -> str:
    found = re.search(rf"^#+ {re.escape(title)}\n(.*?)(?=^#+ |\Z)", README, re.MULTILINE | re.DOTALL)
    assert found, title
    return found[1]


def rows(title: str) -> list[list[str]]:
    """The cells of a section's table, without its head."""
    lines = [line for line in section(title).splitlines() if line.startswith("|")]
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in lines[2:]]


def code(cell: str) -> list[str]:
    return re.findall(r"`([^`]+)`", cell)


def test_the_main_job_ends_on_80_columns_as_shown() -> None:
    seed, *rates, learned, steps, whole = (cell.strip("*").replace(",", "") for cell in rows("Results")[0])
    assert seed == "0"
    console = Console(width=80, file=io.StringIO(), record=True)
    actors = zip(("bc", "bc_tuned", "rl"), rates, strict=True)
    console.print(result_table({name: int(rate.rstrip("%")) / 100 for name, rate in actors}, 100))
    shown = section("Two commands")
    for line in console.export_text().splitlines():
        assert line.strip() in shown, line
    assert f"Learned in {learned} and {steps} steps; all together {whole}." in shown


def test_links_lead_somewhere() -> None:
    for target in re.findall(r"\]\(([^)]+)\)", README):
        assert target.startswith("http") or (ROOT / target).exists(), target


def test_commands_and_their_options_exist(capsys: pytest.CaptureFixture[str]) -> None:
    commands = set(re.findall(r"rewardbot ([a-z]+(?:-[a-z]+)*)", section("Commands")))
    assert commands == set(cli.COMMANDS)
    texts = []
    for command in [*([name] for name in commands), ["train", "--env", "NAME"]]:
        with pytest.raises(SystemExit):
            cli.run([*command, "--help"])
        texts.append(capsys.readouterr().out)
    for option in re.findall(r"`(--[a-z-]+)", section("Commands")):
        assert any(option in text for text in texts) or option == "--help", option


def test_the_tables_of_topics_and_of_the_graph_agree() -> None:
    nodes = resolve(load_graph("sim"), {})
    expected = {topic.replace("front", "<name>") for node in nodes for topic in (*node.publishes, *node.subscribes)
                if "wrist" not in topic}
    assert {topic for row in rows("Topics") for topic in code(row[0])} == {*expected, "/clock"}
    for row in rows("Topics"):
        for topic in set(code(row[0])) - {"/clock"}:
            name = topic.replace("<name>", "front")
            publishers = [node.name for node in nodes if name in node.publishes]
            subscribers = [node.name for node in nodes if name in node.subscribes]
            assert all(node in row[3] for node in publishers) or row[3] == "every node", topic
            assert all(node.removesuffix("_node") in row[4] for node in subscribers), topic


def test_the_table_of_services() -> None:
    for names, _, node, *_ in rows("Services"):
        for name in code(names):
            owner = "episode_services" if name.startswith("episode/") else node
            assert f'"{name.rpartition("/")[2]}"' in share_path(f"rewardbot/ros/{owner}.py").read_text(), name


def test_the_table_of_parameters() -> None:
    for nodes, names, defaults, meaning in rows("Parameters"):
        shown = [text.strip("` ") for text in defaults.split(",")]
        for node in PARAMETERS if nodes == "all" else nodes.replace("_node", "").split(", "):
            for index, name in enumerate(code(names)):
                owner, value = default_of(node, name)
                said = shown[min(index, len(shown) - 1)]
                assert said == ("" if value == "" else str(value).lower()), (node, name)
                assert ("*live*" in meaning) == (owner is PARAMETERS[node][-1] and node not in ("learner", "classifier")), name


def default_of(node: str, name: str) -> tuple[type, object]:
    for owner in PARAMETERS[node]:
        if name in params.names(owner):
            value = from_mapping(owner, {})
            for part in name.split("."):
                value = getattr(value, part)
            return owner, value
    raise AssertionError(f"{node} has no parameter {name}")


def test_the_example_of_settings_loads() -> None:
    (text,) = re.findall(r"```yaml\n(.*?)```", README, re.DOTALL)
    from_mapping(LearnerConfig, yaml.safe_load(text)["/**"]["ros__parameters"])


def test_tasks_and_what_a_run_ends_with() -> None:
    table = {code(row[0])[0]: row for row in rows("Tasks")}
    assert sorted(table) == task_names() == names_in("tasks")
    for name, (_, goal, steps, _) in table.items():
        assert goal == load_task(name).goal and int(steps) == load_task(name).horizon
    ends = section("What a run leaves behind")
    for word in (*Summary.__dataclass_fields__, *ACTORS):
        assert f"`{word}`" in ends, word


def test_graphs_in_the_text_start() -> None:
    for name, arguments in re.findall(r"rewardbot up (\w+)((?: \w+:=\w+)*)", README):
        assert name in GRAPHS
        resolve(load_graph(name), dict(argument.split(":=") for argument in arguments.split()))


def test_mistakes_are_told_in_the_words_of_the_troubleshooting() -> None:
    messages = " ".join(code(" ".join(row[0] for row in rows("Troubleshooting"))))
    for argv, said in ((["demo", "--task", "NAME"], "There is no task named 'NAME'."), (["demo", "--demos", "0"], "--demos is 0."),
                       (["demo", "--config", "FILE"], "Cannot read FILE: there is no such file.")):
        with pytest.raises(RewardbotError) as caught:
            cli.run(argv)
        assert caught.value.what == said and said in messages


@pytest.mark.slow
def test_the_example(tmp_path: Path) -> None:
    program = [sys.executable, str(ROOT / "examples" / "00_look.py")]
    result = subprocess.run([*program, "reach", "a/strip.png"], cwd=tmp_path, text=True, capture_output=True, check=True)
    assert "the goal holds" in result.stdout and (tmp_path / "a" / "strip.png").read_bytes().startswith(b"\x89PNG")
    result = subprocess.run([*program, "lfit"], cwd=tmp_path, text=True, capture_output=True, check=False)
    assert result.returncode == 2 and "Did you mean 'lift'?" in result.stderr and "Traceback" not in result.stderr
