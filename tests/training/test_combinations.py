"""What goes with what: every combination of the table starts, every other one is refused with its reason, and the page says so."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

import gymnasium
import numpy as np
import pytest
import yaml

from rewardbot import cli, registry
from rewardbot.errors import ConfigError, RewardbotError
from rewardbot.rewards.partition import FewEffectiveSamples
from rewardbot.robots.mujoco import MujocoRobot
from rewardbot.robots.robot import load_contract
from rewardbot.training import combinations, imitation_job, job, state_job
from rewardbot.training.combinations import PLACES, POLICIES, REWARDS, STATES, Combination, Place, why_not
from rewardbot.training.job import record_demonstrations
from rewardbot.training.options import IMITATORS, ROUNDS, JobOptions
from rewardbot.training.preparing import prepare
from rewardbot.training.state_job import environment
from rewardbot.training.state_loop import Env, make_env
from rewardbot.training.state_options import StateOptions
from rewardbot.training.visiting import demonstrate
from rewardbot.types import Metrics
from tests.training.point import Point

ROOT = Path(__file__).parents[2]
POINT = "tests/Point-v0"
STEPS = 30
"""Of each run: some episodes, and some updates of everything."""

SAC = {"batch": 8, "hidden": 8}
LOOP = {"start_steps": 15, "longest": 10, "sac": SAC}
PPO = {"rollout": 15, "longest": 10, "ppo": {"hidden": 8, "epochs": 1}}
NETWORK = {"hidden": 8, "layers": 1, "steps": 3}
SETTINGS: dict[str, Any] = {
    "rewardbot.training.preference_job": {
        "loop": LOOP, "asking": {"steps": 5, "clips": 20, "candidates": 10}, "reward": NETWORK, "every": 15, "evaluations": 1,
        "explore_steps": 0},
    "rewardbot.training.adversarial_job": {"loop": LOOP, "on_policy": PPO, "batch": 8, "reward_steps": 2, "evaluations": 1,
                                             "vice": {"first_steps": 2}},
    "rewardbot.training.settled_job": {
        "loop": LOOP, "on_policy": PPO, "offline": {"iql": SAC, "cql": {**SAC, "sampled": 2}, "together": 15}, "evaluations": 1,
        "reward": {"t_rex": {**NETWORK, "shortest": 2, "longest": 5}, "b_rex": {"burn_in": 5, "steps": 8, "thin": 2},
                   "d_rex": {"levels": [0.0, 1.0], "rollouts": 1}, "cloning": {"steps": 3, "hidden": 8}, "episodes": 2,
                   "goal_classifier": {"first_steps": 2}, "clips": 1, "perturbed": 1, "longest": 10}},
    "rewardbot.training.cloning_job": {"bc": {"hidden": 8}},
    "rewardbot.training.praising_job": {"start_steps": 10, "every": 10, "longest": 10, "tamer": {"steps": 3, "hidden": 8},
                                        "policy": {"steps": 3, "hidden": 8}, "trainer": {"often": 1.0}, "evaluations": 1},
    "rewardbot.training.self_play_job": {"play": {"together": 5, "setter": LOOP, "reacher": LOOP}, "evaluations": 1},
}


WHERE: dict[Place, dict[str, Any]] = {"env": {"env": POINT}, "state": {"task": "reach", "state": True}}


@dataclass(frozen=True)
class World:
    """An environment, another to judge in, and a file of demonstrations in it."""

    env: Env
    judge: Env
    demos: str


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[[str], World]]:
    """The world of an environment's name, made once."""
    if POINT not in gymnasium.registry:
        gymnasium.register(POINT, entry_point=Point)
    draw, made = np.random.default_rng(0), dict[str, World]()

    def by_chance(state: np.ndarray, actions: tuple[int, ...]) -> np.ndarray:
        return draw.uniform(-1.0, 1.0, actions)

    def named(name: str) -> World:
        if name not in made:
            env, demos = make_env(name), tmp_path_factory.mktemp("world") / "demos"
            demos.write_bytes(demonstrate(env, partial(by_chance, actions=env.action_space.shape), range(3), longest=10).to_bytes())
            made[name] = World(env, make_env(name), str(demos))
        return made[name]

    yield named
    for one in made.values():
        one.env.close()
        one.judge.close()


@pytest.mark.parametrize("one", [one for one in combinations.combinations() if one.place in STATES], ids=str)
def test_every_combination_of_state_vectors_starts(one: Combination, world: Callable[[str], World], tmp_path: Path) -> None:
    module = REWARDS[one.reward].module
    (tmp_path / "settings.yaml").write_text(yaml.safe_dump(SETTINGS[module]))
    options = StateOptions(**WHERE[one.place], reward=one.reward, policy=one.policy, steps=STEPS, answers=4,
                           config=str(tmp_path / "settings.yaml"))
    here = world(environment(options))
    if combinations.needs_demonstrations(one.reward, one.policy):
        options = replace(options, demos=(here.demos,))
    told: list[tuple[int, Metrics]] = []
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", FewEffectiveSamples)
        trained = state_job.learn(options, state_job.resolve(options, ["demos"] if options.demos else []), here.env, here.judge,
                                  tmp_path, lambda metrics, steps: told.append((steps, metrics)))
    assert STEPS <= trained.steps < STEPS + 10  # a round of self-play is not cut off
    assert module == "rewardbot.training.cloning_job" or ("true_return" in told[-1][1] and told[-1][0] == trained.steps)
    state_job.state_policy_to_bytes(trained.agent, {"env": here.env.spec.id if here.env.spec else ""})


@pytest.fixture(scope="module")
def recorded(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with demonstrations over cameras, and settings."""
    folder = tmp_path_factory.mktemp("cameras")
    (folder / "small.yaml").write_text("bc: {steps: 3}\nplain_bc: {steps: 3}\nclassifier: {first_steps: 3}\n")
    robot = MujocoRobot("reach", load_contract("sim_arm"))
    try:
        record_demonstrations(JobOptions(task="reach", demos=2), robot, folder / "demonstrations", lambda share: None)
    finally:
        robot.close()
    return folder


@pytest.mark.parametrize("one", [one for one in combinations.combinations() if one.place == "cameras"], ids=str)
def test_every_combination_over_cameras_starts(one: Combination, recorded: Path, tmp_path: Path) -> None:
    options = JobOptions(task="reach", demonstrations=str(recorded / "demonstrations"), minutes=0.001, episodes=1,
                         rounds=int(one.policy in ROUNDS), reward="" if one.reward == "none" else one.reward, policy=one.policy,
                         config=str(recorded / "small.yaml"), run_dir=str(tmp_path))
    options, run = prepare(options, "train")
    with run:
        summary = (imitation_job if one.policy in IMITATORS else job).train(options, run)
    assert summary.success


@pytest.mark.parametrize("place", PLACES)
@pytest.mark.parametrize("reward", [*REWARDS])
def test_every_other_combination_is_refused_with_its_reason(reward: str, place: Place, tmp_path: Path) -> None:
    where = {"env": ["--env", "Pendulum-v1"], "state": ["--task", "reach", "--state"], "cameras": ["--task", "reach"]}[place]
    for policy in POLICIES:
        if reason := why_not(reward, policy, place):
            with pytest.raises(ConfigError) as refused:
                combinations.check(reward, policy, place)
            assert reason in str(refused.value) and (refused.value.valid or refused.value.next_step)
            if place == "cameras" and not why_not(reward, policy, "state"):
                assert combinations.knows_no_cameras(reward, policy)  # and so it is learned from the state
                continue
            with pytest.raises(RewardbotError) as refused:
                cli.run(["train", *where, "--reward", reward, "--policy", policy, "--run-dir", str(tmp_path / "runs")])
            assert refused.value.exit_code == 2 and refused.value.valid, policy
            assert place == "cameras" or reason in str(refused.value)
    assert not (tmp_path / "runs").exists()


def test_every_reward_and_policy_of_the_library_is_in_the_table() -> None:
    assert set(registry.names("reward")) == REWARDS.keys() - {"true", "none", "self_play"}
    assert set(registry.names("policy")) == POLICIES.keys()


def test_every_reward_and_policy_goes_with_something() -> None:
    found = combinations.combinations()
    assert REWARDS.keys() == {one.reward for one in found}
    assert POLICIES.keys() == {one.policy for one in found}


def test_names_that_do_not_exist() -> None:
    with pytest.raises(ConfigError, match=r"no reward algorithm named 'gial'(.|\n)*Did you mean 'gail'"):
        combinations.check("gial", "sac", "env")
    with pytest.raises(ConfigError, match=r"no policy algorithm named 'iqll'(.|\n)*Did you mean 'iql'"):
        combinations.check("true", "iqll", "env")


def test_a_reason_comes_with_what_would_be_valid() -> None:
    with pytest.raises(ConfigError) as refused:
        combinations.check("gail", "iql", "env")
    assert str(refused.value).split("\n  ") == [
        "Reward 'gail' and policy 'iql' do not go together here: iql does nothing while it learns, and gail is learned from what the "
        "policy does.",
        "--reward gail takes --policy sac or ppo. --policy iql takes --reward relative_entropy_irl, perturbation_irl, d_rex, t_rex, "
        "b_rex, true or goal_classifier."]
    with pytest.raises(ConfigError, match=r"--reward pebble takes --policy sac and --env NAME or --task NAME --state\."):
        combinations.check("pebble", "rlpd", "cameras")


def test_the_page_is_the_table() -> None:
    assert (ROOT / "docs/combinations.md").read_text() == combinations.page(), (
        "python -m rewardbot.training.combinations > docs/combinations.md")
