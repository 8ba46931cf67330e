"""`rewardbot train --env NAME`: what is refused at the start and how, what a run leaves behind, going on, and evaluating."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path
from typing import Any

import gymnasium
import numpy as np
import pytest
import yaml

from rewardbot import cli
from rewardbot.data.state_demonstrations import StateDemonstrations
from rewardbot.errors import ConfigError, DataError, RewardbotError
from rewardbot.feedback.ledger import Ledger
from rewardbot.policies.bc import BCConfig
from rewardbot.training import advancing
from rewardbot.training.cloning_job import Cloned
from rewardbot.training.files import StorageError
from rewardbot.training.offline_loop import OfflineLoop
from rewardbot.training.on_policy_loop import OnPolicyLoop
from rewardbot.training.settled import clone
from rewardbot.training.state_job import environment, named, prepare, resolve
from rewardbot.training.state_loop import StateLoop
from rewardbot.training.state_options import COMMAND, StateOptions, is_state_run
from rewardbot.training.state_policy import StatePolicy, state_policy_to_bytes
from rewardbot.training.state_summary import StateSummary
from rewardbot.training.visiting import demonstrate
from tests.training.point import Point

ENV = "tests/Point-v0"

SETTINGS = {
    "loop": {"start_steps": 50, "sac": {"batch": 16, "hidden": 8}}, "asking": {"steps": 5, "clips": 20, "candidates": 30},
    "reward": {"hidden": 8, "layers": 1, "steps": 5}, "every": 40, "evaluations": 1, "explore_steps": 0,
}


@pytest.fixture(autouse=True)
def _env() -> None:
    if ENV not in gymnasium.registry:
        gymnasium.register(ENV, entry_point=Point)


@pytest.fixture
def settings(tmp_path: Path) -> str:
    path = tmp_path / "settings.yaml"
    path.write_text(yaml.safe_dump(SETTINGS))
    return str(path)


def train(tmp_path: Path, settings: str, *arguments: str) -> Path:
    cli.run(["train", "--env", ENV, "--steps", "120", "--answers", "10", "--episodes", "3", "--config", settings,
             "--run-dir", str(tmp_path / "runs"), *arguments])
    return (tmp_path / "runs" / "latest").resolve()


@pytest.mark.parametrize("reward", ["preference", "mrn"])
def test_a_run_leaves_ledger_curves_summary_and_policy(
    tmp_path: Path, settings: str, reward: str, capsys: pytest.CaptureFixture[str]
) -> None:
    run = train(tmp_path, settings, "--reward", reward, "--seed", "3", "--strategy", "mutual_information")
    summary = StateSummary.read(run / "summary.json")
    assert (summary.env, summary.reward, summary.seed, summary.steps, summary.answers) == (ENV, reward, 3, 120, 10)
    assert len(summary.returns) == 3 and json.loads((run / "summary.json").read_text())["mean_return"] == np.mean(summary.returns)
    with Ledger(run / "ledger.sqlite", read_only=True) as ledger:
        assert len(ledger.active()) == 10
        assert {query.strategy for query in ledger.history().queries.values()} <= {"uniform", "mutual_information"}
    assert (run / "curves.png").read_bytes().startswith(b"\x89PNG") and len(list((run / "clips").iterdir())) > 2
    assert "true_return" in (run / "metrics.csv").read_text()
    saved = yaml.safe_load((run / "config.yaml").read_text())
    assert saved["options"]["reward"] == reward and saved["settings"]["asking"]["schedule"]["budget"] == 10
    action = StatePolicy((run / "policy.safetensors").read_bytes()).act(np.zeros(1, np.float32))
    assert action.shape == (1,) and abs(float(action[0])) <= 1.0
    capsys.readouterr()
    cli.run(["eval", str(run), "--episodes", "2"])
    assert "True return" in capsys.readouterr().out
    for option in (["--task", "lift"], ["--actor", "bc"]):
        with pytest.raises(ConfigError, match="has no other task or actor, and no video"):
            cli.run(["eval", str(run), *option])
    with pytest.raises(StorageError, match="is a folder"):
        cli.run(["eval", str(run), "--demos", str(run)])
    with pytest.raises(DataError, match=r"is finished(.|\n)*rewardbot eval"):
        cli.run(["train", "--resume", str(run)])
    with pytest.raises(ConfigError, match="--seed is '5', but the run"):
        cli.run(["train", "--resume", str(run), "--seed", "5"])


@pytest.mark.parametrize(("content", "said"), [
    ("loop: {stepz: 3}", r"^mine\.yaml\.loop: There is no setting of StateLoopConfig named 'stepz'"),
    ("every: -3", r"^mine\.yaml\.every is -3"), ("reward: {members: no}", r"^mine\.yaml\.reward\.members is False"),
    ("reward: 3", r"^mine\.yaml\.reward is 3(.|\n)*a group of settings"), ("[", r"mine\.yaml is not valid YAML"),
    ("shield: {steps: x}", r"^mine\.yaml\.shield"), ("shield: 3", r"^mine\.yaml\.shield is 3"),
])
def test_a_wrong_setting_is_named_with_its_file(tmp_path: Path, content: str, said: str) -> None:
    (tmp_path / "mine.yaml").write_text(content)
    with pytest.raises(ConfigError, match=said):
        prepare(StateOptions(env=ENV, config=str(tmp_path / "mine.yaml"), unsafe="simulated", run_dir=str(tmp_path)), ())


@pytest.mark.parametrize("options", [
    {"reward": "gail"}, {"reward": "self_play", "task": "push", "state": True, "env": ""}, {"reward": "t_rex"}, {"reward": "tamer"},
    {"reward": "none", "policy": "bc"}])
def test_each_kind_of_job_names_the_file(tmp_path: Path, options: dict[str, Any]) -> None:
    (tmp_path / "mine.yaml").write_text("nonsense: 1")
    given = {"env": ENV, "demos": ("d.npz",), **options}
    with pytest.raises(ConfigError, match=r"^mine\.yaml: There is no setting of \w+ named 'nonsense'"):
        resolve(named(StateOptions(config=str(tmp_path / "mine.yaml"), **given), options), options)


def test_a_run_that_was_stopped_goes_on(tmp_path: Path, settings: str, monkeypatch: pytest.MonkeyPatch) -> None:
    from rewardbot.training import state_job

    def stopped(*_: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr(state_job, "judge_policy", stopped)
        with pytest.raises(KeyboardInterrupt):
            train(tmp_path, settings)
    run = (tmp_path / "runs" / "latest").resolve()
    assert is_state_run(run) and not (run / "summary.json").exists()
    with pytest.raises(ConfigError, match="--seed is '5', but the run"):
        cli.run(["train", "--resume", str(run), "--seed", "5"])
    cli.run(["train", "--run-dir", str(tmp_path / "runs"), "--resume"])
    assert StateSummary.read(run / "summary.json").steps == 120


@pytest.mark.parametrize(("config", "said"), [
    ("command: train\n", "does not learn from state vectors"), (f"command: {COMMAND}\n", "is not what a run begins with"),
])
def test_another_run_or_a_damaged_one(config: str, said: str, tmp_path: Path) -> None:
    (tmp_path / "config.yaml").write_text(config)
    with pytest.raises(DataError, match=said):
        cli.run(["train", "--env", ENV, "--resume", str(tmp_path)])


@pytest.mark.parametrize(("arguments", "said"), [
    (["--env", "Pendulum-v99"], "There is no environment 'Pendulum-v99'"),
    (["--env", "CartPole-v1"], "The actions of CartPole-v1 are Discrete"),
    (["--env", ENV, "--reward", "vice", "--policy", "iql"], "iql does nothing while it learns, and vice is learned from what"),
    (["--env", ENV, "--reward", "pebbles"], "no reward algorithm named 'pebbles'(.|\n)*Did you mean 'pebble'"),
    (["--env", ENV, "--policy", "rlpd"], "rlpd looks through cameras(.|\n)*--reward preference takes --policy sac"),
    (["--env", ENV, "--policy", "iql", "--reward", "true"], "Policy 'iql' learns from demonstrations, and there are none"),
    (["--env", ENV, "--policy", "bc"], "Policy 'bc' learns from demonstrations, and there are none"),
    (["--env", ENV, "--teacher", "human"], "Point-v0 cannot be drawn(.|\n)*simulated"),
    (["--env", ENV, "--teacher", "simulate"], "no teacher named 'simulate'(.|\n)*Did you mean 'simulated'"),
    (["--env", ENV, "--strategy", "random"], "no query strategy named 'random'(.|\n)*uniform"),
    (["--env", ENV, "--answers", "0"], "--answers is 0(.|\n)*at least 1"),
    (["--env", ENV, "--steps", "500"], "Of 500 steps, the first 1000 are for exploring"),
    (["--env", ENV, "--task", "reach"], "--env and --task name two places"),
    (["--state"], "Nothing says where to learn(.|\n)*--task NAME --state"),
    (["--task", "reaches", "--state"], "no task named 'reaches'(.|\n)*Did you mean 'reach'"),
    (["--env", ENV, "--demos", "3"], "--demos is for rewards from demonstrations; 'preference' learns from preferences"),
    (["--env", ENV, "--demos", "nowhere", "--reward", "gail"], "Cannot read nowhere"),
    (["--reward", "pebble"], "pebble is learned from state vectors(.|\n)*--task NAME --state"),
    (["--task", "reach", "--no-state", "--reward", "pebble"], "Nothing says where to learn from state vectors"),
    (["--task", "push", "--reward", "airl"], "'airl' learns from demonstrations(.|\n)*FILE, FOLDER or N(.|\n)*--demos 20"),
    (["--task", "push", "--reward", "airl", "--policy", "rlpd"], "rlpd looks through cameras(.|\n)*--reward airl takes --policy sac"),
    (["--reward", "airl", "--demos", "FILE"], "Nothing says where to learn from state vectors"),
])
def test_what_does_not_fit_together_is_refused_at_the_start(arguments: list[str], said: str, tmp_path: Path) -> None:
    with pytest.raises(RewardbotError, match=said):
        cli.run(["train", *arguments, "--run-dir", str(tmp_path / "runs")])
    assert not (tmp_path / "runs").exists()


def test_the_arms_tasks_have_an_environment() -> None:
    assert environment(StateOptions(task="pencil_case", state=True)) == "rewardbot/PencilCaseState-v0"


def test_the_arms_task_is_learned_from_its_state_where_cameras_cannot_be_meant(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "adversarial.yaml").write_text(yaml.safe_dump({"loop": SETTINGS["loop"], "evaluations": 1}))
    cli.run(["train", "--reward", "airl", "--policy", "sac", "--task", "push", "--demos", "2", "--steps", "130", "--episodes", "1",
             "--config", str(tmp_path / "adversarial.yaml"), "--run-dir", str(tmp_path / "runs")])
    assert "push from the arm's true state: over cameras airl and sac do not go together" in capsys.readouterr().out
    summary = StateSummary.read(tmp_path / "runs" / "latest" / "summary.json")
    assert (summary.env, summary.reward, summary.policy, len(summary.successes)) == ("rewardbot/PushState-v0", "airl", "sac", 1)


def test_help_says_where_the_other_half_is(capsys: pytest.CaptureFixture[str]) -> None:
    for arguments, shown in ((["--help"], "rewardbot train --env NAME --help"), (["--env", ENV, "--help"], "--strategy")):
        with pytest.raises(SystemExit):
            cli.run(["train", *arguments])
        assert shown in capsys.readouterr().out


# Rewards that are there before the policy ------------------------------------------------------------------------------------


@pytest.fixture
def demos(tmp_path: Path) -> str:
    draw = np.random.default_rng(0)
    shown = demonstrate(Point(), lambda state: draw.uniform(-1.0, 1.0, 1), range(4))
    (tmp_path / "demos").write_bytes(dataclasses.replace(shown, env=ENV).to_bytes())
    return str(tmp_path / "demos")


SETTLED = {
    "loop": SETTINGS["loop"], "on_policy": {"rollout": 50, "ppo": {"hidden": 8, "epochs": 1}}, "evaluations": 1,
    "offline": {"iql": {"batch": 16, "hidden": 8}, "together": 40}, "reward": {"episodes": 3}}


@pytest.mark.filterwarnings("ignore::rewardbot.rewards.partition.FewEffectiveSamples")
@pytest.mark.parametrize(("policy", "reward", "learns"), [
    ("iql", "true", OfflineLoop), ("sac", "relative_entropy_irl", StateLoop), ("ppo", "relative_entropy_irl", OnPolicyLoop)])
def test_such_a_run_goes_on_to_the_same_policy(
    policy: str, reward: str, learns: Any, demos: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "settled.yaml").write_text(yaml.safe_dump(SETTLED))
    arguments = ["--reward", reward, "--policy", policy, "--demos", demos]

    def begin() -> None:
        cli.run(["train", "--env", ENV, "--steps", "150", "--episodes", "2", "--config", str(tmp_path / "settled.yaml"),
                 "--run-dir", str(tmp_path / "runs"), *arguments])

    begin()
    whole = (tmp_path / "runs" / "latest" / "policy.safetensors").read_bytes()
    advance = learns.advance

    def stopped(self: Any) -> None:
        advance(self)
        if self.steps >= 100:
            raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(advancing, "SAVE_EVERY_S", -1.0)
        patch.setattr(learns, "advance", stopped)
        with pytest.raises(KeyboardInterrupt):
            begin()
    run = (tmp_path / "runs" / "latest").resolve()
    cli.run(["train", "--resume", str(run)])
    assert (run / "policy.safetensors").read_bytes() == whole


def test_few_effective_samples_are_said(demos: str, tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    (tmp_path / "settled.yaml").write_text(yaml.safe_dump(SETTLED))
    cli.run(["train", "--env", ENV, "--reward", "relative_entropy_irl", "--policy", "iql", "--demos", demos, "--steps", "100",
             "--episodes", "1", "--config", str(tmp_path / "settled.yaml"), "--run-dir", str(tmp_path / "runs")])
    assert "effective of 3 samples" in caplog.text
    assert "reward_effective_sample_size" in (tmp_path / "runs" / "latest" / "metrics.csv").read_text()


def test_a_clone_needs_no_reward_and_is_stored_as_the_others_are(demos: str, tmp_path: Path) -> None:
    (tmp_path / "cloning.yaml").write_text("bc: {hidden: 8}\n")
    for policy in ("bc", "filtered_bc"):
        cli.run(["train", "--env", ENV, "--policy", policy, "--demos", f"{demos},{demos}", "--steps", "100", "--episodes", "2",
                 "--config", str(tmp_path / "cloning.yaml"), "--run-dir", str(tmp_path / "runs")])
        run = (tmp_path / "runs" / "latest").resolve()
        assert (StateSummary.read(run / "summary.json").reward, StateSummary.read(run / "summary.json").policy) == ("none", policy)
    cloning = clone(StateDemonstrations.read(Path(demos)), BCConfig(steps=20, hidden=8), seed=0)
    stored = StatePolicy(state_policy_to_bytes(Cloned(cloning), {"env": ENV}))
    for x in (-0.7, 0.0, 0.4):
        np.testing.assert_allclose(stored.act(np.array([x], np.float32)), cloning.act(np.array([x])), atol=1e-5)


@pytest.mark.parametrize(("reward", "said"), [
    ("t_rex", "1 demonstrations with 1 return cannot be ranked"), ("goal_classifier", "from 1 demonstration"),
    ("vice", "A goal cannot be learned from 1 demonstration(.|\n)*At least 2")])
def test_one_demonstration_that_is_too_few_is_refused_at_the_start(reward: str, said: str, demos: str, tmp_path: Path) -> None:
    shown = StateDemonstrations.read(Path(demos))
    Path(demos).write_bytes(dataclasses.replace(shown, episodes=shown.episodes[:1]).to_bytes())
    with pytest.raises(DataError, match=said):
        cli.run(["train", "--env", ENV, "--reward", reward, "--demos", demos, "--run-dir", str(tmp_path / "runs")])
    assert not (tmp_path / "runs").exists()


@pytest.mark.parametrize(("group", "policy"), [("loop: {sac", "sac"), ("on_policy: {ppo", "ppo"), ("offline: {iql", "iql")])
def test_a_discount_of_1_has_no_end(group: str, policy: str, demos: str, tmp_path: Path) -> None:
    (tmp_path / "mine.yaml").write_text(f"{group}: {{discount: 1.0}}}}\n")
    named = ["--demos", demos] if policy == "iql" else []
    with pytest.raises(ConfigError, match=rf"mine.yaml\.{group.replace(': {', '.')}\.discount is 1(.|\n)*Below 1"):
        cli.run(["train", "--env", ENV, "--reward", "true", "--policy", policy, "--config", str(tmp_path / "mine.yaml"), *named,
                 "--run-dir", str(tmp_path / "runs")])
    assert not (tmp_path / "runs").exists()


def test_demonstrations_of_another_environment_are_refused_at_the_start(demos: str, tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"states and actions of \(1, 1\) numbers(.|\n)*Pendulum-v1 has \(3, 1\)"):
        cli.run(["train", "--env", "Pendulum-v1", "--policy", "iql", "--reward", "true", "--demos", demos, "--run-dir",
                 str(tmp_path / "runs")])
    assert not (tmp_path / "runs").exists()
