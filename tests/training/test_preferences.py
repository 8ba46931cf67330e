"""Online learning from preferences: that it learns what was meant and not what was not, and goes on after whatever happens."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from rewardbot.config import merge, to_mapping
from rewardbot.data.transitions import Transitions
from rewardbot.errors import ConfigError, DataError
from rewardbot.feedback.alarm import RewardFrozen
from rewardbot.feedback.feedback import Given, Query, Ranking, Response, Side
from rewardbot.feedback.ledger import Ledger
from rewardbot.feedback.teachers.model import LabellerUnavailable, Model
from rewardbot.feedback.teachers.simulated import Simulated
from rewardbot.policies.sac import SAC, SACConfig
from rewardbot.rewards.preference import PreferenceReward
from rewardbot.training.preferences import (
    LEDGER,
    METHODS,
    PreferenceLoop,
    PreferenceLoopConfig,
    forget_values,
    future,
    settings_of,
)
from rewardbot.training.state_loop import StateLoop, StateLoopConfig, evaluate, start_seeds
from rewardbot.types import Segment
from tests.training.point import Point

SMALL = {
    "loop": {"steps": 300, "start_steps": 100,
             "sac": {"batch": 32, "hidden": 16, "rate": 1e-2, "discount": 0.8, "target_step": 0.05}},
    "asking": {"steps": 5, "clips": 40, "candidates": 100, "schedule": {"budget": 30, "first": 15}},
    "reward": {"hidden": 16, "layers": 1, "steps": 60, "rate": 1e-2}, "every": 50, "evaluations": 1, "explore_steps": 0,
    "unlabelled": 20, "meta_every": 10,
}

Rewards = Callable[[Any], np.ndarray]


def config(name: str, **changes: Any) -> PreferenceLoopConfig:
    return settings_of(name, merge(SMALL, changes))


def learn(name: str, folder: Path, *, teacher: Any = None, said: list[str] | None = None, **changes: Any) -> PreferenceLoop:
    say = (said if said is not None else []).append
    found = PreferenceLoop(Point(), name, config(name, **changes), folder, teacher=teacher, say=say)
    found.run()
    found.close()
    return found


def true_return(act: Any) -> float:
    return float(np.mean(evaluate(Point(), act, start_seeds(0, 20))))


def by_chance(state: np.ndarray) -> np.ndarray:
    return np.random.default_rng(abs(int(1e6 * state[0]))).uniform(-1, 1, 1).astype(np.float32)


@pytest.mark.parametrize("name", list(METHODS))
def test_it_learns_what_the_teacher_means(name: str, tmp_path: Path) -> None:
    found = learn(name, tmp_path)
    assert found.asking.answered == 30 and found.fitted["answers"] == 30.0
    random, best = true_return(by_chance), true_return(lambda state: np.ones(1))
    assert true_return(found.loop.best) > best - 0.2 * (best - random)
    x = torch.linspace(-1, 1, 41)
    assert torch.corrcoef(torch.stack([found.model.reward(_at(x)), x]))[0, 1] > 0.9


def test_a_bonus_is_for_what_the_members_disagree_on_and_ends(tmp_path: Path) -> None:
    found = learn("preference", tmp_path, bonus=2.0)
    batch = _at(torch.tensor([-3.0, 0.0, 3.0]))
    rewards = found.model.samples(batch)
    assert rewards.std(0).min() > 0.0
    for steps, left in ((0, 2.0), (120, 1.0), (180, 0.5), (240, 0.0), (300, 0.0)):
        found.loop.steps = steps
        assert torch.allclose(found.reward(batch), rewards.mean(0) + left * rewards.std(0))
    found.fitted = {}
    assert not torch.allclose(found.reward(batch), rewards.mean(0)), "there is none before the first answers"


def test_answers_by_chance_teach_nothing(tmp_path: Path) -> None:
    """The control: the same questions, and answers that have nothing to do with them."""
    found = learn("preference", tmp_path, teacher=lambda rewards: Simulated(
        lambda clip: np.random.default_rng(clip.start + clip.stop + len(clip.episode_id)).normal(size=clip.stop - clip.start)))
    random, best = true_return(by_chance), true_return(lambda state: np.ones(1))
    assert found.asking.answered == 30 and true_return(found.loop.best) < best - 0.5 * (best - random)


def test_the_learner_does_not_see_the_true_reward(tmp_path: Path) -> None:
    """Another true reward, the same answers: the same policy to the bit."""
    class Other(Point):
        def step(self, action: np.ndarray) -> Any:
            state, _, terminated, truncated, info = super().step(action)
            return state, 7.0 * float(state[0]), terminated, truncated, info

    def answers(rewards: Rewards) -> Simulated:
        return Simulated(lambda clip: np.full(clip.stop - clip.start, float(clip.start)))

    actors = []
    for env, folder in ((Point(), tmp_path / "a"), (Other(), tmp_path / "b")):
        found = PreferenceLoop(env, "preference", config("preference", loop={"steps": 200}), folder, teacher=answers)
        found.loop.name = "same"
        found.run()
        found.close()
        actors.append([parameter.detach() for parameter in found.loop.agent.actor.parameters()])
    assert all(map(torch.equal, *actors))


class Mute:
    """A teacher who is not there."""

    name, kinds = "simulated", ("pair",)

    def __init__(self, rewards: Rewards | None = None) -> None:
        self.asked: list[Query] = []

    def ask(self, query: Query) -> None:
        self.asked.append(query)

    def poll(self) -> list[Response]:
        return []

    def close(self) -> None: ...


class Crashing(Mute):
    """A teacher who breaks."""

    def poll(self) -> list[Response]:
        raise OSError("gone")


@pytest.mark.parametrize("teacher", [Mute, Crashing])
def test_without_answers_it_explores_to_the_end(teacher: type[Mute], tmp_path: Path) -> None:
    found = learn("pebble", tmp_path, teacher=teacher)
    assert (found.loop.steps, found.loop.updates) == (300, 200) and not found.fitted
    assert found.asking.answered == 0 and 0 < found.asking.waiting <= 30
    batch = found.loop.sample()
    assert float(batch.reward.std()) > 0.0, "state entropy"


def test_a_labeller_who_is_not_there_is_told_of_and_not_waited_for(tmp_path: Path) -> None:
    def away(left: Segment, right: Segment) -> Side:
        raise LabellerUnavailable("Nobody is at home.")

    said: list[str] = []
    found = learn("preference", tmp_path, teacher=lambda true: Model(away), said=said)
    assert found.loop.steps >= 300 and not found.asking.answered and not found.fitted
    assert [line.split(chr(10))[0] for line in said] == ["Nobody is at home."]


def test_all_equal_answers_leave_the_reward_alone(tmp_path: Path) -> None:
    heard: list[str] = []
    found = learn("preference", tmp_path, teacher=lambda rewards: Simulated(lambda clip: np.zeros(clip.stop - clip.start)),
                  said=heard)
    assert found.asking.answered == 30 and not found.fitted and found.model.version == 0
    assert "prefers one clip to another" in heard[0]


def test_contradictory_answers_give_a_finite_reward(tmp_path: Path) -> None:
    class Contrary(Mute):
        def poll(self) -> list[Response]:
            asked, self.asked = self.asked, []
            return [Ranking(query.options, (int(query.id[1:]) % 2, 1 - int(query.id[1:]) % 2), Given("simulated", query.id))
                    for query in asked]

    found = learn("preference", tmp_path, teacher=Contrary)
    assert found.fitted["answers"] == 30.0
    assert bool(torch.isfinite(found.loop.sample().reward).all())
    assert all(bool(torch.isfinite(parameter).all()) for parameter in found.loop.agent.actor.parameters())


def test_clips_of_one_frame(tmp_path: Path) -> None:
    found = learn("surf", tmp_path, asking={"steps": 1})
    assert found.fitted["accuracy"] > 0.6
    queries = Ledger(tmp_path / LEDGER).history().queries.values()
    assert all(clip.stop - clip.start == 1 for query in queries for clip in query.options)


def test_a_run_that_is_killed_in_mid_question_goes_on(tmp_path: Path) -> None:
    first = PreferenceLoop(Point(), "preference", config("preference"), tmp_path, teacher=Mute)
    with pytest.raises(KeyboardInterrupt):
        first.run(_stop_at(first, 200))
    first.save()
    first.close()
    asked = Ledger(tmp_path / LEDGER).waiting()
    assert len(asked) >= 15
    second = PreferenceLoop(Point(), "preference", config("preference"), tmp_path)
    assert (second.loop.steps, second.loop.updates, second.asking.waiting) == (200, 100, len(asked))
    second.run()
    assert second.loop.steps == 300 and second.asking.answered == 30 and second.asking.waiting == 0
    queries = list(Ledger(tmp_path / LEDGER).history().queries.values())
    assert [query.id for query in queries[: len(asked)]] == [query.id for query in asked] and len(queries) == 30
    second.close()


def test_the_reward_is_rebuilt_from_the_ledger_to_the_bit(tmp_path: Path) -> None:
    first = learn("preference", tmp_path)
    again = PreferenceLoop(Point(), "preference", config("preference"), tmp_path)
    again.run()  # its steps are over
    assert all(map(torch.equal, first.model.network.state_dict().values(), again.model.network.state_dict().values()))
    again.close()


def test_a_damaged_checkpoint_is_refused(tmp_path: Path) -> None:
    (tmp_path / "checkpoint.pt").write_bytes(b"no")
    with pytest.raises(DataError, match=r"The checkpoint .*checkpoint\.pt cannot be used"):
        PreferenceLoop(Point(), "preference", config("preference"), tmp_path)


def test_critics_are_new_after_another_reward() -> None:
    agent = SAC(SACConfig(hidden=8, batch=4), 1, 1)
    loop = StateLoop(Point(), StateLoopConfig(steps=20, start_steps=5, sac=agent.config))
    loop.episode()
    before = [parameter.clone() for parameter in loop.agent.critic.parameters()]
    actor = [parameter.clone() for parameter in loop.agent.actor.parameters()]
    forget_values(loop.agent)
    assert not any(map(torch.equal, before, loop.agent.critic.parameters()))
    assert all(map(torch.equal, loop.agent.target.parameters(), loop.agent.critic.parameters()))
    assert all(map(torch.equal, actor, loop.agent.actor.parameters()))
    loop.episode()  # the optimiser goes on


def test_the_future_by_hand() -> None:
    loop = StateLoop(Point(), StateLoopConfig(steps=20, start_steps=20, sac=SACConfig(hidden=8, batch=4, discount=0.5)))
    loop.episode()
    batch = loop.replay.newest(4)
    batch.continues[1] = 0.0
    torch.manual_seed(3)
    found = future(loop.agent, batch)
    torch.manual_seed(3)
    action, log_prob = loop.agent.actor.sample(batch.next_state)
    values = loop.agent.target(torch.cat([batch.next_state, action], -1)).min(0).values - log_prob  # the temperature is 1
    torch.testing.assert_close(found, 0.5 * values * torch.tensor([1.0, 0.0, 1.0, 1.0]))


@pytest.mark.parametrize(("changes", "said"), [
    ({"reward": {"members": 1}, "asking": {"strategy": "uniform"}, "bonus": 1}, "A bonus is for what .* disagree on"),
    ({"reward": {"members": 1}}, "'disagreement' asks what the reward's members disagree on, and it has one"),
    ({"loop": {"steps": 100}}, "Of 100 steps, the first 100 are for exploring"),
    ({"asking": {"schedule": {"budget": 0}}}, "0 answers to learn from"),
    ({"reward": {"sees": ["state", "reward"]}}, r"'preference' sees state, reward\.(.|\n)*Of: state, state_action, next_state"),
    ({"reward": {"sees": []}}, "'preference' sees nothing"),
    ({"reward": {"confidence": 0.9}}, "no setting of PreferenceConfig named 'confidence'"),
])
def test_settings_that_cannot_work_are_refused(changes: Any, said: str, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=said):
        PreferenceLoop(Point(), "preference", config("preference", **changes), tmp_path)


def test_a_reward_of_the_next_state_alone(tmp_path: Path) -> None:
    found = learn("preference", tmp_path, reward={"sees": ["next_state"]})
    assert found.model.size == 1 and found.fitted["accuracy"] > 0.9
    with pytest.raises(ConfigError, match=r"'mrn' sees next_state\.(.|\n)*Of: state_action\."):
        PreferenceLoop(Point(), "mrn", config("mrn", reward={"sees": ["next_state"]}), tmp_path)


def test_settings_of_each_method_come_back(tmp_path: Path) -> None:
    for name, method in METHODS.items():
        assert settings_of(name, to_mapping(method.config)) == method.config
        assert issubclass(method.model, PreferenceReward)
    assert dataclasses.replace(METHODS["preference"].config, every=7) == settings_of("preference", {"every": 7})


def _at(x: torch.Tensor) -> Transitions:
    """At rest at x, (N,)."""
    zero = torch.zeros_like(x)
    return Transitions(torch.stack([x, zero, zero, zero + 1.0, x], dim=-1), 1, 1)


def _stop_at(loop: PreferenceLoop, steps: int) -> Callable[[Any], None]:
    def stop(metrics: Any) -> None:
        if loop.loop.steps >= steps:
            raise KeyboardInterrupt

    return stop


def test_it_looks_whether_the_answers_are_enough_and_the_reward_is_hacked(tmp_path: Path) -> None:
    asked = {"look": True, "watch": {"every": 5, "newest": 2, "meter": {"epsilon": 1.0, "fits": 1}}, "every": 40}
    said: list[str] = []
    found = learn("preference", tmp_path / "enough", said=said, **asked)
    assert len([line for line in said if "That is enough feedback. Nothing more is asked." in line]) == 1
    assert found.watch.enough is not None and found.watch.enough.enough and found.asking.answered < 30, "all is enough here"
    loop = PreferenceLoop(Point(), "preference", config("preference", **asked), tmp_path / "hacked")
    loop.watch.alarm.update([0.0] * 20, 0.9, np.zeros(5), np.ones(5))
    with pytest.raises(RewardFrozen, match="20 fresh answers"):
        loop.run()
    loop.close()
