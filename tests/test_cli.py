"""Every mistake on the command line ends with exit code 2 and says what to do, before anything is made."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from rewardbot import cli
from rewardbot.errors import ConfigError, DataError, RewardbotError
from rewardbot.training.options import JobOptions
from rewardbot.training.preparing import learner_config, prepare


def rewardbot(*argv: str, cwd: Path, **variables: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([sys.executable, "-m", "rewardbot", *argv], cwd=cwd, env={**os.environ, **variables}, text=True,
                          capture_output=True, timeout=120, stdin=subprocess.DEVNULL, check=False)


@pytest.fixture(autouse=True)
def in_an_empty_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.chdir(tmp_path)


@pytest.mark.parametrize(("argv", "said"), [
    (["dmo"], r"no command named 'dmo'(.|\n)*Did you mean 'demo'"),
    (["demo", "--task", "lfit"], r"no task named 'lfit'(.|\n)*drawer, lift(.|\n)*Did you mean 'lift'"),
    (["train", "--robot", "sim_arn"], r"no robot named 'sim_arn'(.|\n)*Did you mean 'sim_arm'"),
    (["train", "--policy", "rlpp"], r"no policy algorithm named 'rlpp'(.|\n)*Did you mean 'rlpd'"),
    (["demo", "--takeovers"], r"--takeovers is for `rewardbot train`(.|\n)*teleop_node"),
    (["train", "--policy", "sac"], r"does not learn from images(.|\n)*rlpd(.|\n)*hg_dagger(.|\n)*state vectors"),
    (["demo", "--policy", "bc"], r"'bc' learns in one process only(.|\n)*rewardbot train --task lift --policy bc"),
    (["train", "--policy", "dagger", "--takeovers", "--reward", "vice"],
     r"'dagger' imitates an operator: --reward and --takeovers cannot be used(.|\n)*from demonstrations(.|\n)*rlpd"),
    (["train", "--policy", "hg_dagger", "--demos", "0"], r"--demos 0 cannot be used(.|\n)*demonstrations and takeovers"),
    (["train", "--policy", "bc", "--rounds", "3"], r"'bc' imitates(.|\n)*--rounds cannot"),
    (["train", "--rounds", "3"], r"--rounds is not for 'rlpd'(.|\n)*hg_dagger go in rounds"),
    (["demo", "--reward", "goal_clasifier"], r"no reward algorithm(.|\n)*Did you mean 'goal_classifier'"),
    (["demo", "--demos", "0"], r"--demos is 0(.|\n)*at least 2(.|\n)*--demonstrations DIR"),
    (["demo", "--tsk", "lift"], r"no option --tsk(.|\n)*Did you mean --task"),
    (["demo", "--config", "nowhere.yaml"], r"Cannot read nowhere.yaml"),
    (["demo", "--demonstrations", "nowhere"], r"no folder nowhere"),
    (["eval", "nowhere"], r"no policy in nowhere(.|\n)*rewardbot demo"),
    (["eval", "~nobody-here/x"], r"no home folder for '~nobody-here/x'(.|\n)*from / on"),
    (["bags", "list", "~nobody-here"], r"no home folder for '~nobody-here'"),
    (["demo", "--resume", __file__], rf"There is no run in {__file__}"),
    (["train", "--env", "Pendulum-v1", "--resume", "nowhere"], r"There is no run in \S*nowhere(.|\n)*config.yaml"),
    (["up"], r"required: GRAPH\."),
    (["list", "--tasks"], r"rewardbot list has no option --tasks"),
    (["list", "tasks"], r"rewardbot list does not take 'tasks'"),
    (["up", "simm"], r"no graph named 'simm'(.|\n)*Did you mean 'sim'"),
    (["up", "sim", "task"], r"name:=value"),
    (["up", "sim", f"run_folder:={__file__}"], r"Cannot write \S*test_cli.py: File exists(.|\n)*run_folder:="),
    (["up", "sim", "tsk:=lift"], r"argument of graph 'sim' named 'tsk'(.|\n)*Did you mean 'task'"),
    (["bench", "exlpoit"], r"no comparison named 'exlpoit'"),
])
def test_mistakes(argv: list[str], said: str, tmp_path: Path):
    with pytest.raises(RewardbotError, match=said) as caught:
        cli.run(argv)
    assert caught.value.exit_code == 2
    assert not list(tmp_path.iterdir()), "nothing was made"


@pytest.mark.parametrize(("text", "said"), [
    ("rlpd: {bacth: 3}", r"bacth(.|\n)*Did you mean 'batch'"),
    ("rlpd: {batch: many}", r"rlpd.batch is 'many'(.|\n)*whole number"),
    ("classifier: 3", r"classifier is 3(.|\n)*group of settings"),
    ("rlpd: [", "not valid YAML"),
    ("rlpd: {discount: 2.0}", r"discount is 2.0(.|\n)*at most 1.0"),
])
def test_a_wrong_configuration_is_refused(text: str, said: str, tmp_path: Path):
    (tmp_path / "mine.yaml").write_text(text)
    with pytest.raises(ConfigError, match=said):
        learner_config(JobOptions(config="mine.yaml"))


def test_the_reward_on_the_command_line_wins(tmp_path: Path):
    (tmp_path / "mine.yaml").write_text("classifier: {negatives: visited, every: 7}\n")
    config = learner_config(JobOptions(config="mine.yaml", reward="goal_classifier"))
    assert config.classifier.negatives == "offline" and config.classifier.every == 7
    assert learner_config(JobOptions(reward="vice")).classifier.negatives == "visited"


def test_prepare_writes_what_was_resolved(tmp_path: Path):
    options, run = prepare(JobOptions(task="reach", seed=4, reward="goal_classifier"))
    run.close()
    config = yaml.safe_load((tmp_path / "runs" / "latest" / "config.yaml").read_text())
    assert config["options"]["task"] == "reach" and config["robot"]["name"] == "sim_arm"
    assert config["learner"]["classifier"]["negatives"] == "offline"
    assert learner_config(options) == learner_config(JobOptions(task="reach", reward="goal_classifier"))


def test_demonstrations_without_a_success_are_refused(tmp_path: Path):
    (tmp_path / "empty").mkdir()
    with pytest.raises(DataError, match="empty"):
        prepare(JobOptions(demonstrations="empty"))
    assert not (tmp_path / "runs").exists()


def test_a_damaged_policy_is_refused(tmp_path: Path):
    (tmp_path / "checkpoint").mkdir()
    (tmp_path / "checkpoint" / "policy.safetensors").write_bytes(b"not a policy")
    with pytest.raises(DataError):
        cli.run(["eval", "."])


def test_help_version_and_list(capsys: pytest.CaptureFixture[str]):
    cli.run([])
    cli.run(["--version"])
    cli.run(["list"])
    text = capsys.readouterr().out
    assert all(name in text for name in cli.COMMANDS) and "rewardbot 0." in text
    assert all(name in text for name in ("lift", "reach", "push", "rlpd", "vice", "sim_arm", "task:=lift"))


def test_the_program(tmp_path: Path):
    result = rewardbot("demo", "--task", "lfit", cwd=tmp_path)
    assert result.returncode == 2 and result.stdout == ""
    assert result.stderr.startswith("rewardbot: There is no task named 'lfit'.") and "Traceback" not in result.stderr
    assert rewardbot("--help", cwd=tmp_path).returncode == 0


@pytest.mark.parametrize(("where", "code", "said"), [
    (">/dev/full", 2, "rewardbot: Cannot write what should be printed: No space left on device.\n"), (">&-", 0, ""),
])
def test_nowhere_to_print(where: str, code: int, said: str):
    command = f"exec {sys.executable} -m rewardbot --version {where}"
    result = subprocess.run(["sh", "-c", command], text=True, capture_output=True, timeout=120, check=False)
    assert (result.returncode, result.stderr) == (code, said)


def test_no_rendering_ends_with_the_apt_line(tmp_path: Path):
    result = rewardbot("train", "--task", "reach", cwd=tmp_path, MUJOCO_GL="egl", __EGL_VENDOR_LIBRARY_DIRS="/nonexistent",
                       __EGL_VENDOR_LIBRARY_FILENAMES="")
    assert result.returncode == 2 and "apt-get install -y libegl1" in result.stderr and "Traceback" not in result.stderr
    assert not (tmp_path / "runs").exists()


def test_a_run_folder_that_cannot_be_made(tmp_path: Path):
    (tmp_path / "file").write_text("")
    result = rewardbot("train", "--run-dir", "file", cwd=tmp_path)
    assert result.returncode == 2 and "--run-dir" in result.stderr


def test_only_the_ros_commands_import_rclpy(tmp_path: Path):
    program = "import sys; from rewardbot import cli; cli.run(['list']); assert 'rclpy' not in sys.modules"
    subprocess.run([sys.executable, "-c", program], check=True, cwd=tmp_path, capture_output=True)
