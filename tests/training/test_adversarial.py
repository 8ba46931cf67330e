"""Imitation end to end on a point that is to stand at 0.5, and what is refused before it begins."""

from __future__ import annotations

import dataclasses
import itertools
from pathlib import Path
from typing import Any

import gymnasium
import numpy as np
import pytest
import torch
import yaml

from rewardbot import cli
from rewardbot.data.state_demonstrations import StateDemonstrations, StateEpisode
from rewardbot.errors import ConfigError, DataError
from rewardbot.policies.ppo import PPOConfig
from rewardbot.policies.sac import SACConfig
from rewardbot.rewards.airl import AIRLConfig
from rewardbot.rewards.gail import GAILConfig
from rewardbot.rewards.gcl import GCLConfig
from rewardbot.training import advancing
from rewardbot.training.adversarial import POLICIES, REWARDS, AdversarialConfig, AdversarialLoop
from rewardbot.training.on_policy_loop import OnPolicyConfig, OnPolicyLoop
from rewardbot.training.state_loop import StateLoop, StateLoopConfig, evaluate, patient
from rewardbot.training.state_summary import StateSummary
from rewardbot.training.visiting import demonstrate
from tests.training.going_point import GoingPoint, go


def shown(episodes: int = 10, env: GoingPoint | None = None) -> StateDemonstrations:
    return demonstrate(env or GoingPoint(), go, range(100, 100 + episodes))


CONFIG = AdversarialConfig(
    loop=StateLoopConfig(steps=900, start_steps=100, sac=SACConfig(hidden=32, batch=64, rate=3e-3, discount=0.9)),
    on_policy=OnPolicyConfig(steps=6000, rollout=400, ppo=PPOConfig(hidden=32, rate=3e-3, discount=0.9, epochs=5)),
    batch=64, fresh=400, reward_steps=20, gail=GAILConfig(rate=1e-3), airl=AIRLConfig(rate=1e-3))


def learned(reward: str, policy: str, demonstrations: StateDemonstrations, config: AdversarialConfig = CONFIG) -> AdversarialLoop:
    loop = AdversarialLoop(GoingPoint(), reward, policy, config, demonstrations)
    loop.run()
    return loop


def share_of_experts_return(loop: AdversarialLoop) -> float:
    """0: as an untrained policy that stands still, 1: as the expert."""
    seeds = range(500, 520)
    ours, expert, still = (np.mean(evaluate(GoingPoint(), act, seeds)) for act in (loop.loop.best, go, lambda state: 0.0 * state))
    return float((ours - still) / (expert - still))


@pytest.mark.parametrize("reward", ["gail", "airl"])
def test_soft_actor_critic_comes_to_do_what_the_expert_does(reward: str) -> None:
    loop = learned(reward, "sac", shown())
    assert isinstance(loop.loop, StateLoop) and loop.model.version == 400
    assert share_of_experts_return(loop) > 0.9


def test_a_goal_is_all_that_vice_is_shown() -> None:
    """Where the expert ends; how he gets there plays no part."""
    config = dataclasses.replace(CONFIG, loop=patient(dataclasses.replace(CONFIG.loop, shown=0.5)))
    assert share_of_experts_return(learned("vice", "sac", shown(), config)) > 0.9


@pytest.mark.parametrize("reward", ["gail", "gcl"])
def test_and_so_does_proximal_policy_optimisation(reward: str) -> None:
    loop = learned(reward, "ppo", shown())
    assert isinstance(loop.loop, OnPolicyLoop)
    assert share_of_experts_return(loop) > 0.9


def test_a_run_can_be_repeated() -> None:
    short = dataclasses.replace(CONFIG, loop=dataclasses.replace(CONFIG.loop, steps=160))
    one, two = (learned("airl", "sac", shown(1), short) for _ in range(2))
    assert one.loop.best(np.zeros(1, np.float32)).tolist() == two.loop.best(np.zeros(1, np.float32)).tolist()


def test_clips_are_weighted_as_one() -> None:
    config = dataclasses.replace(CONFIG, gcl=GCLConfig(length=5), loop=dataclasses.replace(CONFIG.loop, steps=120))
    loop = learned("gcl", "sac", shown(2), config)
    assert 1.0 <= float(loop.metrics["effective_samples"]) <= 2 * (64 // 5), "clips of the expert count too"


def test_one_demonstration_and_an_expert_that_is_random_are_learned_from() -> None:
    short = dataclasses.replace(CONFIG, loop=dataclasses.replace(CONFIG.loop, steps=200))
    random = demonstrate(GoingPoint(), lambda state: np.random.default_rng(int(1e6 * abs(float(state[0])))).uniform(-1, 1, 1), [3])
    for demonstrations in (shown(1), random):
        loop = learned("gail", "sac", demonstrations, short)
        assert 0.0 < float(loop.metrics["expert_d"]) < 1.0


def test_wrong_combinations_are_refused_with_the_valid_ones() -> None:
    with pytest.raises(ConfigError, match=r"no reward that is learned against the policy named 'pebble'(.|\n)*airl, gail, gcl, vice"):
        AdversarialLoop(GoingPoint(), "pebble", "sac", CONFIG, shown(1))
    with pytest.raises(ConfigError, match=r"no policy that learns from the reward gail named 'rlpd'(.|\n)*ppo, sac"):
        AdversarialLoop(GoingPoint(), "gail", "rlpd", CONFIG, shown(1))


def test_demonstrations_of_other_bounds_are_refused() -> None:
    with pytest.raises(DataError, match=r"bounds \[-3\] to \[3\](.|\n)*\[-1\] to \[1\]"):
        AdversarialLoop(GoingPoint(), "gail", "sac", CONFIG, shown(1, GoingPoint(scale=3.0)))


def headed(head: Any) -> AdversarialConfig:
    return dataclasses.replace(CONFIG, gail=GAILConfig(head=head))


@pytest.mark.parametrize("head", ["positive", "negative"])
def test_a_head_that_needs_a_fixed_horizon_refuses_early_ends_at_the_start(head: str) -> None:
    AdversarialLoop(GoingPoint(), "gail", "sac", headed(head), shown(1))
    with pytest.raises(ConfigError, match=f"'{head}' needs episodes of one length"):
        AdversarialLoop(GoingPoint(edge=0.3), "gail", "sac", headed(head), shown(1))
    AdversarialLoop(GoingPoint(edge=0.3), "gail", "sac", headed("log_odds"), shown(1))
    AdversarialLoop(GoingPoint(edge=0.3), "airl", "sac", headed(head), shown(1))  # it has no such head
    ended = dataclasses.replace(shown(1).episodes[0], terminated=True)
    with pytest.raises(ConfigError, match="needs episodes of one length"):
        AdversarialLoop(GoingPoint(), "gail", "sac", headed(head), dataclasses.replace(shown(1), episodes=[ended]))


def test_a_probability_refuses_early_ends_too() -> None:
    with pytest.raises(ConfigError, match=r"'vice' is a probability(.|\n)*gail or airl"):
        AdversarialLoop(GoingPoint(edge=0.3), "vice", "sac", CONFIG, shown(2))


@pytest.mark.parametrize("policy", ["sac", "ppo"])
def test_and_early_ends_that_only_show_later(policy: str) -> None:
    env = GoingPoint()
    loop = AdversarialLoop(env, "gail", policy, headed("positive"), shown(1))
    env.edge = 0.0
    with pytest.raises(ConfigError, match="'positive' needs episodes of one length"):
        loop.advance()


def test_a_reward_that_is_nan() -> None:
    loop = AdversarialLoop(GoingPoint(), "gail", "sac", CONFIG, shown(1))
    loop.model.reward = lambda batch: torch.full((len(batch.rows),), float("nan"))  # type: ignore[method-assign]
    with pytest.raises(DataError, match="learned reward is NaN"):
        loop.run()


def test_an_environment_that_gives_nan() -> None:
    env = GoingPoint()
    loop = AdversarialLoop(env, "gail", "ppo", CONFIG, shown(1))
    env.x = np.nan
    env.reset = lambda **given: (np.array([np.nan], np.float32), {})  # type: ignore[method-assign]
    with pytest.raises(DataError, match="gave NaN"):
        loop.advance()


def test_demonstrations_hold_what_was_done() -> None:
    found = shown(2)
    assert found.env == "GoingPoint" and [len(episode.actions) for episode in found.episodes] == [20, 20]
    first: StateEpisode = found.episodes[0]
    assert first.seed == 100 and not first.terminated
    assert np.allclose(first.states[1:] - first.states[:-1], 0.2 * first.actions, atol=1e-6)
    assert found.returns == pytest.approx(evaluate(GoingPoint(), go, [100, 101]), abs=1e-5)


# The command line ----------------------------------------------------------------------------------------------------------

ENV = "tests/GoTo-v0"
SETTINGS = {"loop": {"start_steps": 50, "sac": {"batch": 16, "hidden": 8}}, "batch": 16, "report_every": 60, "evaluations": 1,
            "on_policy": {"rollout": 60, "ppo": {"hidden": 8, "epochs": 1}}}


@pytest.fixture
def files(tmp_path: Path) -> Path:
    """A folder with an expert's demonstrations, made by the commands, and settings."""
    if ENV not in gymnasium.registry:
        gymnasium.register(ENV, entry_point=GoingPoint)
    (tmp_path / "true.yaml").write_text(yaml.safe_dump({"loop": SETTINGS["loop"]}))
    (tmp_path / "settings.yaml").write_text(yaml.safe_dump(SETTINGS))
    cli.run(["train", "--env", ENV, "--reward", "true", "--steps", "100", "--episodes", "2", "--config", str(tmp_path / "true.yaml"),
             "--run-dir", str(tmp_path / "expert")])
    cli.run(["eval", str(tmp_path / "expert" / "latest"), "--episodes", "3", "--demos", str(tmp_path / "demos")])
    return tmp_path


def train(files: Path, *arguments: str) -> None:
    cli.run(["train", "--env", ENV, "--steps", "120", "--episodes", "2", "--config", str(files / "settings.yaml"),
             "--run-dir", str(files / "runs"), *arguments])


def test_by_name_from_the_experts_reward_to_a_policy(files: Path) -> None:
    assert len(StateDemonstrations.read(files / "demos").episodes) == 3
    for reward, policy in itertools.product(REWARDS, POLICIES):
        train(files, "--reward", reward, "--policy", policy, "--demos", str(files / "demos"))
        summary = StateSummary.read(files / "runs" / "latest" / "summary.json")
        assert (summary.reward, summary.policy, summary.steps) == (reward, policy, 120) and len(summary.returns) == 2
    with pytest.raises(ConfigError, match=r"'gail' learns from demonstrations, and there are none(.|\n)*--demos FILE"):
        train(files, "--reward", "gail")
    with pytest.raises(ConfigError, match=r"ppo keeps its newest steps only(.|\n)*--reward pebble takes --policy sac\."):
        train(files, "--reward", "pebble", "--policy", "ppo")
    with pytest.raises(ConfigError, match=r"--demos is for rewards from demonstrations; 'true'"):
        train(files, "--reward", "true", "--demos", str(files / "demos"))
    with pytest.raises(ConfigError, match=r"--answers is for rewards from preferences; 'airl' learns from demonstrations"):
        train(files, "--reward", "airl", "--demos", str(files / "demos"), "--answers", "3")
    with pytest.raises(DataError, match="Cannot read"):
        train(files, "--reward", "airl", "--demos", str(files / "nothing"))


def test_a_head_that_early_ends_break_is_refused_before_there_is_a_run(files: Path) -> None:
    edged = "tests/GoToEdge-v0"
    if edged not in gymnasium.registry:
        gymnasium.register(edged, entry_point=GoingPoint, kwargs={"edge": 0.3})
    (files / "settings.yaml").write_text(yaml.safe_dump({**SETTINGS, "gail": {"head": "positive"}}))
    for reward, said in (("gail", "'positive' needs episodes of one length"), ("vice", "'vice' is a probability")):
        with pytest.raises(ConfigError, match=said):
            cli.run(["train", "--env", edged, "--steps", "120", "--reward", reward, "--demos", str(files / "demos"), "--config",
                     str(files / "settings.yaml"), "--run-dir", str(files / "runs")])
    assert not (files / "runs").exists()


# Going on ------------------------------------------------------------------------------------------------------------------


class Stop(Exception):
    """What stops it."""


def stop_in(monkeypatch: pytest.MonkeyPatch, call: int) -> None:
    """Whatever learns stops in the middle: the work of that call is done, and not stored."""
    whole, left = AdversarialLoop.advance, call

    def stopping(self: AdversarialLoop) -> None:
        nonlocal left
        left -= 1
        whole(self)
        if left == 0:
            raise Stop

    monkeypatch.setattr(advancing, "SAVE_EVERY_S", -1.0)
    monkeypatch.setattr(AdversarialLoop, "advance", stopping)


TINY = dataclasses.replace(
    CONFIG, loop=dataclasses.replace(CONFIG.loop, steps=140, start_steps=40),
    on_policy=dataclasses.replace(CONFIG.on_policy, steps=240, rollout=60), reward_steps=3)


@pytest.mark.parametrize(("reward", "policy"), list(itertools.product(REWARDS, POLICIES)))
def test_a_run_that_is_stopped_goes_on_as_if_nothing_had_happened(
    reward: str, policy: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = learned(reward, policy, shown(2), TINY)
    with monkeypatch.context() as patch:
        stop_in(patch, 5 if policy == "sac" else 3)
        with pytest.raises(Stop):
            AdversarialLoop(GoingPoint(), reward, policy, TINY, shown(2)).run(checkpoint=tmp_path / "checkpoint.pt")
    torch.rand(1)  # chance goes on meanwhile
    again = AdversarialLoop(GoingPoint(), reward, policy, TINY, shown(2))
    begun: list[int] = []
    with monkeypatch.context() as patch:
        advance = AdversarialLoop.advance
        patch.setattr(AdversarialLoop, "advance", lambda self: (begun.append(self.steps), advance(self)))
        again.run(checkpoint=tmp_path / "checkpoint.pt")
    assert begun[0] == (80 if policy == "sac" else 120) and again.steps == whole.steps and again.model.version == whole.model.version
    state = torch.linspace(-1.0, 1.0, 9)[:, None]
    assert torch.equal(again.loop.agent.actor(state)[0], whole.loop.agent.actor(state)[0])
    steps = shown(1).transitions()
    assert torch.equal(again.reward(steps), whole.reward(steps))
    if isinstance(again.loop, StateLoop) and isinstance(whole.loop, StateLoop):
        assert torch.equal(again.loop.replay.rows, whole.loop.replay.rows)


def test_by_name(files: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    asked = ("--reward", "gail", "--demos", str(files / "demos"))
    train(files, *asked)
    whole = (files / "runs" / "latest" / "policy.safetensors").read_bytes()
    with monkeypatch.context() as patch:
        stop_in(patch, 5)
        with pytest.raises(Stop):
            train(files, *asked)
    stopped = (files / "runs" / "latest").resolve()
    assert (stopped / "checkpoint.pt").exists() and not (stopped / "summary.json").exists()
    with pytest.raises(ConfigError, match="--seed is '3', but the run"):
        cli.run(["train", "--resume", str(stopped), "--seed", "3"])
    (damaged := files / "damaged").mkdir()
    for file in stopped.iterdir():
        (damaged / file.name).write_bytes(file.read_bytes()[: 900 if file.name == "checkpoint.pt" else None])
    with pytest.raises(DataError, match=r"checkpoint\.pt cannot be used"):
        cli.run(["train", "--resume", str(damaged)])
    cli.run(["train", "--resume", str(stopped)])
    assert (stopped / "policy.safetensors").read_bytes() == whole
    assert StateSummary.read(stopped / "summary.json").steps == 120
